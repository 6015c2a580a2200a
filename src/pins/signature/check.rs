//! The check itself, by the library of the Sigstore project.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use sigstore_verify::{
    Policy, PublicKeyVerificationPolicy, VerificationPolicy, Verifier,
    crypto::VerificationKey,
    trust_root::{SIGSTORE_PRODUCTION_TRUSTED_ROOT, TrustedRoot},
    types::{Artifact, Bundle, DerPublicKey, Sha256Hash, SignatureBytes, SignatureContent, Statement},
};

use super::{SIGNED, Signature, SignatureError};
use crate::model::{digest::Digest, pins::Signer};

const SIGNATURE: &str = "dev.cosignproject.cosign/signature";
const CERTIFICATE: &str = "dev.sigstore.cosign/certificate";
const CHAIN: &str = "dev.sigstore.cosign/chain";
const LOG_ENTRY: &str = "dev.sigstore.cosign/bundle";

/// The form of a bundle that can be made of what cosign 2 keeps: it may have a promise of the log in the place of a proof.
const OLD_BUNDLE: &str = "application/vnd.dev.sigstore.bundle+json;version=0.1";

pub(super) fn check(signature: &Signature, digest: &Digest, signer: &Signer) -> Result<String, SignatureError> {
    match signature {
        Signature::Bundle(text) => statement(text, digest, signer, SIGNED),
        Signature::Simple { payload, annotations } => {
            let annotation = |name: &str| annotations.get(name).map(String::as_str);
            let signed = annotation(SIGNATURE).ok_or_else(|| malformed(format!("it has no annotation {SIGNATURE}")))?;
            is_about(payload, digest)?;
            match (signer, annotation(LOG_ENTRY)) {
                (Signer::Key { pem, transparency_log: false }, _) => {
                    by_key_alone(payload, &SignatureBytes::from_base64(signed).map_err(malformed)?, pem)?;
                    Ok(signer.to_string())
                }
                (_, Some(entry)) => {
                    let bundle = bundle_of(payload, signed, annotation(CERTIFICATE), annotation(CHAIN), entry)?;
                    verify(Artifact::from_blob(payload), &bundle, signer)
                }
                (_, None) => Err(not_by("it has no entry of the transparency log")),
            }
        }
    }
}

/// Checks a bundle whose statement is of one kind.
pub(super) fn statement(text: &str, digest: &Digest, signer: &Signer, kind: &str) -> Result<String, SignatureError> {
    let bundle = Bundle::from_json(text).map_err(malformed)?;
    let SignatureContent::DsseEnvelope(envelope) = &bundle.content else {
        return Err(malformed("it signs no statement"));
    };
    let statement: Statement = serde_json::from_slice(envelope.payload.as_bytes()).map_err(malformed)?;
    if statement.predicate_type != kind {
        return Err(SignatureError::OfSomethingElse(format!("a statement of the kind {}", statement.predicate_type)));
    }
    let hash = Sha256Hash::from_hex(digest.as_str().trim_start_matches("sha256:")).map_err(malformed)?;
    if !statement.matches_sha256(&hash) {
        return Err(SignatureError::OfSomethingElse("another digest".to_owned()));
    }
    if let Signer::Key { pem, transparency_log: false } = signer {
        by_key_alone(&envelope.pae(), &envelope.signature.sig, pem)?;
        return Ok(signer.to_string());
    }
    verify(Artifact::from_digest(hash), &bundle, signer)
}

/// Checks everything that is in a bundle: the signature, its certificate, the log. Says who made it.
fn verify(artifact: Artifact<'_>, bundle: &Bundle, signer: &Signer) -> Result<String, SignatureError> {
    let root = TrustedRoot::from_json(SIGSTORE_PRODUCTION_TRUSTED_ROOT).map_err(malformed)?;
    let verifier = Verifier::new(&root).map_err(malformed)?;
    let run = |policy: &dyn Policy| verifier.verify(artifact, bundle, policy).map_err(not_by);
    match signer {
        Signer::Key { pem, transparency_log } => {
            let policy = PublicKeyVerificationPolicy::new(key(pem)?);
            run(&if *transparency_log { policy } else { policy.skip_tlog_unsafe() })?;
            Ok(signer.to_string())
        }
        Signer::Identity { issuer, subject } => {
            let found = run(&VerificationPolicy::any_identity().require_issuer(issuer.as_str()))?;
            let found = found.identity().map(|identity| identity.as_str().to_owned()).unwrap_or_default();
            if !subject.matches(&found) {
                return Err(not_by(format!("it is by {found}")));
            }
            Ok(format!("{found} ({issuer})"))
        }
    }
}

