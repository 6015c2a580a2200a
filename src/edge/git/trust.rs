//! Whose signature a commit has.
//!
//! Who signs on top of a commit vouches for it. So before this program does, it can ask who signed the commit that it
//! builds upon. What is signed is the commit without its signature; every doubt about what that is, is a refusal.

use std::{
    ffi::OsStr,
    io::{self, Write},
    str,
};

use git2::ObjectType;
use ssh_key::{HashAlg, LineEnding, PublicKey, SshSig};
use tempfile::NamedTempFile;

use crate::{
    edge::{
        git::{
            GitError, Repository, git_failed, object_id,
            sign::{DEADLINE, NAMESPACE},
        },
        program::{self, ProgramError},
    },
    model::{repository::TrustedSigners, tree::CommitId},
};

/// The largest signature that is looked at, in bytes.
const MAX_SIGNATURE: usize = 64 << 10;

/// A commit that somebody who is trusted has signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// Which key it was: `SSH key SHA256:…` or `OpenPGP key 0123…`.
    pub by: String,
}

/// Why a commit does not count as signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// It has no signature.
    #[error("it is not signed")]
    Unsigned,
    /// It names a key that is not among the trusted ones. Whether the signature is right was not necessarily looked at.
    #[error("it is signed by {by}, which is not trusted")]
    UnknownSigner {
        /// The key.
        by: String,
    },
    /// GnuPG does not have the public key, so nothing can be said about the signature.
    #[error("it is signed by the OpenPGP key {key}, which GnuPG does not have")]
    NoPublicKey {
        /// Its fingerprint, or its id when the signature says no more.
        key: String,
    },
    /// The signature does not hold.
    #[error("its signature is bad: {why}")]
    Bad {
        /// Why.
        why: String,
    },
    /// It is not clear what was signed, or how.
    #[error("its signature is not well-formed: {problem}")]
    Malformed {
        /// What is wrong.
        problem: &'static str,
    },
    /// The signature could not be handed to GnuPG.
    #[error("its signature cannot be checked")]
    Temporary(#[source] io::Error),
    /// GnuPG could not be asked.
    #[error("its signature cannot be checked")]
    Program(#[source] ProgramError),
}

impl TrustError {
    /// What the user can do about it, as a sentence or a command to type.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unsigned => "sign it, or let somebody who is trusted put a signed commit on top of it".into(),
            Self::UnknownSigner { .. } => {
                "if this key is to be trusted, add it to `spec.publish.trustedBase`; otherwise see who wrote the commit"
                    .into()
            }
            Self::NoPublicKey { .. } => "once you know whose it is, give its public key to `gpg --import`".into(),
            Self::Bad { .. } | Self::Malformed { .. } => {
                "do not build on it before you know who made it: `git log -1 --show-signature`".into()
            }
            Self::Program(error) => return error.hint(),
            Self::Temporary(_) => return None,
        })
    }
}

impl Repository {
    /// Who signed a commit, if it is somebody who is trusted. Of the commits below it nothing is said.
    ///
    /// # Errors
    ///
    /// [`GitError::Untrusted`] with the reason; [`GitError::Object`] when the commit cannot be read.
    pub fn base_signature(&self, commit: &CommitId, trusted: &TrustedSigners) -> Result<Signed, GitError> {
        let failed = git_failed(|| format!("the commit {commit}"));
        let database = self.inner.odb().map_err(&failed)?;
        let object = database.read(object_id(commit)).map_err(&failed)?;
        let checked = match object.kind() {
            ObjectType::Commit => check(object.data(), trusted),
            _ => Err(TrustError::Malformed { problem: "it is not a commit" }),
        };
        checked.map_err(|source| GitError::Untrusted { commit: commit.clone(), source })
    }
}

/// Who signed a commit, given as the bytes that Git keeps of it, if it is somebody who is trusted.
///
/// Stricter than Git: headers that Git would read in another way than the one who signed them are refused, and so is
/// every signature that is not over exactly these bytes.
///
/// # Errors
///
/// Every [`TrustError`].
pub fn check(commit: &[u8], trusted: &TrustedSigners) -> Result<Signed, TrustError> {
    let (payload, signature) = take_apart(commit)?;
    let Some(signature) = signature else { return Err(TrustError::Unsigned) };
    match Armor::of(&signature)? {
        Armor::Ssh(signature) => check_ssh(&payload, &signature, &trusted.ssh),
        Armor::OpenPgp if trusted.gpg.is_empty() => Err(TrustError::UnknownSigner { by: "an OpenPGP key".to_owned() }),
        Armor::OpenPgp => check_openpgp(&payload, &signature, &trusted.gpg),
    }
}

