//! Publishing through the API, on a real Gitea that does not let Git in.

use std::{
    collections::BTreeMap,
    env, fs,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, LazyLock, Mutex},
    thread,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::gitea::{Gitea, Options, Repo, User};

/// A file that the program writes for the example, and one that it does not.
const GENERATED: &str = "clusters/edge/manifests/host/overlay.yaml";
const NOTES: &str = "notes.md";

fn server() -> &'static Gitea {
    static SERVER: LazyLock<Gitea> = LazyLock::new(|| {
        let settings = "[repository]\nDISABLE_HTTP_GIT = true\n".to_owned();
        Gitea::start(&Options { settings, ..Options::default() })
    });
    &SERVER
}

/// A repository with the settings of the worked example, and somebody who may write to it.
struct Site {
    repo: Repo,
    owner: User,
    token: String,
    url: String,
    folder: TempDir,
}

impl Site {
    fn new(owner: &str) -> Self {
        let gitea = server();
        let owner = gitea.user(owner);
        let repo = gitea.repository(&owner, "clusters");
        let token = gitea.token(&owner, &["write:repository"]);
        let folder = TempDir::with_prefix("api-").expect("a temporary folder");
        let project = Path::new(env!("CARGO_MANIFEST_DIR"));
        let inventory = fs::read(project.join("examples/inventory/edge.yaml")).expect("the example");
        fs::write(folder.path().join("edge.yaml"), inventory).expect("a folder of ours");
        let url = repo.url.clone();
        let site = Self { repo, owner, token, url, folder };
        for name in [
            "cluster.yaml",
            "kustomization.yaml",
            "pins.yaml",
            "platform.yaml",
            "apps/erp.yaml",
            "apps/kustomization.yaml",
        ] {
            let path = format!("clusters/edge/{name}");
            site.somebody_writes(&path, &fs::read_to_string(project.join(&path)).expect("a file of the example"));
        }
        site
    }

    /// `reconcile` as a job would run it.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bobbypin"));
        command
            .current_dir(self.folder.path())
            .args(["reconcile", "-o", "json", "--inventory", "edge.yaml", "--remote", &self.url])
            .args(["--transport", "api"])
            .args(arguments)
            .env_clear()
            .env("PATH", env::var_os("PATH").expect("a PATH"))
            .env("HOME", self.folder.path())
            .env("BOBBYPIN_GITEA_TOKEN", &self.token)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs it. Gives the report, and fails unless it ends with the code.
    #[track_caller]
    fn reconcile(&self, code: i32, arguments: &[&str]) -> Value {
        let ran = self.command(arguments).output().expect("the program");
        let (stdout, stderr) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert_eq!(ran.status.code(), Some(code), "{stdout}\n{stderr}");
        assert!(!stdout.contains(&self.token) && !stderr.contains(&self.token), "the token is shown");
        serde_json::from_str(&stdout).unwrap_or_else(|error| panic!("{error}: {stdout}\n{stderr}"))
    }

    /// A commit of a person: `None` when the server did not take it.
    fn somebody_tries(&self, path: &str, text: &str) -> Option<String> {
        let at = format!("{}/contents/{path}", self.repo.path());
        let (status, found) = server().api("GET", &format!("{at}?ref=main"), Some(server().admin_token()), None);
        let method = if status == 200 { "PUT" } else { "POST" };
        let body = json!({
            "branch": "main", "message": "by hand", "content": STANDARD.encode(text), "sha": found["sha"],
            "author": {"name": "Ada", "email": "ada@example.org"},
        });
        let (status, answer) = server().api(method, &at, Some(server().admin_token()), Some(body));
        (200..300).contains(&status).then(|| answer["commit"]["sha"].as_str().expect("a commit").to_owned())
    }

    fn somebody_writes(&self, path: &str, text: &str) -> String {
        (0..50).find_map(|_| self.somebody_tries(path, text)).expect("the branch is free at times")
    }

    fn tip(&self) -> String {
        server().branch_head(&self.repo, "main")
    }

    fn file(&self, path: &str) -> Option<String> {
        server().file(&self.repo, path, "main")
    }