/// A signature that no log knows: the key says everything.
fn by_key_alone(payload: &[u8], signature: &SignatureBytes, pem: &str) -> Result<(), SignatureError> {
    let key = VerificationKey::from_spki(&key(pem)?).map_err(|error| SignatureError::Key(error.to_string()))?;
    key.verify(payload, signature).map_err(not_by)
}

fn key(pem: &str) -> Result<DerPublicKey, SignatureError> {
    DerPublicKey::from_pem(pem).map_err(|error| SignatureError::Key(error.to_string()))
}

/// What cosign 2 signs names the digest.
fn is_about(payload: &[u8], digest: &Digest) -> Result<(), SignatureError> {
    let payload: Value = serde_json::from_slice(payload).map_err(malformed)?;
    let text = |at: &str| payload.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
    let kind = text("/critical/type");
    if kind != "cosign container image signature" {
        return Err(SignatureError::OfSomethingElse(format!("something of the kind `{}`", kind.escape_debug())));
    }
    if text("/critical/image/docker-manifest-digest") != digest.as_str() {
        return Err(SignatureError::OfSomethingElse("another digest".to_owned()));
    }
    Ok(())
}

/// The same in the form of a bundle.
fn bundle_of(
    payload: &[u8],
    signature: &str,
    certificate: Option<&str>,
    chain: Option<&str>,
    entry: &str,
) -> Result<Bundle, SignatureError> {
    let entry: Value = serde_json::from_str(entry).map_err(malformed)?;
    let field = |at: &str| entry.pointer(at).cloned().ok_or_else(|| malformed(format!("its log entry has no {at}")));
    let id = field("/Payload/logID")?;
    let id = id.as_str().and_then(bytes_of_hex).ok_or_else(|| malformed("its log entry has no lawful logID"))?;
    let number = |at: &str| field(at).map(|value| value.to_string());
    let material = match certificate {
        Some(certificate) => {
            let mut certificates = certificates(certificate)?;
            certificates.extend(chain.map(self::certificates).transpose()?.into_iter().flatten());
            json!({"certificates": certificates})
        }
        None => json!({"hint": ""}),
    };
    let material_key = if certificate.is_some() { "x509CertificateChain" } else { "publicKey" };
    let digest = Digest::of(payload);
    let digest = bytes_of_hex(digest.as_str().trim_start_matches("sha256:")).unwrap_or_default();
    let bundle = json!({
        "mediaType": OLD_BUNDLE,
        "verificationMaterial": {
            material_key: material,
            "tlogEntries": [{
                "logIndex": number("/Payload/logIndex")?,
                "logId": {"keyId": STANDARD.encode(id)},
                "kindVersion": {"kind": "hashedrekord", "version": "0.0.1"},
                "integratedTime": number("/Payload/integratedTime")?,
                "inclusionPromise": {"signedEntryTimestamp": field("/SignedEntryTimestamp")?},
                "canonicalizedBody": field("/Payload/body")?,
            }],
        },
        "messageSignature": {
            "messageDigest": {"algorithm": "SHA2_256", "digest": STANDARD.encode(digest)},
            "signature": signature,
        },
    });
    Bundle::from_json(&bundle.to_string()).map_err(malformed)
}

/// The certificates of a PEM text, each as Base64 of its DER form.
fn certificates(pem: &str) -> Result<Vec<Value>, SignatureError> {
    let mut found = Vec::new();
    for part in pem.split("-----BEGIN CERTIFICATE-----").skip(1) {
        let (body, _) =
            part.split_once("-----END CERTIFICATE-----").ok_or_else(|| malformed("a certificate is cut off"))?;
        let body: String = body.split_ascii_whitespace().collect();
        found.push(json!({"rawBytes": body}));
    }
    Ok(found)
}

fn bytes_of_hex(text: &str) -> Option<Vec<u8>> {
    let pair = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    text.len().is_multiple_of(2).then(|| text.as_bytes().chunks(2).map(pair).collect()).flatten()
}

fn malformed(error: impl ToString) -> SignatureError {
    SignatureError::Malformed(error.to_string())
}

fn not_by(error: impl ToString) -> SignatureError {
    SignatureError::NotBySigner(error.to_string())
}

#[cfg(test)]
mod tests;