fn malformed<T>(problem: &'static str) -> Result<T, TrustError> {
    Err(TrustError::Malformed { problem })
}

fn bad<T>(why: impl Into<String>) -> Result<T, TrustError> {
    Err(TrustError::Bad { why: why.into() })
}

/// What stands before a header, as far as it matters for what may follow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    Start,
    Tree,
    Author,
    Committer,
}

/// Where the lines of a header go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Payload,
    Signature,
    /// The signature of the commit's other form, with ids of SHA-256. Not part of what is signed here.
    OtherSignature,
}

/// Separates what is signed from the signature, as Git does (`parse_buffer_signed_by_header`, `commit.c`).
fn take_apart(commit: &[u8]) -> Result<(Vec<u8>, Option<String>), TrustError> {
    if commit.contains(&0) {
        return malformed("the commit has a NUL character");
    }
    let mut payload = Vec::with_capacity(commit.len());
    let (mut signature, mut has_other) = (None::<Vec<u8>>, false);
    let (mut after, mut part) = (After::Start, Part::Payload);
    let mut rest = commit;
    loop {
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
            return malformed("the headers of the commit do not end");
        };
        let (line, next) = rest.split_at(end + 1);
        if line == b"\n" {
            break;
        }
        if let Some(continued) = line.strip_prefix(b" ") {
            match (part, &mut signature) {
                (Part::Signature, Some(signature)) => signature.extend(continued),
                (Part::OtherSignature, _) => (),
                _ if after == After::Committer => payload.extend(line),
                _ => return malformed("a header of the commit is broken"),
            }
            rest = next;
            continue;
        }
        let Some(space) = line.iter().position(|byte| *byte == b' ') else {
            return malformed("a header of the commit is broken");
        };
        part = Part::Payload;
        after = match (&line[..space], after) {
            (b"tree", After::Start) => After::Tree,
            (b"parent", After::Tree) => After::Tree,
            (b"author", After::Tree) => After::Author,
            (b"committer", After::Author) => After::Committer,
            // Git takes the first of these only where it expects them, and passes over others.
            (b"tree" | b"parent" | b"author" | b"committer", _) => {
                return malformed("the headers of the commit are not in order");
            }
            (_, After::Start | After::Tree | After::Author) => {
                return malformed("the headers of the commit are not in order");
            }
            (b"gpgsig", After::Committer) => {
                part = Part::Signature;
                if signature.replace(line[space + 1..].to_vec()).is_some() {
                    return malformed("the commit has two signatures");
                }
                after
            }
            (b"gpgsig-sha256", After::Committer) => {
                part = Part::OtherSignature;
                if std::mem::replace(&mut has_other, true) {
                    return malformed("the commit has two signatures");
                }
                after
            }
            // Git leaves every header that begins so out of what is signed.
            (key, After::Committer) if key.starts_with(b"gpgsig") => {
                return malformed("the commit has a signature of an unknown kind");
            }
            (_, After::Committer) => after,
        };
        if part == Part::Payload {
            payload.extend(line);
        }
        rest = next;
    }
    if after != After::Committer {
        return malformed("a header of the commit is missing");
    }
    payload.extend(rest);
    let signature = match signature.map(String::from_utf8) {
        None => None,
        Some(Ok(text)) if text.len() <= MAX_SIGNATURE && is_plain(&text) => Some(text),
        Some(_) => return malformed("it is not plain text"),
    };
    Ok((payload, signature))
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\n' || byte == b' ' || byte.is_ascii_graphic())
}

/// What kind of signature a text is.
enum Armor {
    Ssh(Box<SshSig>),
    /// Not looked into: that is for GnuPG.
    OpenPgp,
}

impl Armor {
    fn of(text: &str) -> Result<Self, TrustError> {
        // Some servers leave an empty line at the end.
        let lines: Vec<_> = text.trim_end_matches('\n').split('\n').collect();
        let is_within = |label: &str| {
            lines.len() > 2
                && lines[0] == format!("-----BEGIN {label}-----")
                && lines[lines.len() - 1] == format!("-----END {label}-----")
        };
        let (is_ssh, is_openpgp) = (is_within("SSH SIGNATURE"), is_within("PGP SIGNATURE"));
        if !is_ssh && !is_openpgp {
            return malformed("it is neither an SSH nor an OpenPGP signature, or has something around it");
        }
        let inner = &lines[1..lines.len() - 1];
        if inner.iter().any(|line| line.contains("-----")) {
            return malformed("it is more than one signature");
        }
        if is_ssh { ssh_signature(inner) } else { Ok(Self::OpenPgp) }
    }
}

