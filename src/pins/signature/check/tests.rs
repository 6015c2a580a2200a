use std::collections::BTreeMap;

use sigstore_verify::crypto::KeyPair;

use super::*;
use crate::model::pins::Subject;

/// A key of cosign, and what it signs without a log.
struct Key(KeyPair);

impl Key {
    fn new() -> Self {
        Self(KeyPair::generate_ecdsa_p256().expect("a key"))
    }

    fn signer(&self, transparency_log: bool) -> Signer {
        let pem = self.0.public_key_der().expect("a public key").to_pem();
        Signer::Key { pem, transparency_log }
    }

    fn simple(&self, payload: &str) -> Signature {
        let signature = self.0.sign(payload.as_bytes()).expect("a signature").to_base64();
        let annotations = BTreeMap::from([(SIGNATURE.to_owned(), signature)]);
        Signature::Simple { payload: payload.as_bytes().to_vec(), annotations }
    }

    fn bundle(&self, statement: &Value) -> Signature {
        let (kind, payload) = ("application/vnd.in-toto+json", statement.to_string());
        let signed = format!("DSSEv1 {} {kind} {} {payload}", kind.len(), payload.len());
        let signature = self.0.sign(signed.as_bytes()).expect("a signature").to_base64();
        let bundle = json!({
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {"publicKey": {"hint": "cosign.pub"}, "tlogEntries": []},
            "dsseEnvelope": {
                "payload": STANDARD.encode(&payload),
                "payloadType": kind,
                "signatures": [{"sig": signature}],
            },
        });
        Signature::Bundle(bundle.to_string())
    }
}

fn payload(kind: &str, digest: &Digest) -> String {
    let image = json!({"docker-manifest-digest": digest.as_str()});
    json!({"critical": {"identity": {"docker-reference": "r.example.org/x"}, "image": image, "type": kind}}).to_string()
}

fn statement_of(kind: &str, digest: &Digest) -> Value {
    let hex = digest.as_str().trim_start_matches("sha256:");
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "r.example.org/x", "digest": {"sha256": hex}}],
        "predicateType": kind,
        "predicate": {},
    })
}

const IMAGE: &str = "cosign container image signature";

#[test]
fn a_signature_by_the_wanted_key_of_this_digest_is_good_and_any_other_is_not() {
    let (key, other) = (Key::new(), Key::new());
    let (digest, another) = (Digest::of(b"index"), Digest::of(b"another"));
    let by = key.signer(false);
    let changed = |signature: Signature| match signature {
        Signature::Simple { payload, annotations } => {
            let payload = String::from_utf8(payload).expect("JSON").replace("r.example.org/x", "r.example.org/y");
            Signature::Simple { payload: payload.into_bytes(), annotations }
        }
        Signature::Bundle(_) => unreachable!("only the simple form is changed"),
    };
    let good = Ok(by.to_string());
    assert_eq!(check(&key.simple(&payload(IMAGE, &digest)), &digest, &by), good);
    assert_eq!(check(&key.bundle(&statement_of(SIGNED, &digest)), &digest, &by), good);

    for (signature, kind) in [
        (key.simple(&payload(IMAGE, &another)), "something else"),
        (key.simple(&payload("a letter", &digest)), "something else"),
        (key.simple("{}"), "something else"),
        (key.simple("no json"), "malformed"),
        (other.simple(&payload(IMAGE, &digest)), "another signer"),
        (changed(key.simple(&payload(IMAGE, &digest))), "another signer"),
        (
            Signature::Simple { payload: payload(IMAGE, &digest).into_bytes(), annotations: BTreeMap::new() },
            "malformed",
        ),
        (key.bundle(&statement_of(SIGNED, &another)), "something else"),
        (key.bundle(&statement_of("https://spdx.dev/Document", &digest)), "something else"),
        (other.bundle(&statement_of(SIGNED, &digest)), "another signer"),
        (Signature::Bundle("[]".to_owned()), "malformed"),
    ] {
        let found = match check(&signature, &digest, &by) {
            Err(SignatureError::OfSomethingElse(_)) => "something else",
            Err(SignatureError::NotBySigner(_)) => "another signer",
            Err(SignatureError::Malformed(_)) => "malformed",
            Err(SignatureError::Key(_) | SignatureError::NotBuilt) | Ok(_) => "good",
        };
        assert_eq!(found, kind, "{signature:?}");
    }
}

#[test]
fn a_signature_that_no_log_knows_is_refused_where_the_log_is_wanted() {
    let (key, digest) = (Key::new(), Digest::of(b"index"));
    let somebody = Signer::Identity {
        issuer: "https://issuer.example.org".to_owned(),
        subject: Subject::Exactly("somebody@example.org".to_owned()),
    };
    for signature in [key.simple(&payload(IMAGE, &digest)), key.bundle(&statement_of(SIGNED, &digest))] {
        for signer in [&key.signer(true), &somebody] {
            let refused = check(&signature, &digest, signer);
            assert!(matches!(refused, Err(SignatureError::NotBySigner(_))), "{refused:?}");
        }
    }
}

#[test]
fn a_key_that_is_none_is_said_to_be_none() {
    let (key, digest) = (Key::new(), Digest::of(b"index"));
    let signer = Signer::Key { pem: "ssh-ed25519 AAAA".to_owned(), transparency_log: false };
    for signature in [key.simple(&payload(IMAGE, &digest)), key.bundle(&statement_of(SIGNED, &digest))] {
        let refused = check(&signature, &digest, &signer);
        assert!(matches!(refused, Err(SignatureError::Key(_))), "{refused:?}");
    }
}
