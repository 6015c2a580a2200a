//! Several writers over the network, some of them persons who also throw away what others wrote: no commit is lost that
//! was told about, and every exit code is true.
#![expect(clippy::disallowed_methods, reason = "these tests read a log and take the time")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
    thread,
    time::Instant,
};

use crate::support::{
    cli::{EDGE, Ran, Sandbox, finish},
    git_server::{GitServer, Options},
    thorough::{size, tell},
};

/// How often a person tries again.
const TRIES: usize = 20;

/// No commit: the branch does not exist.
const ZERO: &str = "0000000000000000000000000000000000000000";

/// Who writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writer {
    /// A run for the cluster of this number.
    Cluster(usize),
    /// A run for the first cluster with an inventory that has one host more.
    MoreHosts,
    /// A person who commits.
    Commits,
    /// A person who puts the branch back to the settings, with a commit of their own on top.
    Forces,
    /// A person who deletes the branch, and makes it anew from the settings.
    Deletes,
}

/// What a writer says that it did.
#[derive(Debug)]
enum Said {
    Run(Ran),
    Person,
}

/// What the server says that happened.
#[derive(Clone, Debug)]
struct Update {
    old: String,
    new: String,
}

/// As [`Sandbox`], with several clusters behind a server that writes down every update.
struct Arena {
    sandbox: Sandbox,
    server: GitServer,
    settings: String,
}

/// What all rounds came to.
#[derive(Debug, Default)]
struct Tally {
    rounds: usize,
    runs: usize,
    commits: usize,
    thrown_away: usize,
    codes: BTreeMap<i32, usize>,
}

impl Arena {
    fn new(clusters: usize) -> Self {
        let sandbox = Sandbox::edge();
        let inventory = sandbox.read(EDGE);
        for number in 0..clusters {
            let named = |text: String| text.replace("name: edge", &format!("name: c{number}"));
            for file in ["cluster.yaml", "pins.yaml", "platform.yaml"] {
                let text = named(sandbox.read(&format!("clusters/edge/{file}")));
                sandbox.write(&format!("clusters/c{number}/{file}"), text);
            }
            sandbox.write(&format!("../c{number}.yaml"), named(inventory.clone()));
        }
        let one =
            "    - apiVersion: networking.k8s.io/v1\n      kind: Ingress\n      metadata:\n        name: kubernetes\n";
        let more = sandbox.read("../c0.yaml");
        let (before, rest) = more.split_once(one).expect("the example has this object");
        let end = rest.find("    - apiVersion").expect("it is not the last one");
        let again = rest[..end].replace("kubernetes-uid", "more-uid").replace("api.example.org", "more.example.org");
        let again = format!("{}{again}", one.replace("name: kubernetes", "name: more"));
        sandbox.write("../more.yaml", format!("{before}{again}{one}{rest}"));
        sandbox.git(&["rm", "-rqf", "--cached", "clusters/edge"]);
        fs::remove_dir_all(sandbox.path("clusters/edge")).expect("a folder of ours");
        sandbox.push("several clusters");
        let server = GitServer::start(&sandbox.remote(), Options::default());
        for (key, value) in [
            ("uploadpack.allowFilter", "true"),
            ("uploadpack.allowAnySHA1InWant", "true"),
            ("receive.denyDeleteCurrent", "ignore"),
            ("gc.auto", "0"),
            ("receive.autogc", "false"),
        ] {
            server.configure(key, value);
        }
        server.hook("post-receive", "cat >>updates");
        let settings = sandbox.tip();
        for person in 0..2 {
            sandbox.git_at(&sandbox.root(), &["clone", "-q", &server.url(), &format!("person{person}")]);
        }
        Self { sandbox, server, settings }
    }

    fn run(&self, cluster: &str, inventory: &str) -> Ran {
        let url = self.server.url();
        let words = ["reconcile", "--remote", &url, "--cluster", cluster, "--inventory", inventory, "-o", "json"];
        finish(&mut self.sandbox.command(&words))
    }

    fn write(&self, writer: Writer, place: usize, round: usize) -> Said {
        match writer {
            Writer::Cluster(number) => Said::Run(self.run(&format!("c{number}"), &format!("../c{number}.yaml"))),
            Writer::MoreHosts => Said::Run(self.run("c0", "../more.yaml")),
            Writer::Commits | Writer::Forces | Writer::Deletes => {
                self.person(writer, place, round);
                Said::Person
            }
        }
    }

