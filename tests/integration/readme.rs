//! The README is true: what it shows is what the program prints, and what it names is there.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this test reads the project and runs commands"
)]

use std::{
    env, fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};

use tempfile::TempDir;

use crate::docs::{fences, pages, project};

/// What `kubectl` is in these tests: the recorded objects, and from the second time on one Ingress more.
const KUBECTL: &str = r#"#!/bin/sh
case $* in
*configmap*) cat "$EXAMPLES/dns.yaml" ;;
*)
    if [ -e "$HOME/again" ]; then cat "$EXAMPLES/objects-later.yaml"; else cat "$EXAMPLES/objects.yaml"; fi
    touch "$HOME/again"
    ;;
esac
"#;

/// A home with the program, `kubectl` and a name for commits.
pub(crate) fn home() -> TempDir {
    let home = tempfile::tempdir().expect("a temporary folder");
    let bin = home.path().join("bin");
    fs::create_dir_all(&bin).expect("a writable folder");
    fs::write(bin.join("kubectl"), KUBECTL).expect("a writable folder");
    fs::set_permissions(bin.join("kubectl"), fs::Permissions::from_mode(0o755)).expect("a file of ours");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_bobbypin"), bin.join("bobbypin")).expect("a writable folder");
    let config = "[user]\n\tname = You\n\temail = you@example.org\n";
    fs::write(home.path().join(".gitconfig"), config).expect("a writable folder");
    home
}

pub(crate) fn sh(home: &Path, script: &str) -> Output {
    let path = env::var_os("PATH").unwrap_or_default();
    let path: Vec<_> = [home.join("bin")].into_iter().chain(env::split_paths(&path)).collect();
    Command::new("sh")
        .args(["-c", script])
        .current_dir(home)
        .env_clear()
        .env("PATH", env::join_paths(path).expect("folders without a colon"))
        .env("HOME", home)
        .env("EXAMPLES", project().join("examples/first-use"))
        .envs([("LC_ALL", "C"), ("GIT_CONFIG_NOSYSTEM", "1")])
        .output()
        .expect("a shell")
}

/// A command of a transcript with the output that is shown for it.
pub(crate) struct Shown {
    command: String,
    output: Vec<String>,
}

/// What a reader does from the top to the bottom: commands, and files that are written.
pub(crate) fn steps(readme: &str) -> (String, Vec<Shown>) {
    let mut script = "exec 2>&1\n".to_owned();
    let mut shown = Vec::new();
    for fence in fences(readme) {
        match (fence.language, fence.lines.first().copied().unwrap_or_default()) {
            ("console", first) if first.starts_with("$ ") => {
                for line in fence.lines {
                    match line.strip_prefix("$ ") {
                        Some(command) => {
                            let number = shown.len();
                            script += &format!("{command}\ncode=$?; printf '\\036{number}\\n'; (exit $code)\n");
                            shown.push(Shown { command: command.to_owned(), output: Vec::new() });
                        }
                        None => shown.last_mut().expect("a command comes first").output.push(line.to_owned()),
                    }
                }
            }
            ("yaml", first) => {
                let (path, write) = match (first.strip_prefix("# add to "), first.strip_prefix("# ")) {
                    (Some(path), _) => (path, ">>"),
                    (None, Some(path)) => (path, ">"),
                    (None, None) => continue,
                };
                script += &format!("cat {write} {path} <<'END'\n{}\nEND\n", fence.lines[1..].join("\n"));
            }
            _ => {}
        }
    }
    (script, shown)
}