/// Reads the one form that a signature has, whatever the length of its lines is.
fn ssh_signature(lines: &[&str]) -> Result<Armor, TrustError> {
    const WIDTH: usize = 70;
    let is_even = lines.iter().rev().skip(1).all(|line| line.len() == lines[0].len());
    let is_last_shorter = lines.last().is_some_and(|last| (1..=lines[0].len()).contains(&last.len()));
    if !is_even || !is_last_shorter {
        return malformed("its lines are not of one length");
    }
    let text = lines.concat();
    let wrapped: Vec<_> = text.as_bytes().chunks(WIDTH).map(|line| str::from_utf8(line).unwrap_or_default()).collect();
    let armor = format!("-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n", wrapped.join("\n"));
    let Ok(signature) = SshSig::from_pem(&armor) else { return malformed("it is not an SSH signature") };
    if signature.to_pem(LineEnding::LF).is_ok_and(|again| again.trim_end() == armor.trim_end())
        && signature.version() == SshSig::VERSION
        && signature.reserved().is_empty()
    {
        Ok(Armor::Ssh(Box::new(signature)))
    } else {
        malformed("it is not an SSH signature")
    }
}

fn check_ssh(payload: &[u8], signature: &SshSig, trusted: &[String]) -> Result<Signed, TrustError> {
    let by = format!("SSH key {}", signature.public_key().fingerprint(HashAlg::Sha256));
    let trusted = trusted.iter().filter_map(|key| PublicKey::from_openssh(key).ok());
    let Some(key) = trusted.into_iter().find(|key| key.key_data() == signature.public_key()) else {
        return Err(TrustError::UnknownSigner { by });
    };
    if signature.namespace() != NAMESPACE {
        return bad("it was made for something else than Git");
    }
    match key.verify(NAMESPACE, payload, signature) {
        Ok(()) => Ok(Signed { by }),
        Err(_) => bad("the commit is not what was signed"),
    }
}

fn check_openpgp(payload: &[u8], signature: &str, trusted: &[String]) -> Result<Signed, TrustError> {
    let mut file = NamedTempFile::new().map_err(TrustError::Temporary)?;
    file.write_all(signature.as_bytes()).map_err(TrustError::Temporary)?;
    // The list of fingerprints says who is trusted, so that GnuPG's own opinion is not asked for; nor is the network.
    let options = ["--status-fd=1", "--batch", "--no-tty", "--no-auto-key-retrieve", "--trust-model=always"];
    let arguments = [&options[..], &["--verify", "--"]].concat();
    let arguments: Vec<_> = arguments.into_iter().map(OsStr::new).collect();
    let arguments = [&arguments[..], &[file.path().as_os_str(), "-".as_ref()]].concat();
    let output = program::run("gpg", &arguments, payload, DEADLINE).map_err(TrustError::Program)?;
    let signed = verdict(&String::from_utf8_lossy(&output.stdout), trusted)?;
    output.of_success("gpg").map_err(TrustError::Program)?;
    Ok(signed)
}

