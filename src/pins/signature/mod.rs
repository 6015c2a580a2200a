//! Who signed what a pin leads to.
//!
//! cosign keeps a signature in the registry beside what it signs: as a Sigstore bundle that refers to the manifest, or, up
//! to version 2, as a manifest under the tag `sha256-<hex>.sig`. Both are read. Whether one is good is decided by the
//! library of the Sigstore project, which is in the program only when it was built with the feature `signatures`.

#[cfg(feature = "signatures")]
mod check;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::{digest::Digest, observed::Unknown, pins::Signer};

/// The media type of a Sigstore bundle, up to its version.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle";

/// The media type of the payload that cosign signs up to version 2.
const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";

/// What a statement of a bundle must be about. Statements of other kinds (bills of materials, provenance) are signed too,
/// and say nothing about whether somebody wants the image to be used.
#[cfg(feature = "signatures")]
const SIGNED: &str = "https://sigstore.dev/cosign/sign/v1";

/// One signature, as it lies in a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signature {
    /// A Sigstore bundle, as JSON.
    Bundle(String),
    /// A payload with its signature in annotations.
    Simple {
        /// The bytes that are signed.
        payload: Vec<u8>,
        /// The annotations of the layer that names the payload.
        annotations: BTreeMap<String, String>,
    },
}

/// The layers of a manifest that hold signatures: the digest, the size and the annotations of each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureLayer {
    /// Its media type.
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
}

/// What is known about the signatures of a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signed {
    /// One is by the wanted signer: who that is, in words.
    By(String),
    /// None is, and why.
    No(String),
    /// The registry did not say.
    Unknown(Unknown),
}

/// Why a signature is no proof.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Malformed(String),
    /// It is a signature of something else.
    #[error("it is a signature of {0}")]
    OfSomethingElse(String),
    /// It was made by somebody else, or was changed.
    #[error("it is not by the wanted signer: {0}")]
    NotBySigner(String),
    /// The key that was given is none.
    #[error("the key that it is to be checked with cannot be read: {0}")]
    Key(String),
    /// The program cannot check signatures.
    #[error("this program was built without the means to check signatures (cargo feature `signatures`)")]
    NotBuilt,
}

/// Whether this program can check signatures at all.
pub const AVAILABLE: bool = cfg!(feature = "signatures");

/// The layers of a manifest that hold signatures; none when it is a manifest of something else.
pub fn layers(manifest: &[u8]) -> Vec<SignatureLayer> {
    let Ok(manifest) = serde_json::from_slice::<Value>(manifest) else { return Vec::new() };
    let layers = manifest.get("layers").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let layer = |layer: &Value| {
        let media_type = layer.get("mediaType")?.as_str()?.to_owned();
        let digest = Digest::parse(layer.get("digest")?.as_str()?).ok()?;
        let annotations = layer.get("annotations").and_then(Value::as_object).into_iter().flatten();
        let annotations =
            annotations.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect();
        let is_signature = media_type.starts_with(BUNDLE) || media_type == SIMPLE_SIGNING;
        is_signature.then_some(SignatureLayer { media_type, digest, annotations })
    };
    layers.iter().filter_map(layer).collect()
}

impl SignatureLayer {
    /// The signature, with the layer's content.
    ///
    /// # Errors
    ///
    /// [`SignatureError::Malformed`] when a bundle is no text.
    pub fn read(self, content: Vec<u8>) -> Result<Signature, SignatureError> {
        if self.media_type == SIMPLE_SIGNING {
            return Ok(Signature::Simple { payload: content, annotations: self.annotations });
        }
        let text = String::from_utf8(content).map_err(|error| SignatureError::Malformed(error.to_string()))?;
        Ok(Signature::Bundle(text))
    }
}

/// Who made a statement of some kind about a digest, which stands in a Sigstore bundle.
///
/// # Errors
///
/// As [`check`].
#[cfg(feature = "signatures")]
pub fn check_statement(bundle: &str, digest: &Digest, signer: &Signer, kind: &str) -> Result<String, SignatureError> {
    check::statement(bundle, digest, signer, kind)
}

/// Who made a signature of a digest, in words for people.
///
/// # Errors
///
/// [`SignatureError`] unless the wanted signer made it, of exactly this digest.
pub fn check(signature: &Signature, digest: &Digest, signer: &Signer) -> Result<String, SignatureError> {
    #[cfg(feature = "signatures")]
    return check::check(signature, digest, signer);
    #[cfg(not(feature = "signatures"))]
    {
        let _ = (signature, digest, signer);
        Err(SignatureError::NotBuilt)
    }
}