    /// What a person does with `git`. That somebody else is faster is no failure of theirs.
    fn person(&self, writer: Writer, place: usize, round: usize) {
        let folder = self.sandbox.root().join(format!("person{place}"));
        let git = |args: &[&str]| {
            let mut command = self.sandbox.scrubbed("git", &folder);
            finish(command.env("GIT_TERMINAL_PROMPT", "0").args(args)).code == Some(0)
        };
        for attempt in 0..TRIES {
            let base = match writer {
                Writer::Forces | Writer::Deletes => self.settings.as_str(),
                _ if git(&["fetch", "-q", "origin", "main"]) => "FETCH_HEAD",
                // Somebody has just deleted it.
                _ => continue,
            };
            assert!(git(&["reset", "-q", "--hard", base]), "{folder:?}");
            fs::write(folder.join(format!("note{place}")), format!("{writer:?} {round} {attempt}"))
                .expect("a folder of ours");
            assert!(git(&["add", "-A"]) && git(&["commit", "-qm", "a note"]), "{folder:?}");
            let is_done = match writer {
                Writer::Forces => git(&["push", "-qf", "origin", "HEAD:main"]),
                Writer::Deletes => {
                    git(&["push", "-q", "origin", ":main"]);
                    git(&["push", "-q", "origin", "HEAD:main"])
                }
                _ => git(&["push", "-q", "origin", "HEAD:main"]),
            };
            if is_done {
                return;
            }
        }
    }

    fn log(&self) -> PathBuf {
        self.sandbox.remote().join("updates")
    }

    /// All updates of the branch since the round began.
    fn updates(&self) -> Vec<Update> {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let lines = text.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        lines
            .map(|words| match words[..] {
                [old, new, "refs/heads/main"] => Update { old: old.to_owned(), new: new.to_owned() },
                _ => panic!("{text}"),
            })
            .collect()
    }

    /// The parents of all commits that can be reached from these and not from the settings, and whether they are ours.
    fn commits<'a>(&'a self, from: impl IntoIterator<Item = &'a str>) -> BTreeMap<String, (Vec<String>, bool)> {
        let mut args = vec!["log", "--format=%H %P %(trailers:key=Bobbypin-Plan,valueonly,separator=)"];
        args.extend(from);
        args.extend(["--not", &self.settings]);
        let text = self.sandbox.remote_git(&args);
        text.lines()
            .map(|line| {
                let (ids, others): (Vec<_>, Vec<_>) = line
                    .split_ascii_whitespace()
                    .map(str::to_owned)
                    .partition(|word| word.len() == 40 && !word.contains(':'));
                let (id, parents) = ids.split_first().expect("a commit has an id");
                (id.clone(), (parents.to_vec(), !others.is_empty()))
            })
            .collect()
    }

    /// One round: all at once, and then everything that must hold.
    fn round(&self, round: usize, writers: &[Writer], tally: &mut Tally) {
        self.server.forget();
        self.sandbox.remote_git(&["update-ref", "refs/heads/main", &self.settings]);
        fs::write(self.log(), "").expect("a file of ours");
        let said: Vec<Said> = thread::scope(|scope| {
            let mut persons = 0..2;
            let begin = |writer: &Writer| {
                let place = match writer {
                    Writer::Cluster(_) | Writer::MoreHosts => 0,
                    _ => persons.next().expect("there are two persons"),
                };
                let writer = *writer;
                scope.spawn(move || self.write(writer, place, round))
            };
            let running: Vec<_> = writers.iter().map(begin).collect();
            running.into_iter().map(|running| running.join().expect("a writer ends")).collect()
        });
        self.server.settled();
        let story = || format!("round {round}: {writers:?}\n{said:#?}\n{:#?}", self.updates());

        let updates = self.updates();
        let exists = self.sandbox.remote_git(&["for-each-ref", "refs/heads/main"]).contains("refs/heads/main");
        let now = if exists { self.commits(["main"]) } else { BTreeMap::new() };
        assert!(now.values().all(|(parents, _)| parents.len() == 1), "a commit has one parent: {}", story());
        let mentioned = updates.iter().flat_map(|update| [update.old.as_str(), update.new.as_str()]);
        let mentioned: BTreeSet<_> = mentioned.filter(|id| *id != ZERO).collect();
        let all = self.commits(mentioned);

        // What the server took from us stands on what was there.
        let is_ours = |update: &&Update| all.get(&update.new).is_some_and(|(_, is_ours)| *is_ours);
        let (ours, theirs): (Vec<_>, Vec<_>) = updates.iter().partition(is_ours);
        for Update { old, new } in &ours {
            assert_eq!(
                all[new].0.as_slice(),
                std::slice::from_ref(old),
                "a run replaced something else than its base: {}",
                story()
            );
        }
        // What a person threw away: everything below a commit that was replaced by none of its children.
        let is_forced = |update: &&&Update| {
            let goes_on = update.new != ZERO && self.commits([update.new.as_str()]).contains_key(&update.old);
            update.old != ZERO && update.old != self.settings && !goes_on
        };
        let forced: Vec<_> = theirs.iter().filter(is_forced).map(|update| update.old.as_str()).collect();
        let gone = if forced.is_empty() { BTreeMap::new() } else { self.commits(forced) };

        let mut told = BTreeSet::new();
        let mut doubted = String::new();
        for said in &said {
            let Said::Run(ran) = said else { continue };
            let code = ran.code.expect("nobody kills a run");
            let report = ran.json();
            *tally.codes.entry(code).or_default() += 1;
            tally.runs += 1;
            match (code, report["commit"].as_str()) {
                (0 | 4, Some(commit)) => {
                    let has_landed = ours.iter().any(|update| update.new == commit);
                    assert!(has_landed, "{commit} was told and never landed: {}", story());
                    let is_there = now.contains_key(commit) || gone.contains_key(commit);
                    assert!(is_there, "{commit} is lost: {}", story());
                    told.insert(commit.to_owned());
                }
                // There is no branch, or only one that a person has made anew meanwhile.
                (0 | 4 | 2 | 6 | 7, None) => (),
                (9, None) => doubted += &ran.stdout,
                _ => panic!("an exit code that means nothing here: {}", story()),
            }
        }
        // What landed was told, unless a person threw it away before the run could look, which then began anew.
        for Update { new, .. } in &ours {
            let is_known = told.contains(new) || doubted.contains(new.as_str()) || gone.contains_key(new);
            assert!(is_known, "{new} landed, and nobody said so: {}", story());
        }
        tally.rounds += 1;
        tally.commits += told.len();
        tally.thrown_away += told.iter().filter(|commit| !now.contains_key(*commit)).count();
    }
}