/// What GnuPG's status lines say (`doc/DETAILS` of GnuPG). Only exactly one signature without any reservation is good.
fn verdict(status: &str, trusted: &[String]) -> Result<Signed, TrustError> {
    const VERDICTS: [&str; 6] = ["GOODSIG", "BADSIG", "ERRSIG", "EXPSIG", "EXPKEYSIG", "REVKEYSIG"];
    let lines: Vec<Vec<&str>> = status
        .lines()
        .filter_map(|line| line.strip_prefix("[GNUPG:] "))
        .map(|line| line.split(' ').collect())
        .collect();
    let all = |words: &[&str]| lines.iter().filter(|line| words.contains(&line[0])).collect::<Vec<_>>();
    if !all(&["PLAINTEXT"]).is_empty() {
        return malformed("it brings a text of its own");
    }
    let verdicts = all(&VERDICTS);
    let (verdict, key) = match verdicts[..] {
        [line] if all(&["NEWSIG"]).len() <= 1 => (line[0], line.get(1).copied().unwrap_or_default()),
        [] => return malformed("GnuPG finds no signature in it"),
        _ => return malformed("it is more than one signature"),
    };
    match verdict {
        "GOODSIG" => (),
        "BADSIG" => return bad("the commit is not what was signed"),
        "EXPSIG" => return bad("it has expired"),
        "EXPKEYSIG" => return bad(format!("the OpenPGP key {key} has expired")),
        "REVKEYSIG" => return bad(format!("the OpenPGP key {key} was revoked")),
        // The sixth word behind the verdict is the reason: 9 for a key that is not there.
        _ => {
            let line = verdicts[0];
            let fingerprint = line.get(7).copied().filter(|word| *word != "-").unwrap_or(key);
            if line.get(6) == Some(&"9") {
                return Err(TrustError::NoPublicKey { key: fingerprint.to_owned() });
            }
            return bad(format!("GnuPG cannot check one of the OpenPGP key {fingerprint}"));
        }
    }
    let valid = all(&["VALIDSIG"]);
    // fingerprint, date, time, expiry, version, reserved, algorithm, hash, class, fingerprint of the primary key
    let [[_, _, _, _, _, _, _, _, hash, class, primary, ..]] =
        valid.iter().map(|line| &line[..]).collect::<Vec<_>>()[..]
    else {
        return malformed("GnuPG does not say whose it is");
    };
    if !trusted.iter().any(|fingerprint| fingerprint == primary) {
        return Err(TrustError::UnknownSigner { by: format!("OpenPGP key {primary}") });
    }
    if *class != "00" {
        return bad("it is not over the exact bytes of the commit");
    }
    // MD5, SHA-1 and RIPEMD-160: others could have made a second commit for the same signature.
    if matches!(*hash, "1" | "2" | "3") {
        return bad("it is over a hash that is too weak");
    }
    Ok(Signed { by: format!("OpenPGP key {primary}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "737DB722AB89FFA00CBDA74DF9B34DDD729085A3";

    fn outcome(lines: &[&str]) -> String {
        let status: String =
            lines.iter().map(|line| format!("[GNUPG:] {}\n", line.replace(" KEY", &format!(" {KEY}")))).collect();
        match verdict(&status, &[KEY.to_owned()]) {
            Ok(signed) => format!("signed by {}", signed.by),
            Err(error) => error.to_string(),
        }
    }

    const VALID: &str = "VALIDSIG 0000 2026-11-21 1795282778 0 4 0 22 8 00 KEY";

    #[test]
    fn only_one_good_signature_without_any_reservation_counts() {
        let table: [(&[&str], &str); 18] = [
            (
                &["NEWSIG a", "GOODSIG F9B3 Ann", VALID],
                "signed by OpenPGP key 737DB722AB89FFA00CBDA74DF9B34DDD729085A3",
            ),
            (&[], "its signature is not well-formed: GnuPG finds no signature in it"),
            (&[VALID], "its signature is not well-formed: GnuPG finds no signature in it"),
            (&["NODATA 4"], "its signature is not well-formed: GnuPG finds no signature in it"),
            (&["NEWSIG", "GOODSIG F9B3 Ann"], "its signature is not well-formed: GnuPG does not say whose it is"),
            (&["GOODSIG F9B3 Ann", VALID, VALID], "its signature is not well-formed: GnuPG does not say whose it is"),
            (&["GOODSIG A", VALID, "GOODSIG A"], "its signature is not well-formed: it is more than one signature"),
            (&["GOODSIG A", VALID, "BADSIG A"], "its signature is not well-formed: it is more than one signature"),
            (
                &["NEWSIG", "GOODSIG A", VALID, "NEWSIG"],
                "its signature is not well-formed: it is more than one signature",
            ),
            (&["PLAINTEXT 62 0 ", "GOODSIG A", VALID], "its signature is not well-formed: it brings a text of its own"),
            (&["BADSIG F9B3 Ann", VALID], "its signature is bad: the commit is not what was signed"),
            (&["EXPSIG F9B3 Ann", VALID], "its signature is bad: it has expired"),
            (&["EXPKEYSIG F9B3 Ann", VALID], "its signature is bad: the OpenPGP key F9B3 has expired"),
            (&["REVKEYSIG F9B3 Ann", VALID], "its signature is bad: the OpenPGP key F9B3 was revoked"),
            (
                &["ERRSIG F9B3 22 8 00 1795282778 9 KEY"],
                "it is signed by the OpenPGP key 737DB722AB89FFA00CBDA74DF9B34DDD729085A3, which GnuPG does not have",
            ),
            (&["ERRSIG F9B3 22 8 00 1 4 -"], "its signature is bad: GnuPG cannot check one of the OpenPGP key F9B3"),
            (
                &["GOODSIG A", "VALIDSIG KEY 2026-11-21 1 0 4 0 22 8 01 KEY"],
                "its signature is bad: it is not over the exact bytes of the commit",
            ),
            (
                &["GOODSIG A", "VALIDSIG KEY 2026-11-21 1 0 4 0 22 2 00 KEY"],
                "its signature is bad: it is over a hash that is too weak",
            ),
        ];
        for (lines, expected) in table {
            assert_eq!(outcome(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn the_primary_key_decides_and_not_the_key_that_signed() {
        let line = "VALIDSIG KEY 2026-11-21 1795282778 0 4 0 22 8 00 0000";
        assert_eq!(outcome(&["GOODSIG F9B3 Ann", line]), "it is signed by OpenPGP key 0000, which is not trusted");
    }
}
