//! Commits that are signed, and who signed them: with the real `git`, `ssh-keygen`, `ssh-agent` and `gpg`.
#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "the tests run programs and make key files")]

use std::{
    env, fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::LazyLock,
    thread,
    time::{Duration, Instant},
};

use bobbypin::{
    edge::git::{GitError, NewCommit, PublishError, Repository, Signed, Signer, TrustError, check, signed_commit},
    model::{
        repository::{Signing, TrustedSigners},
        tree::CommitId,
    },
};
use proptest::prelude::*;
use ssh_key::{HashAlg, LineEnding, PrivateKey, private::Ed25519Keypair};
use tempfile::TempDir;

use crate::support::git::{LATER, TestRepository, author, change};

/// What a child process finds its home by.
const HOME: &str = "BOBBYPIN_TEST_HOME";

/// A home with an SSH agent, an SSH key and GnuPG, which the environment of this process names.
struct Home {
    path: PathBuf,
}

/// Runs a test in a process of its own, because the programs find agents and keyrings by the environment.
fn at_home(test: &str, body: impl FnOnce(&Home)) {
    if let Some(path) = env::var_os(HOME) {
        return body(&Home { path: path.into() });
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let home = folder.path();
    let (gnupg, socket) = (home.join("gnupg"), home.join("agent"));
    fs::create_dir(&gnupg).expect("a folder can be made");
    fs::set_permissions(&gnupg, fs::Permissions::from_mode(0o700)).expect("a mode can be set");
    let _agent = Agent::start(&socket, &gnupg);
    let output = Command::new(env::current_exe().expect("a program that runs"))
        .args(["--exact", &format!("git_signed::{test}"), "--nocapture"])
        .env_clear()
        .envs([("PATH", env::var_os("PATH").unwrap_or_default())])
        .envs([(HOME, home), ("HOME", home), ("GNUPGHOME", &gnupg), ("SSH_AUTH_SOCK", &socket)])
        .envs([
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("INSTA_WORKSPACE_ROOT", env!("CARGO_MANIFEST_DIR")),
            ("INSTA_UPDATE", "no"),
        ])
        .output()
        .expect("the program runs again");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

/// Programs that would outlive the test.
struct Agent {
    child: Child,
    gnupg: PathBuf,
}

impl Agent {
    fn start(socket: &Path, gnupg: &Path) -> Self {
        let child = Command::new("ssh-agent").arg("-D").arg("-a").arg(socket).stdout(Stdio::null()).spawn();
        let agent = Self { child: child.expect("ssh-agent is installed"), gnupg: gnupg.to_owned() };
        let deadline = Instant::now() + Duration::from_secs(30);
        while !socket.exists() {
            assert!(Instant::now() < deadline, "ssh-agent does not listen");
            thread::yield_now();
        }
        agent
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        let ended = Command::new("gpgconf").env("GNUPGHOME", &self.gnupg).args(["--kill", "all"]).status();
        assert!(ended.expect("gpgconf is installed").success() || thread::panicking());
    }
}

/// Runs a program and gives what it prints.
fn run(program: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child = Command::new(program)
        .args(arguments)
        .envs([
            ("GIT_AUTHOR_NAME", "Ann"),
            ("GIT_AUTHOR_EMAIL", "ann@example.org"),
            ("GIT_AUTHOR_DATE", "1700000000 +0000"),
            ("GIT_COMMITTER_NAME", "Ann"),
            ("GIT_COMMITTER_EMAIL", "ann@example.org"),
            ("GIT_COMMITTER_DATE", "1700000000 +0000"),
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program is installed");
    child.stdin.take().expect("a pipe").write_all(input).expect("the program reads its input");
    let output = child.wait_with_output().expect("the program ends");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {complaint}");
    output.stdout
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path that is text")
}

impl Home {
    /// A new SSH key, as the path of its file.
    fn ssh_key(&self, name: &str, kind: &str, passphrase: &str) -> PathBuf {
        let path = self.path.join(name);
        run("ssh-keygen", &["-q", "-t", kind, "-N", passphrase, "-C", "", "-f", text(&path)], b"");
        path
    }

    /// A new SSH key that only the agent has, as its public key.
    fn agent_key(&self) -> String {
        let path = self.ssh_key("for-the-agent", "ed25519", "");
        run("ssh-add", &["-q", text(&path)], b"");
        fs::remove_file(&path).expect("a key file");
        public_key(&path)
    }

    /// A new key of GnuPG, as its fingerprint.
    fn gpg_key(&self, name: &str, options: &[&str], expires: &str) -> String {
        let who = format!("{name} <{name}@example.org>");
        let make = ["--batch", "-q", "--passphrase", "", "--quick-generate-key", &who, "ed25519", "sign", expires];
        run("gpg", &[options, &make].concat(), b"");
        let listed = run("gpg", &["--batch", "--with-colons", "-K", &who], b"");
        let listed = String::from_utf8(listed).expect("plain text");
        let line = listed.lines().find_map(|line| line.strip_prefix("fpr:::::::::"));
        line.expect("a fingerprint").trim_end_matches(':').to_owned()
    }

    fn signer(&self, signing: &Signing) -> Signer {
        Signer::load(signing, &self.path).expect("a key that is in order")
    }
}

/// Kind and key.
fn public_key(private: &Path) -> String {
    fs::read_to_string(private.with_extension("pub")).expect("a public key").trim_end().to_owned()
}

fn fingerprint(public_key: &str) -> String {
    let key = ssh_key::PublicKey::from_openssh(public_key).expect("a public key");
    format!("SSH key {}", key.fingerprint(HashAlg::Sha256))
}

fn ssh_only(keys: &[&str]) -> TrustedSigners {
    TrustedSigners { ssh: keys.iter().map(|key| (*key).to_owned()).collect(), gpg: Vec::new() }
}

fn gpg_only(keys: &[&str]) -> TrustedSigners {
    TrustedSigners { ssh: Vec::new(), gpg: keys.iter().map(|key| (*key).to_owned()).collect() }
}

/// What an error says, with its causes and its hint.
fn chain(error: &dyn std::error::Error, hint: Option<String>) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        said += &format!(": {cause}");
        next = cause.source();
    }
    said + &hint.map_or_else(String::new, |hint| format!("\nhint: {hint}"))
}

fn refusal(what: &str, result: Result<Signed, TrustError>) -> String {
    let error = result.expect_err(what);
    chain(&error, error.hint())
}

#[test]
fn a_commit_signed_in_each_way_is_good_for_git_and_is_known_again() {
    at_home("a_commit_signed_in_each_way_is_good_for_git_and_is_known_again", |home| {
        let file = home.ssh_key("key", "ed25519", "");
        let (in_file, in_agent) = (public_key(&file), home.agent_key());
        let in_gpg = home.gpg_key("ann", &[], "never");
        let signers = home.path.join("signers");
        fs::write(&signers, format!("ann {in_file}\nann {in_agent}\n")).expect("a file can be written");
        let ways = [
            (Signing::SshKeyFile("key".to_owned()), ssh_only(&[&in_agent, &in_file]), fingerprint(&in_file)),
            (Signing::SshAgent(in_agent.clone()), ssh_only(&[&in_agent]), fingerprint(&in_agent)),
            (Signing::Gpg("ann@example.org".to_owned()), gpg_only(&[&in_gpg]), format!("OpenPGP key {in_gpg}")),
        ];
        for (signing, trusted, by) in ways {
            let repository = TestRepository::bare();
            let base = repository.commit(&[("a", Some("1"))]);
            let (open, author, signer) = (repository.open(), author(), home.signer(&signing));
            let files = [change("a", Some("1"), Some("2"))];
            let request = NewCommit {
                branch: "main",
                base: Some(&base),
                files: &files,
                message: "edge: 1 host added\n\nMore.\n",
                author: &author,
                at: LATER,
                signer: Some(&signer),
            };
            let prepared = open.prepare(request).expect("a lawful change");
            let published = open.publish(&prepared).expect("a free branch");
            assert_eq!(published.commit, repository.tip());
            repository.expect_sound();
            let allowed = format!("gpg.ssh.allowedSignersFile={}", text(&signers));
            run("git", &["-C", text(&repository.path), "-c", &allowed, "verify-commit", "main"], b"");
            let signed = open.base_signature(&published.commit, &trusted).expect("a commit of ours");
            assert_eq!(signed.by, by);
            let error = open.base_signature(&base, &trusted).expect_err("a commit of Git's");
            let hint = "sign it, or let somebody who is trusted put a signed commit on top of it";
            assert_eq!(
                chain(&error, error.hint()),
                format!("the commit {} cannot be built upon: it is not signed\nhint: {hint}", base.short())
            );
        }
    });
}

/// The bytes of a commit that `git` makes with these settings.
fn commit_of_git(repository: &TestRepository, settings: &[&str], sign: Option<&str>) -> Vec<u8> {
    let path = text(&repository.path);
    let tree = repository.git(&["write-tree"]);
    let settings: Vec<_> = settings.iter().flat_map(|setting| ["-c", setting]).collect();
    let make = [&["-C", path][..], &settings, &["commit-tree", &tree, "-m", "subject"], sign.as_slice()].concat();
    let id = String::from_utf8(run("git", &make, b"")).expect("an id");
    run("git", &["-C", path, "cat-file", "commit", id.trim_end()], b"")
}

#[test]
fn a_commit_that_git_signed_is_known_and_ours_has_the_same_bytes() {
    at_home("a_commit_that_git_signed_is_known_and_ours_has_the_same_bytes", |home| {
        let file = home.ssh_key("key", "ed25519", "");
        let (in_file, in_agent, in_gpg) = (public_key(&file), home.agent_key(), home.gpg_key("ann", &[], "never"));
        let repository = TestRepository::bare();
        let unsigned = commit_of_git(&repository, &[], None);
        let by_file = commit_of_git(&repository, &["gpg.format=ssh"], Some(&format!("-S{}", text(&file))));
        let by_agent = commit_of_git(&repository, &["gpg.format=ssh"], Some(&format!("-Skey::{in_agent}")));
        let by_gpg = commit_of_git(&repository, &[], Some(&format!("-S{in_gpg}")));
        let trusted = TrustedSigners { ssh: vec![in_file.clone(), in_agent.clone()], gpg: vec![in_gpg.clone()] };
        let by = [&by_file, &by_agent, &by_gpg].map(|commit| check(commit, &trusted).expect("a good signature").by);
        assert_eq!(by, [fingerprint(&in_file), fingerprint(&in_agent), format!("OpenPGP key {in_gpg}")]);
        // The signatures of such keys are the same every time.
        for (signing, theirs) in
            [(Signing::SshKeyFile(text(&file).to_owned()), by_file), (Signing::SshAgent(in_agent), by_agent)]
        {
            let signature = home.signer(&signing).sign(&unsigned).expect("a key that signs");
            assert_eq!(signed_commit(&unsigned, &signature), theirs);
        }
    });
}

#[test]
fn gnupg_is_believed_only_about_trusted_keys_that_are_good() {
    at_home("gnupg_is_believed_only_about_trusted_keys_that_are_good", |home| {
        const LONG_AGO: &[&str] = &["--faked-system-time", "20200101T000000"];
        let (ann, ben) = (home.gpg_key("ann", LONG_AGO, "never"), home.gpg_key("ben", &[], "never"));
        let old = home.gpg_key("old", LONG_AGO, "1d");
        let gone = home.gpg_key("gone", &[], "never");
        let revoked = home.gpg_key("revoked", &[], "never");
        let unsigned = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\nauthor A <a@example.org> 1 +0000\n\
            committer A <a@example.org> 1 +0000\n\nsubject\n";
        let sign = |options: &[&str]| {
            let armor = run("gpg", &[&["--batch", "-q", "-a", "-o", "-"], options].concat(), unsigned);
            let armor = String::from_utf8(armor).expect("plain text").replace("PGP MESSAGE", "PGP SIGNATURE");
            signed_commit(unsigned, &armor)
        };
        let good = sign(&["-b", "-u", &ann]);
        let commits = [
            (
                "altered",
                String::from_utf8(good.clone()).expect("plain text").replace("subject", "Subject").into_bytes(),
            ),
            ("by somebody else", sign(&["-b", "-u", &ben])),
            ("by a key that has expired", sign(&[LONG_AGO, &["-b", "-u", &old]].concat())),
            ("expired itself", sign(&[LONG_AGO, &["-b", "-u", &ann, "--default-sig-expire", "1d"]].concat())),
            ("by a key that was revoked", sign(&["-b", "-u", &revoked])),
            ("by a key that is not there", sign(&["-b", "-u", &gone])),
            ("by two keys", sign(&["-b", "-u", &ann, "-u", &ben])),
            ("over text instead of bytes", sign(&["-b", "-t", "-u", &ann])),
            ("over a weak hash", sign(&["-b", "--digest-algo", "SHA1", "-u", &ann])),
            ("with a text of its own", sign(&["-s", "-u", &ann])),
            (
                "no signature at all",
                signed_commit(unsigned, "-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----\n"),
            ),
        ];
        let certificate = home.path.join(format!("gnupg/openpgp-revocs.d/{revoked}.rev"));
        let certificate = fs::read_to_string(certificate).expect("a certificate").replace(":-----BEGIN", "-----BEGIN");
        run("gpg", &["--batch", "-q", "--import"], certificate.as_bytes());
        run("gpg", &["--batch", "-q", "--yes", "--delete-secret-and-public-key", &gone], b"");

        let trusted = gpg_only(&[&ann, &old, &revoked, &gone]);
        assert_eq!(check(&good, &trusted).expect("a good signature").by, format!("OpenPGP key {ann}"));
        let mut said = String::new();
        for (what, commit) in commits {
            let refused = refusal(what, check(&commit, &trusted));
            said += &format!("{what}: {}\n", refused.lines().next().unwrap_or_default());
        }
        for (name, key) in [("BEN", &ben), ("OLD", &old), ("GONE", &gone), ("REVOKED", &revoked)] {
            said = said.replace(key.as_str(), name).replace(&key[24..], name);
        }
        insta::assert_snapshot!(said, @"
        altered: its signature is bad: the commit is not what was signed
        by somebody else: it is signed by OpenPGP key BEN, which is not trusted
        by a key that has expired: its signature is bad: the OpenPGP key OLD has expired
        expired itself: its signature is bad: it has expired
        by a key that was revoked: its signature is bad: the OpenPGP key REVOKED was revoked
        by a key that is not there: it is signed by the OpenPGP key GONE, which GnuPG does not have
        by two keys: its signature is not well-formed: it is more than one signature
        over text instead of bytes: its signature is bad: it is not over the exact bytes of the commit
        over a weak hash: its signature is bad: it is over a hash that is too weak
        with a text of its own: its signature is not well-formed: GnuPG finds no signature in it
        no signature at all: its signature is not well-formed: GnuPG finds no signature in it
        ");
        let none = ssh_only(&["ssh-ed25519 AAAA"]);
        insta::assert_snapshot!(refusal("no key", check(&good, &none)), @"
        it is signed by an OpenPGP key, which is not trusted
        hint: if this key is to be trusted, add it to `spec.publish.trustedBase`; otherwise see who wrote the commit
        ");
    });
}

#[test]
fn a_program_that_does_not_sign_leaves_everything_as_it_was() {
    at_home("a_program_that_does_not_sign_leaves_everything_as_it_was", |home| {
        let stranger = public_key(&home.ssh_key("elsewhere", "ed25519", ""));
        // GnuPG says once that it makes its files.
        run("gpg", &["--batch", "-q", "-k"], b"");
        let repository = TestRepository::bare();
        let base = repository.commit(&[("a", Some("1"))]);
        let before = repository.listing();
        let mut said = String::new();
        for signing in [Signing::SshAgent(stranger.clone()), Signing::Gpg("nobody@example.org".to_owned())] {
            let (author, signer) = (author(), home.signer(&signing));
            let files = [change("a", Some("1"), Some("2"))];
            let request = NewCommit {
                branch: "main",
                base: Some(&base),
                files: &files,
                message: "m",
                author: &author,
                at: LATER,
                signer: Some(&signer),
            };
            let error = repository.open().prepare(request).expect_err("a signer without a key");
            assert!(matches!(error, PublishError::Sign(_)), "{error:?}");
            said += &format!("{}\n", chain(&error, error.hint()));
        }
        assert_eq!(repository.listing(), before);
        let key = fingerprint(&stranger).replace("SSH key ", "");
        insta::assert_snapshot!(said.replace(&key, "KEY"), @r#"
        cannot sign the commit: the SSH agent with the key KEY did not sign the commit: `ssh-keygen` failed (exit status: 255): No private key found for public key of the settings
        hint: SSH_AUTH_SOCK must name a running agent, and `ssh-add -L` must list the key
        cannot sign the commit: GnuPG with the key `nobody@example.org` did not sign the commit: `gpg` failed (exit status: 2): gpg: skipped "nobody@example.org": No secret key; gpg: signing failed: No secret key
        hint: `gpg --list-secret-keys` must list the key, and it must sign without asking for a passphrase
        "#);
    });
}

#[test]
fn a_key_file_that_cannot_be_used_says_what_is_wrong_with_it() {
    at_home("a_key_file_that_cannot_be_used_says_what_is_wrong_with_it", |home| {
        for (name, kind, passphrase) in
            [("good", "ed25519", ""), ("open", "ed25519", ""), ("locked", "ed25519", "horse"), ("other", "ecdsa", "")]
        {
            home.ssh_key(name, kind, passphrase);
        }
        let mode = |name: &str, mode| fs::set_permissions(home.path.join(name), fs::Permissions::from_mode(mode));
        mode("open", 0o640).expect("a mode can be set");
        let text = fs::read_to_string(home.path.join("good")).expect("a key");
        for (name, text) in [
            ("empty", String::new()),
            ("cut", text[..200].to_owned()),
            ("pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n".to_owned()),
            ("public", public_key(&home.path.join("good"))),
        ] {
            fs::write(home.path.join(name), text).expect("a file can be written");
            mode(name, 0o600).expect("a mode can be set");
        }
        let [one, two] = [1, 2].map(|seed| Ed25519Keypair::from_seed(&[seed; 32]));
        let mixed = PrivateKey::from(Ed25519Keypair { public: one.public, private: two.private });
        mixed.write_openssh_file(&home.path.join("mixed"), LineEnding::LF).expect("a file can be written");
        let mut said = String::new();
        for name in ["missing", "open", "locked", "other", "empty", "cut", "pem", "public", "mixed"] {
            let error = Signer::load(&Signing::SshKeyFile(name.to_owned()), &home.path).expect_err(name);
            said += &format!("{}\n", chain(&error, error.hint()));
        }
        let error = Signer::load(&Signing::SshAgent("ssh-ed25519 AAAA".to_owned()), &home.path).expect_err("no key");
        said += &chain(&error, error.hint());
        let folder = home.path.to_str().expect("a path that is text");
        insta::assert_snapshot!(said.replace(folder, "/home"), @"
        cannot read the signing key `/home/missing`: No such file or directory (os error 2)
        the signing key `/home/open` is open to other users (mode 0640)
        hint: chmod 600 '/home/open'; for a Secret in a pod: `defaultMode: 0400`
        the signing key `/home/locked` has a passphrase
        hint: load it into an agent with `ssh-add '/home/locked'`, and set `spec.publish.signing.ssh.agent` to its public key
        `/home/other` is not an OpenSSH private key of the kind ed25519: it is damaged, or of another kind
        hint: make one with `ssh-keygen -t ed25519 -N '' -f FILE`
        `/home/empty` is not an OpenSSH private key of the kind ed25519: it is empty
        hint: make one with `ssh-keygen -t ed25519 -N '' -f FILE`
        `/home/cut` is not an OpenSSH private key of the kind ed25519: it is damaged, or of another kind
        hint: make one with `ssh-keygen -t ed25519 -N '' -f FILE`
        `/home/pem` is not an OpenSSH private key of the kind ed25519: it is in another format
        hint: make one with `ssh-keygen -t ed25519 -N '' -f FILE`
        `/home/public` is not an OpenSSH private key of the kind ed25519: it is the public key
        hint: make one with `ssh-keygen -t ed25519 -N '' -f FILE`
        `/home/mixed` is not an OpenSSH private key of the kind ed25519: it is damaged, or of another kind
        hint: make one with `ssh-keygen -t ed25519 -N '' -f FILE`
        `ssh-ed25519 AAAA` is not an SSH public key
        hint: `ssh-add -L` prints the keys of the agent: `ssh-ed25519 AAAA…`
        ");

        let key = fingerprint(&public_key(&home.path.join("good")));
        let shown = format!("{:?}", home.signer(&Signing::SshKeyFile("good".to_owned())));
        assert_eq!(shown, format!("Signer(SshKeyFile {})", key.replace("SSH key ", "")));
    });
}

/// A key that is the same every time, with a signer that has it.
struct Keyed {
    key: PrivateKey,
    signer: Signer,
    trusted: TrustedSigners,
    _folder: TempDir,
}

impl Keyed {
    fn of(seed: u8) -> Self {
        let key = PrivateKey::from(Ed25519Keypair::from_seed(&[seed; 32]));
        let folder = tempfile::tempdir().expect("a temporary folder");
        key.write_openssh_file(&folder.path().join("key"), LineEnding::LF).expect("a file can be written");
        let signer = Signer::load(&Signing::SshKeyFile("key".to_owned()), folder.path()).expect("a key in order");
        let public = key.public_key().to_openssh().expect("a public key");
        Self { key, signer, trusted: ssh_only(&[&public]), _folder: folder }
    }

    fn signed(&self, commit: &[u8]) -> Vec<u8> {
        signed_commit(commit, &self.signer.sign(commit).expect("a key that signs"))
    }
}

const COMMIT: &str = "tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\
    parent 0123456789012345678901234567890123456789\n\
    author Ann <ann@example.org> 1700000000 +0000\n\
    committer Ann <ann@example.org> 1700000000 +0000\n\
    encoding UTF-8\n\nsubject\n\nbody\n";

#[test]
fn a_signature_that_is_not_plainly_over_the_whole_commit_is_refused() {
    let keyed = Keyed::of(1);
    let good = String::from_utf8(keyed.signed(COMMIT.as_bytes())).expect("plain text");
    let start = good.find("gpgsig ").expect("a signature");
    let end = good.find("\n\n").expect("headers") + 1;
    let header = &good[start..end];
    let author = good.find("author ").expect("an author");
    let armor = keyed.signer.sign(COMMIT.as_bytes()).expect("a key that signs");
    let with = |armor: &str| String::from_utf8(signed_commit(COMMIT.as_bytes(), armor)).expect("plain text");
    let other = |namespace: &str, payload: &str| {
        let signature = keyed.key.sign(namespace, HashAlg::Sha512, payload.as_bytes()).expect("a key that signs");
        signature.to_pem(LineEnding::LF).expect("an armor")
    };
    let tag = "object 0123456789012345678901234567890123456789\ntype commit\ntag v1\ntagger A <a@b> 1 +0000\n\nv1\n";
    let of_tag = String::from_utf8(signed_commit(tag.as_bytes(), &other("git", tag))).expect("plain text");
    let hidden = COMMIT.replace("parent 0", "parent 1");
    let table = [
        ("no signature", COMMIT.to_owned()),
        ("twice", good.replace(header, &header.repeat(2))),
        ("before the author", format!("{}{header}{}{}", &good[..author], &good[author..start], &good[end..])),
        ("a header of an unknown kind", good.replace("encoding", "gpgsig-x y\nencoding")),
        ("the other form twice", good.replace("encoding", "gpgsig-sha256 y\ngpgsig-sha256 z\nencoding")),
        ("NUL", good.replace("body", "bo\0dy")),
        ("a parent late", good.replace("encoding", "parent 0123\nencoding")),
        ("an author late", good.replace("encoding", "author A <a@b> 1 +0000\nencoding")),
        ("a header early", good.replace("author", "x y\nauthor")),
        ("no committer", good.replace("committer ", "commiter ")),
        ("a line without a key", good.replace("encoding UTF-8", "encoding")),
        ("a header that goes on early", good.replace("author", " x\nauthor")),
        ("no end", good[..end].to_owned()),
        ("nothing", String::new()),
        ("a tag", of_tag),
        ("of another commit", with(&other("git", &hidden))),
        ("for something else", with(&other("file", COMMIT))),
        ("two in one", with(&armor.repeat(2))),
        ("something before", with(&format!("x\n{armor}"))),
        ("something after", with(&format!("{armor}x\n"))),
        ("other line ends", good.replace("\n ", "\r\n ")),
        ("no text", good.replace("U1NIU0lH", "U1NIU0l\u{e4}")),
        ("an uneven line", with(&armor.replacen("U1NI", "U1NI\n", 1))),
        ("an empty line", with(&armor.replace("\n-----END", "\n\n-----END"))),
        ("longer", with(&armor.replace("\n-----END", "AAAA\n-----END"))),
        ("not of SSH", with("-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n")),
        ("empty", with("-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----\n")),
        ("of another standard", with("-----BEGIN SIGNED MESSAGE-----\nAAAA\n-----END SIGNED MESSAGE-----\n")),
    ];
    check(good.as_bytes(), &keyed.trusted).expect("a good signature");
    let mut said = String::new();
    for (what, commit) in &table {
        let refused = refusal(what, check(commit.as_bytes(), &keyed.trusted));
        said += &format!("{what}: {}\n", refused.lines().next().unwrap_or_default());
    }
    insta::assert_snapshot!(said, @"
    no signature: it is not signed
    twice: its signature is not well-formed: the commit has two signatures
    before the author: its signature is not well-formed: the headers of the commit are not in order
    a header of an unknown kind: its signature is not well-formed: the commit has a signature of an unknown kind
    the other form twice: its signature is not well-formed: the commit has two signatures
    NUL: its signature is not well-formed: the commit has a NUL character
    a parent late: its signature is not well-formed: the headers of the commit are not in order
    an author late: its signature is not well-formed: the headers of the commit are not in order
    a header early: its signature is not well-formed: the headers of the commit are not in order
    no committer: its signature is not well-formed: the headers of the commit are not in order
    a line without a key: its signature is not well-formed: a header of the commit is broken
    a header that goes on early: its signature is not well-formed: a header of the commit is broken
    no end: its signature is not well-formed: the headers of the commit do not end
    nothing: its signature is not well-formed: the headers of the commit do not end
    a tag: its signature is not well-formed: the headers of the commit are not in order
    of another commit: its signature is bad: the commit is not what was signed
    for something else: its signature is bad: it was made for something else than Git
    two in one: its signature is not well-formed: it is more than one signature
    something before: its signature is not well-formed: it is neither an SSH nor an OpenPGP signature, or has something around it
    something after: its signature is not well-formed: it is neither an SSH nor an OpenPGP signature, or has something around it
    other line ends: its signature is not well-formed: it is not plain text
    no text: its signature is not well-formed: it is not plain text
    an uneven line: its signature is not well-formed: its lines are not of one length
    an empty line: its signature is not well-formed: its lines are not of one length
    longer: its signature is not well-formed: it is not an SSH signature
    not of SSH: its signature is not well-formed: it is not an SSH signature
    empty: its signature is not well-formed: it is neither an SSH nor an OpenPGP signature, or has something around it
    of another standard: its signature is not well-formed: it is neither an SSH nor an OpenPGP signature, or has something around it
    ");
    insta::assert_snapshot!(refusal("another key", check(good.as_bytes(), &Keyed::of(2).trusted)), @"
    it is signed by SSH key SHA256:fe85JkIjo8VPe+XqXJGH5Mau1EMFdK1OdKvJUFicyA8, which is not trusted
    hint: if this key is to be trusted, add it to `spec.publish.trustedBase`; otherwise see who wrote the commit
    ");
}

#[test]
fn what_is_the_same_signature_in_another_form_is_good_as_well() {
    let keyed = Keyed::of(1);
    let sign = |hash| {
        let signature = keyed.key.sign("git", hash, COMMIT.as_bytes()).expect("a key that signs");
        signature.to_pem(LineEnding::LF).expect("an armor")
    };
    let armor = sign(HashAlg::Sha512);
    let body: String = armor.lines().filter(|line| !line.starts_with("---")).collect();
    let rewrapped: String = body.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line) + "\n").collect();
    let rewrapped = format!("-----BEGIN SSH SIGNATURE-----\n{rewrapped}-----END SSH SIGNATURE-----\n");
    let both = String::from_utf8(keyed.signed(COMMIT.as_bytes())).expect("plain text");
    let both = both.replace("gpgsig ", "gpgsig-sha256 -----BEGIN\n of the other form\ngpgsig ");
    for commit in [
        signed_commit(COMMIT.as_bytes(), &sign(HashAlg::Sha256)),
        signed_commit(COMMIT.as_bytes(), &rewrapped),
        // As GitHub writes it.
        signed_commit(COMMIT.as_bytes(), &format!("{armor}\n")),
        both.into_bytes(),
        keyed.signed(b"tree 0\nauthor A <> 1 +0000\ncommitter A <> 1 +0000\nmergetag object 1\n type commit\n\n\xff\n"),
    ] {
        check(&commit, &keyed.trusted).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&commit)));
    }
}

#[test]
fn every_byte_of_a_signed_commit_counts() {
    let (keyed, good) = &*SIGNED;
    for at in 0..good.len() {
        let mut flipped = good.clone();
        // A line break becomes a letter, a space NUL, a letter one of the other case.
        flipped[at] ^= if good[at] == b'\n' { 0x40 } else { 0x20 };
        assert!(check(&flipped, &keyed.trusted).is_err(), "byte {at}");
    }
}

/// [`COMMIT`], signed.
static SIGNED: LazyLock<(Keyed, Vec<u8>)> = LazyLock::new(|| {
    let keyed = Keyed::of(1);
    let signed = keyed.signed(COMMIT.as_bytes());
    (keyed, signed)
});

/// The commit without its signature, found in the plainest way.
fn without_signature(commit: &[u8]) -> Vec<u8> {
    let text: String = commit.iter().map(|byte| char::from(*byte)).collect();
    let (headers, message) = text.split_once("\n\n").unwrap_or((&text, ""));
    let (before, signature) = headers.split_once("\ngpgsig ").unwrap_or((headers, ""));
    let after: Vec<_> = signature.split('\n').skip(1).filter(|line| !line.starts_with(' ')).collect();
    let lines = [&[before][..], &after].concat().join("\n");
    format!("{lines}\n\n{message}").chars().map(|c| u8::try_from(c).expect("it was a byte")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_signed_commit_that_was_altered_never_passes_for_another_commit(
        at in 0..700_usize,
        removed in 0..40_usize,
        added in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..8),
            "(\n| |gpgsig |x y\n|parent 0\n|-----|=|A){0,4}".prop_map(String::into_bytes),
        ],
    ) {
        let (keyed, good) = &*SIGNED;
        let (at, mut altered) = (at.min(good.len()), good.clone());
        altered.splice(at..(at + removed).min(good.len()), added);
        if check(&altered, &keyed.trusted).is_ok() {
            let (altered, payload) = (String::from_utf8_lossy(&altered), without_signature(&altered));
            prop_assert_eq!(String::from_utf8_lossy(&payload), COMMIT, "{}", altered);
        }
    }

    #[test]
    fn no_bytes_make_the_check_fall_over(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let commit = [b"tree 0\nauthor A\ncommitter A\ngpgsig ", &bytes[..], b"\n\nm"].concat();
        let trusted = &SIGNED.0.trusted;
        prop_assert!(check(&commit, trusted).is_err());
        prop_assert!(check(&bytes, trusted).is_err());
    }
}

proptest! {
    // Making keys and signatures takes its time without optimization.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn a_signature_is_good_for_one_commit_only(message in "[a-z \n]{1,40}", other in "[a-z \n]{1,40}", seed in 1..4_u8) {
        let commit = |message: &str| COMMIT.replace("subject\n", message).into_bytes();
        let (keyed, commit, other) = (Keyed::of(seed), commit(&message), commit(&other));
        let signature = keyed.signer.sign(&commit).expect("a key that signs");
        check(&signed_commit(&commit, &signature), &keyed.trusted).expect("a good signature");
        let moved = check(&signed_commit(&other, &signature), &keyed.trusted);
        prop_assert_eq!(moved.is_ok(), commit == other);
        let stranger = check(&signed_commit(&commit, &signature), &Keyed::of(9).trusted);
        let is_unknown = matches!(stranger, Err(TrustError::UnknownSigner { .. }));
        prop_assert!(is_unknown);
    }
}

#[test]
fn what_is_not_a_commit_is_never_built_upon() {
    let keyed = Keyed::of(1);
    let repository = TestRepository::bare();
    let signed = keyed.signed(COMMIT.as_bytes());
    let id = repository.git_with(&["hash-object", "-w", "--stdin"], &signed);
    let blob = CommitId::parse(&id).expect("git prints an id");
    let open = Repository::open(&repository.path).expect("a repository that opens");
    let error = open.base_signature(&blob, &keyed.trusted).expect_err("a file");
    assert!(matches!(error, GitError::Untrusted { source: TrustError::Malformed { .. }, .. }), "{error:?}");
}
