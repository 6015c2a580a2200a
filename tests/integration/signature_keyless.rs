//! What the public Sigstore signs, as the registry keeps it.

#![expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "cargo tells where a library lies")]

use std::{fs, path::PathBuf, process::Command};

use bobbypin::{
    model::{
        digest::Digest,
        pins::{Signer, Subject},
    },
    pins::signature::{Signature, SignatureError, check, check_statement},
};
use serde_json::Value;

/// A key that signed nothing.
const KEY: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEMrwAJMR67OcSczB24SnescQjO6/K
UelnS64/lDOyteHROCTLiDTMqCoRQhWUh2m5GsSXmDmWIElR0L5OO+xgKw==
-----END PUBLIC KEY-----
";

/// A bundle that the public Sigstore made, with certificate, log entry and time stamps. It lies among the files of the
/// library that checks it.
fn recorded_bundle() -> String {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--format-version=1", "--features=signatures", "--manifest-path"])
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .output()
        .expect("cargo runs");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("a list of packages");
    let library = packages.iter().find(|package| package["name"] == "sigstore-verify").expect("the library");
    let manifest = PathBuf::from(library["manifest_path"].as_str().expect("a path"));
    let folder = manifest.parent().expect("a folder");
    fs::read_to_string(folder.join("test_data/bundles/conda-attestation.sigstore.json")).expect("a bundle")
}

#[test]
fn a_bundle_of_the_public_sigstore_is_by_whom_its_certificate_names_and_by_nobody_else() {
    let text = recorded_bundle();
    let kind = "https://schemas.conda.org/attestations-publish-1.schema.json";
    let digest =
        Digest::parse("sha256:54303491a8418fbed24344b513546182c29b43bf282ceb433af65e2299f9271f").expect("a digest");
    let signer = |issuer: &str, subject: Subject| Signer::Identity { issuer: issuer.to_owned(), subject };
    let issuer = "https://token.actions.githubusercontent.com";
    let by_anybody = signer(issuer, Subject::StartsWith("https://github.com/".to_owned()));
    let who = check_statement(&text, &digest, &by_anybody, kind).expect("it is good");
    let name = who.strip_suffix(&format!(" ({issuer})")).expect("the issuer is named").to_owned();
    assert!(name.starts_with("https://github.com/"), "{name}");
    assert_eq!(check_statement(&text, &digest, &signer(issuer, Subject::Exactly(name.clone())), kind), Ok(who.clone()));

    let refused = |text: &str, digest: &Digest, signer: &Signer| {
        check_statement(text, digest, signer, kind).expect_err("refused")
    };
    for wrong in [
        signer("https://issuer.example.org", Subject::Exactly(name.clone())),
        signer(issuer, Subject::Exactly(format!("{name}x"))),
        signer(issuer, Subject::StartsWith("https://github.com/somebody-else/".to_owned())),
        Signer::Key { pem: KEY.to_owned(), transparency_log: true },
    ] {
        assert!(matches!(refused(&text, &digest, &wrong), SignatureError::NotBySigner(_)), "{wrong}");
    }
    let another = Digest::of(b"another");
    assert!(matches!(refused(&text, &another, &by_anybody), SignatureError::OfSomethingElse(_)));
    // One letter of the signature, then of what is signed.
    for part in ["\"sig\"", "\"payload\""] {
        let at = text.find(part).expect("the part is there") + part.len() + 40;
        let letter = if &text[at..=at] == "A" { "B" } else { "A" };
        let changed = format!("{}{letter}{}", &text[..at], &text[at + 1..]);
        assert!(check_statement(&changed, &digest, &by_anybody, kind).is_err(), "{part}");
    }
    assert_eq!(
        check(&Signature::Bundle(text), &digest, &by_anybody),
        Err(SignatureError::OfSomethingElse(format!("a statement of the kind {kind}")))
    );
}
