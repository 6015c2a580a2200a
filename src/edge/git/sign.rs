//! Signing commits, by a key in a file, an SSH agent or GnuPG.

use std::{
    ffi::OsStr,
    fmt, fs,
    io::{self, Read, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use secrecy::{ExposeSecret, SecretSlice};
use ssh_key::{Algorithm, HashAlg, LineEnding, PrivateKey, PublicKey, SshSig};
use tempfile::NamedTempFile;

use crate::{
    edge::program::{self, ProgramError},
    model::repository::Signing,
};

/// What the signature of a commit or tag is for, in every SSH signature.
pub(super) const NAMESPACE: &str = "git";

/// How long a program may take to sign or to check. People may have to touch a key meanwhile.
pub(super) const DEADLINE: Duration = Duration::from_secs(30);

/// The largest file that is looked at for a key.
const MAX_KEY_BYTES: u64 = 64 << 10;

/// Signs commits.
pub struct Signer(Way);

enum Way {
    /// By this key.
    Key(Box<PrivateKey>),
    /// By `ssh-keygen`, which asks the agent for this key.
    Agent(PublicKey),
    /// By `gpg`, with the key of this name.
    Gpg(String),
}

/// Shows which key signs, and nothing of it that is secret.
impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (way, key) = match &self.0 {
            Way::Key(key) => ("SshKeyFile", key.fingerprint(HashAlg::Sha256).to_string()),
            Way::Agent(key) => ("SshAgent", key.fingerprint(HashAlg::Sha256).to_string()),
            Way::Gpg(key) => ("Gpg", key.clone()),
        };
        f.debug_tuple("Signer").field(&format_args!("{way} {key}")).finish()
    }
}

/// Why a commit cannot be signed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// The file of the key cannot be read.
    #[error("cannot read the signing key `{}`", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Other users could read the key.
    #[error("the signing key `{}` is open to other users (mode {mode:04o})", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// The bits of its mode that say who may do what.
        mode: u32,
    },
    /// The key has a passphrase, and nobody is there to type it.
    #[error("the signing key `{}` has a passphrase", path.display())]
    Passphrase {
        /// The file.
        path: PathBuf,
    },
    /// The file is not a key of the one kind that is supported.
    #[error("`{}` is not an OpenSSH private key of the kind ed25519: {problem}", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        problem: String,
    },
    /// The public key for the agent is not one.
    #[error("`{}` is not an SSH public key", key.escape_debug())]
    PublicKey {
        /// The text.
        key: String,
    },
    /// The public key could not be handed to the program.
    #[error("cannot write a temporary file")]
    Temporary(#[source] io::Error),
    /// The program that holds the key did not sign.
    #[error("{signer} did not sign the commit")]
    Program {
        /// `the SSH agent` or `GnuPG`, with the key.
        signer: String,
        /// Whether it is the agent.
        is_agent: bool,
        /// Why.
        source: ProgramError,
    },
    /// The program says that all is well, and gave something else than the signature that was asked for.
    #[error("{signer} gave no signature of this key over the commit")]
    NoSignature {
        /// As above.
        signer: String,
    },
}

impl SignError {
    /// What the user can do about it, as a sentence or a command to type.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Exposed { path, .. } => {
                format!("chmod 600 '{}'; for a Secret in a pod: `defaultMode: 0400`", path.display())
            }
            Self::Passphrase { path } => format!(
                "load it into an agent with `ssh-add '{}'`, and set `spec.publish.signing.ssh.agent` to its public key",
                path.display()
            ),
            Self::NotAKey { .. } => "make one with `ssh-keygen -t ed25519 -N '' -f FILE`".into(),
            Self::PublicKey { .. } => "`ssh-add -L` prints the keys of the agent: `ssh-ed25519 AAAA…`".into(),
            Self::Program { source, .. } if source.hint().is_some() => return source.hint(),
            Self::Program { is_agent: true, .. } => {
                "SSH_AUTH_SOCK must name a running agent, and `ssh-add -L` must list the key".into()
            }
            Self::Program { is_agent: false, .. } => {
                "`gpg --list-secret-keys` must list the key, and it must sign without asking for a passphrase".into()
            }
            Self::Read { .. } | Self::Temporary(_) | Self::NoSignature { .. } => return None,
        })
    }
}

impl Signer {
    /// Reads the key, when it is a file; relative paths start at `here`. An agent and GnuPG are not asked before there is
    /// something to sign.
    ///
    /// # Errors
    ///
    /// Every [`SignError`] about files and the texts of the settings.
    pub fn load(signing: &Signing, here: &Path) -> Result<Self, SignError> {
        Ok(Self(match signing {
            Signing::SshKeyFile(file) => Way::Key(Box::new(key_file(&here.join(file))?)),
            Signing::SshAgent(key) => match PublicKey::from_openssh(key) {
                Ok(public) => Way::Agent(public),
                Err(_) => return Err(SignError::PublicKey { key: key.clone() }),
            },
            Signing::Gpg(key) => Way::Gpg(key.clone()),
        }))
    }

    /// The signature over a commit that has none yet, in the armor in which it stands in the header `gpgsig`.
    ///
    /// An agent or GnuPG may ask its user something meanwhile. It has 30 seconds.
    ///
    /// # Errors
    ///
    /// [`SignError::Program`], [`SignError::NoSignature`] and [`SignError::Temporary`].
    pub fn sign(&self, commit: &[u8]) -> Result<String, SignError> {
        match &self.0 {
            Way::Key(key) => {
                let signature =
                    key.sign(NAMESPACE, HashAlg::Sha512, commit).expect("a key whose halves belong together signs");
                Ok(signature.to_pem(LineEnding::LF).expect("a signature has an armor"))
            }
            Way::Agent(key) => sign_by_agent(key, commit),
            Way::Gpg(key) => sign_by_gpg(key, commit),
        }
    }
}

