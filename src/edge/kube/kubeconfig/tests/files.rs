//! Kubeconfigs in files.

use std::{fs, path::PathBuf};

use insta::assert_snapshot;
use tempfile::TempDir;

use crate::edge::kube::kubeconfig::{
    Allowed, from_files,
    tests::{EVERYTHING, kubeconfig, material::CERTIFICATE, outcome, run},
};

fn folder_with(files: &[(&str, &[u8])]) -> (TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().expect("a folder");
    let paths = files.iter().map(|(name, content)| {
        let path = folder.path().join(name);
        fs::write(&path, content).expect("a file");
        path
    });
    let paths = paths.collect();
    (folder, paths)
}

fn come_of(folder: &TempDir, paths: &[PathBuf], allowed: Allowed) -> String {
    let text = outcome(run(from_files(paths, None, allowed)));
    text.replace(&folder.path().display().to_string(), "FOLDER")
}

#[test]
fn the_first_file_that_has_an_entry_wins_and_missing_files_are_passed_over() {
    let first = kubeconfig("server: 'https://first.example.org'", "token: abc");
    let second = kubeconfig("server: 'https://second.example.org', insecure-skip-tls-verify: true", "");
    let (folder, mut paths) = folder_with(&[("first", first.as_bytes()), ("second", second.as_bytes())]);
    paths.insert(0, folder.path().join("missing"));
    assert_snapshot!(come_of(&folder, &paths, Allowed::default()), @r#"Connection { server: "https://first.example.org:443", login: Token, .. }"#);
    assert_snapshot!(come_of(&folder, &paths[..1], Allowed::default()), @r#"
    there is no kubeconfig at `FOLDER/missing`
      hint: set KUBECONFIG to a file that exists
    "#);
    assert_snapshot!(come_of(&folder, &[], Allowed::default()), @r#"
    there is no kubeconfig at any place
      hint: set KUBECONFIG to a file that exists
    "#);
}

#[test]
fn a_file_that_is_of_no_use_is_named() {
    let large = vec![b'#'; (1 << 20) + 1];
    let files: [(&str, &[u8]); 4] = [("large", &large), ("latin", b"a: \xe4\n"), ("broken", b"a: [\n"), ("empty", b"")];
    let (folder, paths) = folder_with(&files);
    let mut lines: Vec<_> = paths.iter().map(|path| come_of(&folder, std::slice::from_ref(path), EVERYTHING)).collect();
    lines.push(come_of(&folder, &[folder.path().to_owned()], EVERYTHING));
    // Endless, but not for this.
    lines.push(come_of(&folder, &["/dev/zero".into()], EVERYTHING));
    assert_snapshot!(lines.join("\n"), @r#"
    cannot use the kubeconfig `FOLDER/large`: the kubeconfig is larger than 1048576 bytes
    cannot use the kubeconfig `FOLDER/latin`: the kubeconfig is not UTF-8 text
      hint: save it as UTF-8
    cannot use the kubeconfig `FOLDER/broken`: what stands at line 1, column 4 is not what a kubeconfig has there
      hint: compare it with what `kubectl config view` makes of it
    cannot use the kubeconfig `FOLDER/empty`: the kubeconfig is empty
      hint: a kubeconfig is what `kubectl config view --raw --minify --flatten` prints
    cannot use the kubeconfig `FOLDER`: it cannot be read: Is a directory (os error 21)
    cannot use the kubeconfig `/dev/zero`: the kubeconfig is larger than 1048576 bytes
    "#);
}

#[test]
fn paths_start_at_the_folder_of_their_file_and_are_read_only_when_allowed() {
    let text = kubeconfig("server: 'https://api.example.org', certificate-authority: ca.crt", "tokenFile: token");
    let (folder, paths) = folder_with(&[("config", text.as_bytes())]);
    assert_snapshot!(come_of(&folder, &paths, Allowed::default()), @r#"
    the kubeconfig is refused: the user `admin` of context `edge` reads a file (`tokenFile`); the cluster `one` of context `edge` reads a file (`certificate-authority`)
      hint: if you trust it: --allow-kubeconfig files
    "#);
    assert_snapshot!(come_of(&folder, &paths, EVERYTHING), @r#"
    cannot read the file that `certificate-authority` of the cluster `one` names: No such file or directory (os error 2)
      hint: `kubectl config view --raw --flatten` puts the files into the kubeconfig
    "#);
    let authority = folder.path().join("ca.crt");
    fs::write(&authority, "not a certificate").expect("a file");
    assert_snapshot!(come_of(&folder, &paths, EVERYTHING), @r#"
    `certificate-authority-data` of the cluster `one` has no certificate in it
      hint: `kubectl config view --raw` shows what is there
    "#);
    fs::write(authority, decoded(CERTIFICATE)).expect("a file");
    assert_snapshot!(come_of(&folder, &paths, EVERYTHING), @r#"Connection { server: "https://api.example.org:443", login: Token, .. }"#);
}

/// From Base64.
fn decoded(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits: Vec<u32> = text
        .bytes()
        .filter_map(|byte| DIGITS.iter().position(|digit| *digit == byte))
        .map(|digit| u32::try_from(digit).expect("below 64"))
        .collect();
    let bytes = digits.chunks(4).flat_map(|four| {
        let bits = four.iter().enumerate().fold(0, |bits, (index, digit)| bits | digit << (18 - 6 * index));
        bits.to_be_bytes()[1..four.len()].to_vec()
    });
    bytes.collect()
}