    /// All commits, the newest first, each with who made it. Fails unless they are one line.
    fn history(&self) -> Vec<(String, String)> {
        let mut commits = Vec::new();
        for page in 1.. {
            let path = format!("{}/commits?sha=main&limit=50&page={page}&stat=false&files=false", self.repo.path());
            let (status, answer) = server().api("GET", &path, Some(server().admin_token()), None);
            assert_eq!(status, 200, "{answer}");
            let found = answer.as_array().expect("a list").clone();
            if found.is_empty() {
                break;
            }
            commits.extend(found);
        }
        for pair in commits.windows(2) {
            assert_eq!(pair[0]["parents"].as_array().map(Vec::len), Some(1), "{}", pair[0]);
            assert_eq!(pair[0]["parents"][0]["sha"], pair[1]["sha"], "the history is one line");
        }
        let text = |value: &Value| value.as_str().expect("a text").to_owned();
        commits.iter().map(|commit| (text(&commit["sha"]), text(&commit["commit"]["author"]["name"]))).collect()
    }
}

/// What stands between the program and the server: does something before the first commit is asked for, and keeps the
/// first line of every request.
struct Between {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

type Interlude = Box<dyn FnOnce() + Send>;

impl Between {
    fn new(interlude: impl FnOnce() + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (server_at, _) = server().url().split_once("//").map(|(_, at)| (at.to_owned(), ())).expect("an address");
        let (kept, interlude) = (requests.clone(), Arc::new(Mutex::new(Some(Box::new(interlude) as Interlude))));
        // It ends with the tests.
        thread::spawn(move || {
            for client in listener.incoming() {
                let (client, server) = (client.expect("a connection"), TcpStream::connect(&server_at).expect("Gitea"));
                let (mut back, mut from) =
                    (client.try_clone().expect("a socket"), server.try_clone().expect("a socket"));
                thread::spawn(move || {
                    let _ = std::io::copy(&mut from, &mut back);
                    let _ = back.shutdown(Shutdown::Both);
                });
                let (kept, interlude) = (kept.clone(), interlude.clone());
                thread::spawn(move || carry(client, server, &kept, &interlude));
            }
        });
        Self { port, requests }
    }

    /// Of what was asked for, how often.
    fn requests(&self) -> BTreeMap<String, usize> {
        let mut counted = BTreeMap::new();
        for line in std::mem::take(&mut *self.requests.lock().expect("nobody panics while holding it")) {
            *counted.entry(line).or_default() += 1;
        }
        counted
    }