/// Text with commits and the home replaced, which differ from run to run.
fn filtered(line: &str, home: &str) -> String {
    let line = line.replace(home, "/home/you");
    let is_commit =
        |word: &str| matches!(word.len(), 7 | 40) && word.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let word = |word| if is_commit(str::trim_matches(word, '"')) { "COMMIT" } else { word };
    line.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

/// Whether the output is the shown one, where `…` stands for any number of lines.
fn is_as_shown(shown: &[String], output: &[String]) -> bool {
    match shown.iter().position(|line| line == "…") {
        None => shown == output,
        Some(gap) => {
            let end = shown.len() - gap - 1;
            output.len() >= gap + end && output[..gap] == shown[..gap] && output.ends_with(&shown[gap + 1..])
        }
    }
}

#[test]
fn the_first_use_goes_as_it_is_told() {
    let (home, readme) = (home(), fs::read_to_string(project().join("README.md")).expect("a README"));
    let place = home.path().display().to_string();
    let (script, shown) = steps(&readme);
    let output = String::from_utf8(sh(home.path(), &script).stdout).expect("UTF-8");
    let whole = expect_as_shown(&shown, &output, &place);
    let first = fences(&readme).into_iter().next().expect("a transcript").lines.join("\n");
    assert!(whole.contains(&first), "the transcript at the top is not among what was printed:\n{first}");
}

/// Fails unless every command printed what is shown for it. Gives all that was printed.
#[track_caller]
pub(crate) fn expect_as_shown(shown: &[Shown], output: &str, place: &str) -> String {
    let mut parts = output.split('\u{1e}');
    let mut text = parts.next().unwrap_or_default().to_owned();
    let mut whole = String::new();
    for step in shown {
        let lines: Vec<_> = text.lines().map(|line| filtered(line, place)).collect();
        let wanted: Vec<_> = step.output.iter().map(|line| filtered(line, place)).collect();
        assert!(is_as_shown(&wanted, &lines), "$ {}\nshown:\n{}\n\nis:\n{}", step.command, wanted.join("\n"), text);
        whole += &text;
        text = parts.next().and_then(|part| part.split_once('\n')).map(|(_, rest)| rest.to_owned()).unwrap_or_default();
    }
    whole
}

#[test]
fn the_quickstart_is_two_commands_and_the_demo_works() {
    let readme = fs::read_to_string(project().join("README.md")).expect("a README");
    let quickstart = readme.split("\n## ").find(|section| section.starts_with("Quickstart\n")).expect("a Quickstart");
    let commands: Vec<_> = fences(quickstart).into_iter().flat_map(|fence| fence.lines).collect();
    assert_eq!(commands, ["cargo run --locked -- demo", "cargo test --locked"]);
    let home = home();
    let demo = sh(home.path(), "bobbypin demo there && git -C there/platform.git log --format=%s");
    assert!(demo.status.success(), "{demo:?}");
    assert!(String::from_utf8_lossy(&demo.stdout).ends_with("edge: the settings of the cluster\n"));
}

#[test]
fn the_exit_codes_are_those_of_the_help() {
    let help = String::from_utf8(sh(home().path(), "bobbypin --help").stdout).expect("UTF-8");
    let help = help.split("Exit codes:\n").nth(1).expect("exit codes");
    let of_help: Vec<_> = help.lines().filter_map(|line| line.trim().split_once("  ")).collect();
    let readme = fs::read_to_string(project().join("README.md")).expect("a README");
    let section = readme.split("\n## ").find(|section| section.starts_with("Exit codes\n")).expect("exit codes");
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "));
    let of_readme: Vec<_> = rows.skip(1).map(|(code, text)| (code, text.replace('`', ""))).collect();
    let plain = |text: &str| text.replace(['`', '(', ')', ':'], "");
    let of_help: Vec<_> = of_help.into_iter().map(|(code, text)| (code, plain(text))).collect();
    let of_readme: Vec<_> = of_readme.iter().map(|(code, text)| (*code, plain(text))).collect();
    assert_eq!(of_readme, of_help);
}

#[test]
fn every_command_and_flag_that_is_named_exists() {
    let home = home();
    let help = |command: &str| {
        let output = sh(home.path(), &format!("bobbypin {command} --help"));
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let mut wrong = Vec::new();
    for (path, text) in pages() {
        for line in
            text.split(['`', '\n']).filter_map(|code| code.trim().trim_start_matches("$ ").strip_prefix("bobbypin "))
        {
            let words: Vec<_> = line.split_whitespace().collect();
            // Prose that begins with the name is no command.
            let Some(command) = words.first().filter(|word| line.len() < 200 && is_command_like(word, &words)) else {
                continue;
            };
            match help(command) {
                None => wrong.push(format!("{path}: bobbypin {line}")),
                Some(help) => wrong.extend(
                    words
                        .iter()
                        .filter(|word| word.starts_with("--") && !help.contains(*word))
                        .map(|flag| format!("{path}: bobbypin {command} has no {flag}")),
                ),
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

/// A command in running text is lower case, and is followed by nothing, a flag, a name or a path.
fn is_command_like(word: &str, words: &[&str]) -> bool {
    const COMMANDS: [&str; 10] =
        ["init", "demo", "plan", "render", "diff", "reconcile", "doctor", "schema", "completions", "man"];
    COMMANDS.contains(&word) || (words.len() > 1 && words[1].starts_with('-'))
}