/// Who writes in a round: now and then only runs, and otherwise persons of every kind among them.
fn writers(count: usize, round: usize) -> Vec<Writer> {
    let persons: &[Writer] = match (count, round % 4) {
        (8, 0) => &[Writer::Commits, Writer::Forces],
        (8, 1) => &[Writer::Commits, Writer::Deletes],
        (8, 2) => &[Writer::Commits, Writer::Commits],
        (_, 0) => &[Writer::Forces],
        (_, 1) => &[Writer::Deletes],
        (_, 2) => &[Writer::Commits],
        (_, _) => &[],
    };
    let runs = count - persons.len();
    let mut writers = vec![Writer::Cluster(0)];
    if runs > 2 {
        writers.push(Writer::MoreHosts);
    }
    writers.extend((1..).map(Writer::Cluster).take(runs - writers.len()));
    writers.extend(persons);
    writers
}

fn race(count: usize, rounds: usize) {
    let start = Instant::now();
    let arena = Arena::new(count);
    let mut tally = Tally::default();
    for round in 0..rounds {
        arena.round(round, &writers(count, round), &mut tally);
    }
    arena.sandbox.expect_sound();
    let Tally { rounds, runs, commits, thrown_away, codes } = tally;
    let codes: Vec<_> = codes.iter().map(|(code, count)| format!("{code}: {count}")).collect();
    assert!(commits > 0, "somebody won");
    tell(
        format!(
            "{count} writers, {rounds} rounds, {runs} runs, {commits} commits, {thrown_away} of them thrown away by a \
             person; exit codes {}",
            codes.join(", ")
        ),
        start.elapsed(),
    );
}

#[test]
fn two_writers_lose_nothing_and_tell_the_truth() {
    race(2, size(2, 200));
}

#[test]
fn four_writers_lose_nothing_and_tell_the_truth() {
    race(4, size(2, 200));
}

#[test]
fn eight_writers_lose_nothing_and_tell_the_truth() {
    race(8, size(1, 200));
}
