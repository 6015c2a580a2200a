//! Whether the wanted signer signed what a pin leads to.

use crate::{
    edge::registry::Registries,
    model::{digest::Digest, observed::Observed, oci::Repository, pins::Signer},
    pins::{
        artifact::Descriptor,
        signature::{self, SignatureError, Signed},
    },
};

/// The most bytes of one signature with all that belongs to it.
const MOST_BYTES: u64 = 1 << 20;

/// The most manifests and signatures that are read for one digest. Each may take as long as an answer may, and anybody who
/// may write to the repository can add some.
const MOST_READ: usize = 64;

/// Looks through everything that refers to a digest for a signature by the wanted signer.
pub fn signed(registries: &Registries, repository: &Repository, digest: &Digest, signer: &Signer) -> Signed {
    if !signature::AVAILABLE {
        return Signed::No(SignatureError::NotBuilt.to_string());
    }
    let referrers = match registries.referrers(repository, digest) {
        Observed::Present(referrers) => referrers,
        Observed::Absent => Vec::new(),
        Observed::Unknown(why) => return Signed::Unknown(why),
    };
    let (mut refused, mut read) = (Vec::new(), 0);
    let mut may_read = || {
        read += 1;
        read <= MOST_READ
    };
    for referrer in &referrers {
        if !may_read() {
            break;
        }
        let manifest = match registries.manifest(repository, &referrer.digest) {
            Observed::Present(manifest) => manifest,
            Observed::Absent => continue,
            Observed::Unknown(why) => return Signed::Unknown(why),
        };
        for layer in signature::layers(&manifest) {
            if !may_read() {
                break;
            }
            let place =
                Descriptor { media_type: layer.media_type.clone(), digest: layer.digest.clone(), size: MOST_BYTES };
            let content = match registries.blob(repository, &place, MOST_BYTES) {
                Observed::Present(content) => content,
                Observed::Absent => continue,
                Observed::Unknown(why) => return Signed::Unknown(why),
            };
            match layer.read(content).and_then(|signature| signature::check(&signature, digest, signer)) {
                Ok(by) => return Signed::By(by),
                Err(error) => refused.push(error.to_string()),
            }
        }
    }
    refused.sort();
    refused.dedup();
    let mut why = match refused.as_slice() {
        [] => "it has no signature that cosign made".to_owned(),
        refused => format!("none of its signatures is a proof: {}", refused.join("; ")),
    };
    if read > MOST_READ {
        why += &format!("; only the first {MOST_READ} manifests and signatures that refer to it were looked at");
    }
    Signed::No(why)
}