    /// The site as it is reached through this.
    fn of(mut self, site: &mut Site) -> Self {
        let path = site.repo.url.splitn(4, '/').nth(3).expect("an address");
        site.url = format!("http://127.0.0.1:{}/{path}", self.port);
        self.port = 0;
        self
    }
}

/// Carries what a client says. A request begins where a piece begins, because none is sent before the last is answered.
fn carry(
    mut client: TcpStream,
    mut server: TcpStream,
    kept: &Mutex<Vec<String>>,
    interlude: &Mutex<Option<Interlude>>,
) {
    let mut piece = vec![0; 64 << 10];
    while let Ok(length @ 1..) = client.read(&mut piece) {
        let line = String::from_utf8_lossy(&piece[..length]).lines().next().unwrap_or_default().to_owned();
        if let Some(request) = line.strip_suffix(" HTTP/1.1") {
            kept.lock().expect("nobody panics while holding it").push(request.to_owned());
            if request.starts_with("POST ")
                && let Some(act) = interlude.lock().expect("nobody panics while holding it").take()
            {
                act();
            }
        }
        if server.write_all(&piece[..length]).is_err() {
            return;
        }
    }
    let _ = server.shutdown(Shutdown::Both);
}

#[test]
fn the_first_run_commits_and_the_second_has_nothing_to_do() {
    let mut site = Site::new("api-first");
    let between = Between::new(|| ()).of(&mut site);
    let before = site.tip();
    let report = site.reconcile(0, &["--dry-run"]);
    assert_eq!((&report["outcome"], &report["commit"], site.tip()), (&json!("DryRun"), &json!(null), before.clone()));
    between.requests();

    let report = site.reconcile(0, &[]);
    let commit = site.tip();
    assert_eq!((&report["outcome"], &report["commit"]), (&json!("Committed"), &json!(commit)));
    let requests = between.requests();
    let blobs: Vec<_> = requests.iter().filter(|(line, _)| line.contains("/git/blobs/")).collect();
    assert!(blobs.iter().all(|(_, times)| **times == 1), "{requests:#?}");
    assert_eq!((blobs.len(), requests.values().sum::<usize>()), (6, 12), "{requests:#?}");
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert_eq!(site.file(GENERATED), fs::read_to_string(project.join(GENERATED)).ok());
    let [(newest, author), (second, _), ..] = &site.history()[..] else { panic!("two commits") };
    assert_eq!((newest, second, author.as_str()), (&commit, &before, "bobbypin"));

    let report = site.reconcile(0, &[]);
    assert_eq!((&report["outcome"], site.tip()), (&json!("UpToDate"), commit));
}

#[test]
fn the_settings_of_a_checkout_choose_the_way() {
    let site = Site::new("api-checkout");
    let settings = "apiVersion: bobbypin.dev/v1alpha1\nkind: Repository\nspec:\n  publish: {gitea: {transport: api}}\n";
    site.somebody_writes("bobbypin.yaml", settings);
    let checkout = TempDir::with_prefix("api-").expect("a temporary folder");
    let git = |arguments: &[&str]| {
        let done = Command::new("git").args(arguments).current_dir(checkout.path()).output().expect("git");
        assert!(done.status.success(), "{done:?}");
    };
    git(&["init", "--quiet"]);
    git(&["remote", "add", "origin", &site.repo.url]);
    fs::write(checkout.path().join("bobbypin.yaml"), settings).expect("a folder of ours");
    let ran = Command::new(env!("CARGO_BIN_EXE_bobbypin"))
        .args(["reconcile", "-o", "json", "--inventory"])
        .arg(site.folder.path().join("edge.yaml"))
        .current_dir(checkout.path())
        .env_clear()
        .env("BOBBYPIN_GITEA_TOKEN", &site.token)
        .output()
        .expect("the program");
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    let report: Value = serde_json::from_slice(&ran.stdout).expect("a report");
    assert_eq!((&report["outcome"], &report["commit"]), (&json!("Committed"), &json!(site.tip())));
}

#[test]
fn a_commit_of_another_file_in_between_is_kept_and_what_it_asks_for_is_served() {
    let mut site = Site::new("api-other-file");
    let owner = copy(&site);
    let pins = site.file("clusters/edge/pins.yaml").expect("a file");
    let changed = pins.replace("sha256:cf285f", "sha256:000000");
    assert_ne!(changed, pins);
    let between = Between::new(move || {
        owner.somebody_writes(NOTES, "one\n");
        owner.somebody_writes("clusters/edge/pins.yaml", &changed);
    })
    .of(&mut site);
    let ran = site.command(&[]).output().expect("the program");
    let posts: usize = between.requests().iter().filter(|(line, _)| line.starts_with("POST")).map(|(_, n)| n).sum();
    assert_eq!(posts, 2, "what came in between asks for another commit");
    let names: Vec<_> = site.history().into_iter().map(|(_, name)| name).take(posts + 2).collect();
    let ours = vec!["bobbypin".to_owned(); posts];
    assert_eq!(names, [ours, vec!["Ada".to_owned(); 2]].concat(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert_eq!(site.file(NOTES).as_deref(), Some("one\n"));
    let tip = site.tip();
    let again = site.command(&[]).output().expect("the program");
    let report: Value = serde_json::from_slice(&again.stdout).expect("a report");
    assert_eq!((&report["outcome"], site.tip()), (&json!("UpToDate"), tip), "the first run has done it all");
    assert_eq!(again.status.code(), ran.status.code());
}

#[test]
fn a_commit_of_the_same_file_in_between_is_seen_and_told() {
    let mut site = Site::new("api-same-file");
    site.reconcile(0, &[]);
    let wanted = site.file(GENERATED).expect("a file");
    let first = site.somebody_writes(GENERATED, &format!("{wanted}# one\n"));
    let (owner, text) = (copy(&site), format!("{wanted}# two\n"));
    Between::new(move || drop(owner.somebody_writes(GENERATED, &text))).of(&mut site);
    let report = site.reconcile(0, &[]);
    let history = site.history();
    let names: Vec<_> = history.iter().map(|(_, name)| name.as_str()).take(4).collect();
    assert_eq!(names, ["bobbypin", "Ada", "Ada", "bobbypin"], "nobody's commit is lost");
    assert_eq!((&history[2].0, site.file(GENERATED)), (&first, Some(wanted)));
    assert_eq!(report["commit"], json!(history[0].0));
    let drift = json!([{"path": GENERATED, "commit": history[1].0, "author": "Ada"}]);
    assert_eq!(report["drift"], drift, "the last of the edits is told");
}

#[test]
fn a_refusal_is_told_with_what_to_do() {
    let mut site = Site::new("api-refused");
    let before = site.tip();
    let told = |site: &Site| {
        let error = site.reconcile(6, &[]);
        assert_eq!(site.tip(), before, "the branch is as it was");
        let message = error["message"].as_str().expect("a text").replace(server().url(), "SERVER");
        format!("{message}\n  help: {}", error["hint"].as_str().unwrap_or_default())
    };
    let good = site.token.clone();
    site.token = server().token(&site.owner, &["read:repository"]);
    insta::assert_snapshot!(told(&site), @"
    cannot commit to the branch `main`: cannot commit on the branch `main` in SERVER/api-refused/clusters: the token lacks a scope that this needs (403): token does not have at least one of required scope(s), required=[write:repository], token scope=read:repository
      help: make a token that has `write:repository` besides its other scopes, and give it in BOBBYPIN_GITEA_TOKEN
    ");
    site.token = "0123456789abcdef0123456789abcdef01234567".to_owned();
    insta::assert_snapshot!(told(&site), @"
    cannot read the settings in SERVER/api-refused/clusters: the server answers 401, the token is unknown or has expired: invalid username, password or token
      help: make a new token in the settings of its user (Applications), and give it in BOBBYPIN_GITEA_TOKEN
    ");
    site.token = good;
    server().protect(&site.repo, json!({"rule_name": "main", "enable_push": false}));
    insta::assert_snapshot!(told(&site), @"
    cannot commit to the branch `main`: cannot commit on the branch `main` in SERVER/api-refused/clusters: the server answers 403, that is forbidden: user cannot commit to repo [user: api-refused]
      help: let the user of the token write to the repository, or change the rules of the branch
    ");
}

#[test]
fn writers_at_the_same_time_lose_nothing() {
    let site = Site::new("api-race");
    site.reconcile(0, &[]);
    let wanted = site.file(GENERATED).expect("a file");
    let mut made = Vec::new();
    for round in 0..10 {
        made.push(site.somebody_writes(GENERATED, &format!("{wanted}# {round}\n")));
        let runs: Vec<_> = (0..2).map(|_| site.command(&[]).spawn().expect("the program")).collect();
        let site = &site;
        thread::scope(|scope| {
            let people: Vec<_> = [NOTES, "more.md"]
                .map(|path| scope.spawn(move || site.somebody_writes(path, &format!("{round} of {path}\n"))))
                .into();
            made.extend(people.into_iter().map(|person| person.join().expect("a commit")));
        });
        for run in runs {
            let ran = run.wait_with_output().expect("its end");
            let report: Value = serde_json::from_slice(&ran.stdout).expect("a report");
            let ended = (ran.status.code(), report["outcome"].as_str().unwrap_or("Error"));
            match ended {
                (Some(0), "Committed") => made.push(report["commit"].as_str().expect("a commit").to_owned()),
                (Some(0), "UpToDate") => (),
                (Some(6), "Error") if report["message"].as_str().is_some_and(|text| text.contains("moved")) => (),
                _ => panic!("{ended:?} {report:#} {}", String::from_utf8_lossy(&ran.stderr)),
            }
        }
        site.reconcile(0, &[]);
        assert_eq!(site.file(GENERATED).as_ref(), Some(&wanted), "round {round}");
        assert_eq!(site.file(NOTES), Some(format!("{round} of {NOTES}\n")));
    }
    let history: BTreeMap<_, _> = site.history().into_iter().collect();
    let lost: Vec<_> = made.iter().filter(|commit| !history.contains_key(*commit)).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

/// The same repository, for another writer.
fn copy(site: &Site) -> Site {
    Site {
        repo: site.repo.clone(),
        owner: site.owner.clone(),
        token: site.token.clone(),
        url: site.url.clone(),
        folder: TempDir::with_prefix("api-").expect("a temporary folder"),
    }
}
