//! What publishing 308 files to a real Gitea costs, in time and in bytes, beside the `git` program that does the same.

use std::{
    env, fs,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use crate::{
    fault_proxy::{Fault, FaultProxy},
    fleet::Fleet,
    support::{
        checkout::Checkout,
        gitea::{Gitea, Repo, User},
    },
};

/// So many tenants, with the host and the whole, have the files.
const TENANTS: usize = 61;
const FILES: usize = 308;
/// The commits on the branch before.
const HISTORY: usize = 10_000;
/// The program's time and bytes over those of `git`.
const MOST: f64 = 1.0;
const ROUNDS: usize = 7;

/// Prints what it took, and fails when a limit is not kept.
pub(crate) fn measure() {
    let gitea = Gitea::shared();
    let owner = gitea.user("measure");
    let repo = gitea.repository(&owner, "fleet");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let fleet = Fleet::of_tenants(TENANTS);
    fs::write(folder.path().join("inventory.json"), &fleet.json().bytes).expect("a writable folder");
    let checkout = gitea.git(&repo, &owner);
    let base = history(&checkout, &fleet);
    let port = gitea.url().rsplit_once(':').and_then(|(_, port)| port.trim_end_matches('/').parse().ok());
    let proxy = FaultProxy::start(port.expect("the server has a port"));
    let url = repo.url.replace(&format!(":{}", port.expect("it has one")), &format!(":{}", proxy.port()));

    // What is to be committed, for `git` to copy.
    let wanted = folder.path().join("wanted");
    bobbypin(folder.path(), &url, &owner);
    let clone = Checkout::clone(&login(&url, &owner), None).expect("a clone");
    fs::rename(clone.path().join("clusters"), &wanted).expect("one file system");

    let (mut times, mut bytes) = (Vec::new(), Vec::new());
    for round in 1..=ROUNDS {
        let run = |is_own: bool| {
            checkout
                .git(&["push", "--quiet", "--force", "origin", &format!("{base}:refs/heads/main")])
                .expect("a reset");
            proxy.begin(Fault::None);
            let began = Instant::now();
            if is_own {
                bobbypin(folder.path(), &url, &owner)
            } else {
                git(folder.path(), &wanted, &login(&url, &owner))
            };
            let seconds = began.elapsed().as_secs_f64();
            let carried = proxy.settled();
            expect_committed(&checkout, gitea, &repo, &base);
            (seconds, carried.to_server + carried.to_client, carried.connections)
        };
        // Each goes first every other time.
        let (own, other) = if round % 2 == 0 {
            let other = run(false);
            (run(true), other)
        } else {
            let own = run(true);
            (own, run(false))
        };
        times.push(own.0 / other.0);
        bytes.push(own.1 as f64 / other.1 as f64);
        println!(
            "round {round}: bobbypin {:.3} s, {} bytes, {} connections; git {:.3} s, {} bytes, {} connections; ratios {:.2} and {:.2}",
            own.0,
            own.1,
            own.2,
            other.0,
            other.1,
            other.2,
            own.0 / other.0,
            own.1 as f64 / other.1 as f64
        );
    }
    let median = |ratios: &mut Vec<f64>| {
        ratios.sort_by(f64::total_cmp);
        ratios[ROUNDS / 2]
    };
    let (time, size) = (median(&mut times), median(&mut bytes));
    println!(
        "{FILES} files on {HISTORY} commits: median ratios {time:.2} in time, {size:.2} in bytes (at most {MOST})"
    );
    assert!(time <= MOST, "it takes {time:.2} times as long as git");
    assert!(size <= MOST, "it sends and receives {size:.2} times as many bytes as git");
}

/// Commits to begin with, the last of which has the settings. Gives it. The repository holds the values of a hundred
/// applications besides, as one does that Flux reads.
fn history(checkout: &Checkout, fleet: &Fleet) -> String {
    let mut script = String::new();
    for number in 1..HISTORY {
        let line = |line: usize| format!("setting-{line}: {}\n", (number * 7919 + line * 104_729) % 1_000_003);
        let text: String = (0..20).map(line).collect();
        script += &format!(
            "commit refs/heads/main\ncommitter Test <test@example.org> {} +0000\ndata 5\ntest\nM 100644 inline apps/app-{}/values.yaml\ndata {}\n{text}\n",
            1_700_000_000 + number,
            number % 100,
            text.len()
        );
    }
    let file = checkout.path().join(".git/script");
    fs::write(&file, script).expect("a writable folder");
    let input = fs::File::open(&file).expect("a file of ours");
    let made = Command::new("git")
        .args(["fast-import", "--quiet", "--force"])
        .current_dir(checkout.path())
        .stdin(input)
        .status();
    assert!(made.expect("git is installed").success(), "git fast-import");
    checkout.git(&["reset", "--quiet", "--hard", "main"]).expect("a branch");
    for (path, text) in &fleet.settings {
        checkout.write(path, text);
    }
    let base = checkout.commit("the settings");
    checkout.git(&["push", "--quiet", "--force", "origin", "main"]).expect("a free branch");
    base
}

fn login(url: &str, owner: &User) -> String {
    url.replacen("://", &format!("://{}:{}@", owner.name, owner.password), 1)
}

fn bobbypin(folder: &Path, url: &str, owner: &User) {
    let done = Command::new(env!("CARGO_BIN_EXE_bobbypin"))
        .args(["reconcile", "--quiet", "--remote", url, "--inventory", "inventory.json"])
        .current_dir(folder)
        .env_clear()
        .env("BOBBYPIN_GIT_USERNAME", &owner.name)
        .env("BOBBYPIN_GIT_PASSWORD", &owner.password)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .expect("the program starts");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// What a script does that has the files already: as much history as the program looks at before it commits, and a fresh
/// look at the branch in the end.
fn git(folder: &Path, wanted: &Path, url: &str) {
    let script = r#"set -e
git clone --quiet --depth 6 "$1" "$2/clone"
cd "$2/clone"
cp -r "$3/." clusters/
git add --all clusters
git commit --quiet --message 'the same'
git push --quiet origin HEAD:main
git ls-remote --exit-code origin refs/heads/main | grep --quiet "^$(git rev-parse HEAD)"
cd / && rm -rf "$2/clone""#;
    let done = Command::new("sh")
        .args(["-c", script, "sh", url])
        .args([folder, wanted])
        .env_clear()
        .env("PATH", env::var_os("PATH").expect("a PATH, which Git is on"))
        .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1"), ("GIT_TERMINAL_PROMPT", "0")])
        .envs([("GIT_AUTHOR_NAME", "Test"), ("GIT_AUTHOR_EMAIL", "test@example.org")])
        .envs([("GIT_COMMITTER_NAME", "Test"), ("GIT_COMMITTER_EMAIL", "test@example.org")])
        .output()
        .expect("a shell");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// One commit on the base, with all the files.
fn expect_committed(checkout: &Checkout, gitea: &Gitea, repo: &Repo, base: &str) {
    let tip = gitea.branch_head(repo, "main");
    checkout.git(&["fetch", "--quiet", "origin", "main"]).expect("a branch");
    assert_eq!(checkout.git(&["rev-parse", "FETCH_HEAD~1"]).as_deref(), Ok(base), "one commit on the base");
    let files = checkout.git(&["diff", "--name-only", base, &tip]).expect("both are there");
    assert_eq!(files.lines().count(), FILES, "{files}");
}