/// Puts a signature into a commit that has none: as its last header, the lines after the first with a space in front, as
/// Git does it.
pub fn signed_commit(commit: &[u8], signature: &str) -> Vec<u8> {
    let end_of_headers = commit.windows(2).position(|pair| pair == b"\n\n").map_or(commit.len(), |at| at + 1);
    let (headers, message) = commit.split_at(end_of_headers);
    let lines: Vec<_> = signature.lines().collect();
    [headers, b"gpgsig ", lines.join("\n ").as_bytes(), b"\n", message].concat()
}

fn key_file(path: &Path) -> Result<PrivateKey, SignError> {
    let failed = |source| SignError::Read { path: path.to_owned(), source };
    let file = fs::File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    // As `ssh` sees it: what another user owns, root above all, was handed to us, and the mode is not ours to set. That
    // is how a Secret gets into a pod that does not run as root.
    let is_ours = own_user().is_none_or(|user| user == metadata.uid());
    if is_ours && metadata.mode() & 0o077 != 0 {
        return Err(SignError::Exposed { path: path.to_owned(), mode: metadata.mode() & 0o7777 });
    }
    let mut bytes = Vec::new();
    file.take(MAX_KEY_BYTES).read_to_end(&mut bytes).map_err(failed)?;
    let bytes = SecretSlice::from(bytes);
    let not_a_key = |problem: &str| SignError::NotAKey { path: path.to_owned(), problem: problem.to_owned() };
    let key = PrivateKey::from_openssh(bytes.expose_secret()).map_err(|_| not_a_key(kind_of(bytes.expose_secret())))?;
    if key.is_encrypted() {
        return Err(SignError::Passphrase { path: path.to_owned() });
    }
    match key.algorithm() {
        Algorithm::Ed25519 => Ok(key),
        other => Err(not_a_key(&format!("its kind is `{other}`"))),
    }
}

/// Who this process runs as; `None` where the system does not say.
fn own_user() -> Option<u32> {
    fs::metadata("/proc/self").ok().map(|metadata| metadata.uid())
}

/// What a file is that is not an OpenSSH private key. Nothing of its content goes into the answer.
fn kind_of(bytes: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(bytes);
    match text.trim_start() {
        "" => "it is empty",
        text if text.starts_with("ssh-") || text.starts_with("ecdsa-") => "it is the public key",
        text if text.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----") => "it is damaged, or of another kind",
        text if text.starts_with("-----BEGIN ") => "it is in another format",
        _ => "it is something else",
    }
}

fn sign_by_agent(key: &PublicKey, commit: &[u8]) -> Result<String, SignError> {
    const PROGRAM: &str = "ssh-keygen";
    let signer = format!("the SSH agent with the key {}", key.fingerprint(HashAlg::Sha256));
    let failed = |source| SignError::Program { signer: signer.clone(), is_agent: true, source };
    // The suffix says that the private key is elsewhere.
    let mut file = NamedTempFile::with_suffix(".pub").map_err(SignError::Temporary)?;
    let line = key.to_openssh().expect("a key that was read can be written");
    file.write_all(format!("{line}\n").as_bytes()).map_err(SignError::Temporary)?;
    let arguments = ["-Y", "sign", "-n", NAMESPACE, "-f"].map(OsStr::new);
    let arguments = [&arguments[..], &[file.path().as_os_str()]].concat();
    let mut output = program::run(PROGRAM, &arguments, commit, DEADLINE).map_err(failed)?;
    // The temporary file is gone when the complaint is read.
    let complaints = String::from_utf8_lossy(&output.stderr);
    let quoted = format!("\"{}\"", file.path().display());
    output.stderr = complaints.replace(&quoted, "of the settings").into_bytes();
    let armor = String::from_utf8(output.of_success(PROGRAM).map_err(failed)?.stdout).unwrap_or_default();
    match SshSig::from_pem(&armor) {
        Ok(signature) if key.verify(NAMESPACE, commit, &signature).is_ok() => Ok(armor),
        _ => Err(SignError::NoSignature { signer }),
    }
}

fn sign_by_gpg(key: &str, commit: &[u8]) -> Result<String, SignError> {
    const PROGRAM: &str = "gpg";
    let signer = format!("GnuPG with the key `{}`", key.escape_debug());
    let failed = |source| SignError::Program { signer: signer.clone(), is_agent: false, source };
    let arguments = ["--status-fd=2", "--batch", "--no-tty", "-bsau", key].map(OsStr::new);
    let mut output = program::run(PROGRAM, &arguments, commit, DEADLINE).map_err(failed)?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let (status, complaints): (Vec<_>, Vec<_>) = said.lines().partition(|line| line.starts_with("[GNUPG:] "));
    output.stderr = complaints.join("\n").into_bytes();
    let armor = String::from_utf8(output.of_success(PROGRAM).map_err(failed)?.stdout).unwrap_or_default();
    let is_made = status.iter().any(|line| line.starts_with("[GNUPG:] SIG_CREATED D "));
    if is_made && armor.starts_with("-----BEGIN PGP SIGNATURE-----\n") {
        Ok(armor)
    } else {
        Err(SignError::NoSignature { signer })
    }
}
