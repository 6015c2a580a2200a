//! What is ready to copy is as it says: commands, variables, manifests, the image and the step for workflows.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "these tests read the project and run commands"
)]

use std::{
    collections::BTreeSet,
    env, fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use crate::{
    docs::{fences, pages, project},
    readme::{expect_as_shown, home, sh, steps},
    support::{
        cli::{PROGRAM, Sandbox},
        git_server::{GitServer, Login, Options},
    },
};

fn read(path: &str) -> String {
    fs::read_to_string(project().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn documents(path: &str) -> Vec<Value> {
    let text = read(path);
    serde_yaml::Deserializer::from_str(&text)
        .map(|document| serde::Deserialize::deserialize(document).unwrap_or_else(|error| panic!("{path}: {error}")))
        .collect()
}

/// Every file of the examples, in order.
fn files() -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![project().join("examples")];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(project()).expect("a file of the project").display().to_string());
            }
        }
    }
    found.sort();
    found
}

#[test]
fn every_example_in_yaml_can_be_read() {
    let yaml: Vec<_> = files().into_iter().filter(|path| path.ends_with(".yaml")).collect();
    assert!(yaml.len() > 12, "{yaml:?}");
    for path in yaml {
        assert!(documents(&path).iter().all(Value::is_object), "{path}");
    }
}

#[test]
fn every_folder_of_examples_is_named_by_a_page() {
    let pages: String = pages().into_iter().map(|(_, text)| text).collect();
    for path in files() {
        let folder = Path::new(&path).parent().expect("a folder").display().to_string();
        assert!(pages.contains(&folder) || pages.contains(&folder.replace("examples/", "](../")), "{folder}");
    }
}

/// The words of every command of this program in the examples and on the pages, with where they stand.
fn commands() -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for path in ["examples/cron/cronjob.yaml", "examples/fleet/cronjob.yaml"] {
        let containers = &documents(path)[0]["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"];
        let words = containers[0]["args"].as_array().expect("arguments").iter();
        found.push((path.to_owned(), words.map(|word| word.as_str().expect("a text").to_owned()).collect()));
    }
    let mut texts = pages();
    texts.extend(["examples/cron/bobbypin.service", "examples/cron/crontab"].map(|path| (path.to_owned(), read(path))));
    for (path, text) in texts {
        for line in text.lines() {
            for start in ["bobbypin reconcile ", "bobbypin diff "] {
                if let Some((_, rest)) = line.split_once(start) {
                    let command = start.split(' ').nth(1).expect("two words");
                    let rest = rest.split(['`', '>']).next().unwrap_or_default();
                    let words = [command].into_iter().chain(rest.split_whitespace());
                    found.push((path.clone(), words.map(str::to_owned).collect()));
                }
            }
        }
    }
    found
}

#[test]
fn every_command_in_the_examples_has_flags_that_exist() {
    let help = |command: &str| {
        let output = Command::new(PROGRAM).args([command, "--help"]).output().expect("the program");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let known = [("reconcile", help("reconcile")), ("diff", help("diff"))];
    let commands = commands();
    assert!(commands.len() > 10, "{commands:?}");
    for (path, words) in commands {
        let (_, help) = known.iter().find(|(command, _)| *command == words[0]).unwrap_or_else(|| panic!("{path}"));
        for flag in words.iter().filter(|word| word.starts_with("--")) {
            assert!(help.contains(flag.as_str()), "{path}: {} has no {flag}", words[0]);
        }
    }
}

#[test]
fn every_variable_that_is_named_exists_and_the_page_has_them_all() {
    let names = |text: &str| {
        let is_part = |c: char| c.is_ascii_uppercase() || c == '_';
        let words = text.split(|c| !is_part(c)).filter(|word| word.starts_with("BOBBYPIN_") && word.len() > 9);
        words.map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let mut texts = pages();
    texts.extend(files().into_iter().map(|path| (path.clone(), read(&path))));
    texts.push(("action.yml".to_owned(), read("action.yml")));
    let source: String = ["environment", "error"].iter().map(|file| read(&format!("src/cli/{file}.rs"))).collect();
    // Told to Flux, and where the testbed's programs are.
    let mut known = names(&(source + "BOBBYPIN_WEBHOOK_TOKEN BOBBYPIN_TESTBED"));
    // Secrets of a workflow and its variables have names of their own.
    known.extend(["BOBBYPIN_KUBECONFIG", "BOBBYPIN_TOKEN"].map(str::to_owned));
    for (path, text) in texts {
        let is_known = |name: &&String| known.contains(*name) || known.contains(name.trim_end_matches("_FILE"));
        let unknown: Vec<_> = names(&text).into_iter().filter(|name| !is_known(&name)).collect();
        assert_eq!(unknown, Vec::<String>::new(), "{path}");
    }
    let page = names(&read("docs/publishing.md"));
    let missing: Vec<_> =
        names(&read("src/cli/environment.rs")).into_iter().filter(|name| !page.contains(name)).collect();
    assert_eq!(missing, Vec::<String>::new(), "docs/publishing.md");
}

#[test]
fn the_pods_of_the_examples_may_do_nothing_that_a_run_does_not_need() {
    for path in ["examples/cron/cronjob.yaml", "examples/fleet/cronjob.yaml"] {
        let job = documents(path).swap_remove(0);
        let pod = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
        let container = &pod["containers"][0];
        assert_eq!(job["spec"]["concurrencyPolicy"], "Forbid", "{path}");
        assert_eq!(pod["restartPolicy"], "Never", "{path}");
        assert_eq!(
            (&pod["securityContext"]["runAsNonRoot"], &pod["securityContext"]["runAsUser"]),
            (&true.into(), &65532.into())
        );
        assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault", "{path}");
        let context = serde_json::json!({
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
        });
        assert_eq!(container["securityContext"], context, "{path}");
        // Secrets are files, and never stand in the environment.
        let variables = container["env"].as_array().expect("variables");
        assert!(variables.iter().all(|variable| variable["valueFrom"]["secretKeyRef"].is_null()), "{path}");
        let writable: Vec<_> = container["volumeMounts"]
            .as_array()
            .expect("mounts")
            .iter()
            .filter(|mount| mount["readOnly"] != true)
            .collect();
        assert_eq!(writable.len(), 1, "{path}");
        assert_eq!(writable[0]["mountPath"], "/tmp", "{path}");
    }
    let fleet = documents("examples/fleet/cronjob.yaml").swap_remove(0);
    let job = &fleet["spec"]["jobTemplate"]["spec"];
    let shards = format!("$(JOB_COMPLETION_INDEX)/{}", job["completions"]);
    let arguments = job["template"]["spec"]["containers"][0]["args"].as_array().expect("arguments");
    assert!(arguments.contains(&shards.into()) && job["parallelism"] == job["completions"], "{arguments:?}");
}

#[test]
fn the_page_on_workstations_goes_as_it_is_told() {
    const SHOWN: &str = "https://git.example.org/platform/clusters.git";
    let (home, page) = (home(), read("examples/workstation/README.md"));
    let readme = read("README.md");
    let fence = |first: &str| {
        let fences = fences(&readme);
        let found = fences.into_iter().find(|fence| fence.lines.first() == Some(&first)).expect("a file of the README");
        found.lines[1..].join("\n")
    };
    let seed = format!(
        "exec 2>&1
set -e
git init -q --bare --initial-branch main clusters.git
git init -q --initial-branch main seed
cd seed
bobbypin init edge --platform generic -q
cat >clusters/edge/cluster.yaml <<'END'\n{}\nEND
cat >>clusters/edge/pins.yaml <<'END'\n{}\nEND
git add -A
git commit -q -m 'edge: settings for bobbypin'
git push -q ../clusters.git main
cp $EXAMPLES/dns.yaml $EXAMPLES/objects.yaml ..
bobbypin reconcile --remote ../clusters.git --inventory ../objects.yaml --inventory ../dns.yaml
cp $EXAMPLES/objects-later.yaml ../objects.yaml
",
        fence("# clusters/edge/cluster.yaml"),
        fence("# add to clusters/edge/pins.yaml")
    );
    let seeded = sh(home.path(), &seed);
    assert!(seeded.status.success(), "{}", String::from_utf8_lossy(&seeded.stdout));

    let login = Login { user: "bobbypin", password: "canary-77c1" };
    let options = Options { login: Some(login.clone()), ..Options::default() };
    let server = GitServer::start(&home.path().join("clusters.git"), options);
    fs::write(home.path().join("gitea-token"), format!("{}\n", login.password)).expect("a file of ours");
    let helper = format!("!f() {{ echo username={}; echo password={}; }}; f", login.user, login.password);
    let config = fs::read_to_string(home.path().join(".gitconfig")).expect("a file of ours");
    fs::write(home.path().join(".gitconfig"), format!("{config}[credential]\n\thelper = \"{helper}\"\n"))
        .expect("a file of ours");

    let (script, shown) = steps(&page);
    let script = format!("export BOBBYPIN_GITEA_TOKEN_FILE=~/gitea-token\n{}", script.replace(SHOWN, &server.url()));
    let output = String::from_utf8(sh(home.path(), &script).stdout).expect("UTF-8").replace(&server.url(), SHOWN);
    assert!(!output.contains(login.password));
    expect_as_shown(&shown, &output, &home.path().display().to_string());
}

#[test]
fn the_list_of_signers_on_the_page_is_one() {
    let page = read("docs/publishing.md");
    let list = fences(&page).into_iter().find(|fence| fence.language == "text").expect("a list").lines.join("\n");
    let signers = bobbypin::config::parse_signers(&list).expect("a list that can be used");
    assert_eq!((signers.ssh.len(), signers.gpg.len()), (2, 0));
}

#[test]
fn the_image_is_made_of_files_that_are_there_and_has_no_root() {
    let text = read("Containerfile");
    let lines: Vec<_> = text.lines().filter(|line| !line.starts_with([' ', '#'])).collect();
    let with = |word: &str| lines.iter().filter_map(|line| line.strip_prefix(word)).collect::<Vec<_>>();
    assert_eq!(with("ADD "), Vec::<&str>::new());
    let (own, built): (Vec<_>, Vec<_>) = with("COPY ").into_iter().partition(|line| !line.starts_with("--from="));
    assert_eq!(built, ["--from=build /image/ /"]);
    for line in own {
        let paths: Vec<_> = line.split(' ').collect();
        for path in &paths[..paths.len() - 1] {
            assert!(fs::metadata(project().join(path)).is_ok(), "{path}");
        }
    }
    assert_eq!(with("FROM "), ["${BUILDER} AS build", "scratch"]);
    assert_eq!(with("USER "), ["65532:65532"]);
    assert_eq!(with("ENTRYPOINT "), [r#"["/usr/local/bin/bobbypin"]"#]);
    let manifest = read("Cargo.toml");
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = ")).expect("a version of Rust");
    assert_eq!(with("ARG "), [format!("BUILDER=docker.io/library/rust:{}-alpine", version.trim_matches('"'))]);
    assert!(manifest.contains("[profile.dist]") && text.contains("--profile dist"));
}

/// The step for workflows, without an engine.
struct Action {
    document: Value,
    sandbox: Sandbox,
}

impl Action {
    fn new() -> Self {
        Self { document: documents("action.yml").swap_remove(0), sandbox: Sandbox::empty() }
    }

    fn file(&self, path: &str) -> PathBuf {
        self.sandbox.root().join(path)
    }

    /// A program that is not the real one.
    fn program(&self, path: &str, script: &str) {
        let path = self.file(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder of ours");
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a folder of ours");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a file of ours");
    }

    /// Runs a part as an engine does, with every variable that it has, but for other values of some.
    fn part(&self, index: usize, values: &[(&str, &str)]) -> (Output, String) {
        let part = &self.document["runs"]["steps"][index];
        let outputs = self.file("outputs");
        fs::write(&outputs, "").expect("a file of ours");
        let mut command = self.sandbox.scrubbed("sh", &self.sandbox.root());
        for name in part["env"].as_object().expect("variables").keys() {
            command.env(name, "");
        }
        let path =
            env::join_paths([self.file("bin"), "/usr/bin".into(), "/bin".into()]).expect("folders without a colon");
        command
            .args(["-e", "-c", part["run"].as_str().expect("a script")])
            .env("PATH", path)
            .envs([("GITHUB_SERVER_URL", "https://git.example.org/"), ("GITHUB_REPOSITORY", "platform/clusters")])
            .envs([("GITHUB_API_URL", "https://git.example.org/api/v1"), ("GITHUB_EVENT_NAME", "pull_request")])
            .env("GITHUB_OUTPUT", &outputs)
            .env("RUNNER_TOOL_CACHE", self.file("cache"))
            .env("RUNNER_TEMP", self.file("tmp"))
            .envs(values.iter().copied());
        let output = command.output().expect("a shell");
        (output, fs::read_to_string(outputs).expect("a file of ours"))
    }
}

#[test]
fn the_page_on_workflows_has_every_input_and_output_of_the_action() {
    let action = documents("action.yml").swap_remove(0);
    let page = read("examples/gitea-actions/README.md");
    let rows: BTreeSet<_> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once("` |"))
        .map(|(name, _)| name.to_owned())
        .collect();
    let keys = |name: &str| action[name].as_object().expect("a map").keys().cloned().collect::<BTreeSet<_>>();
    let named: BTreeSet<_> = rows.into_iter().filter(|name| !name.ends_with(".yaml")).collect();
    assert_eq!(named, keys("inputs").union(&keys("outputs")).cloned().collect());
}

#[test]
fn no_script_of_the_action_or_of_a_workflow_holds_an_expression() {
    let action = documents("action.yml").swap_remove(0);
    let mut steps = action["runs"]["steps"].as_array().expect("steps").clone();
    for name in ["diff", "reconcile"] {
        let workflow = documents(&format!("examples/gitea-actions/{name}.yaml")).swap_remove(0);
        steps.extend(workflow["jobs"][name]["steps"].as_array().expect("steps").clone());
    }
    let scripts: Vec<_> = steps.iter().filter_map(|step| step["run"].as_str()).collect();
    assert_eq!(scripts.len(), 7);
    assert!(scripts.iter().all(|script| !script.contains("${{")), "{scripts:#?}");
}

#[test]
fn the_action_builds_the_program_once_for_every_version() {
    let action = Action::new();
    let call = || action.part(0, &[("ACTION", &action.file("action").display().to_string())]);
    fs::create_dir(action.file("action")).unwrap();
    fs::write(action.file("action/Cargo.toml"), "one").unwrap();
    let (missing, _) = call();
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("there is no cargo"), "{missing:?}");

    // It notes that it was asked, and makes a program where it was told to.
    let log = action.file("asked");
    let cargo = format!(
        "echo asked >>'{}'\n[ \"$1 $2 $3\" = 'install --locked --path' ] || exit 9\nmkdir \"$6/bin\"\nprintf '#!/bin/sh\\necho bobbypin\\n' >\"$6/bin/bobbypin\"\nchmod 755 \"$6/bin/bobbypin\"",
        log.display()
    );
    action.program("bin/cargo", &cargo);
    let asked = || fs::read_to_string(&log).unwrap_or_default().lines().count();
    let (first, outputs) = call();
    assert!(first.status.success(), "{first:?}");
    let again = call();
    assert_eq!((outputs.as_str(), asked()), (again.1.as_str(), 1));
    fs::write(action.file("action/Cargo.toml"), "two").unwrap();
    let (_, other) = call();
    assert!(other != outputs && asked() == 2, "{other}");
    let left = fs::read_dir(action.file("cache/bobbypin"))
        .unwrap()
        .flat_map(|version| fs::read_dir(version.unwrap().path()).unwrap());
    assert!(left.map(|entry| entry.unwrap().file_name()).all(|name| name == "bin"), "nothing unfinished is left");
    // One that is broken off is no program.
    action.program("bin/cargo", "exit 101");
    fs::write(action.file("action/Cargo.toml"), "three").unwrap();
    assert_eq!(call().0.status.code(), Some(101));
}

#[test]
fn the_action_ends_as_the_program_does_but_for_differences() {
    let action = Action::new();
    let program = action.file("program").display().to_string();
    let run = |command: &str, code: i32, printed: &str| {
        action.program("program", &format!("printf '%s' '{printed}'\nexit {code}"));
        let work = action.sandbox.work().display().to_string();
        let (output, outputs) = action.part(1, &[("BINARY", &program), ("COMMAND", command), ("REPOSITORY", &work)]);
        let wanted = |line: &&str| ["has-changes", "commit", "pull-request"].iter().any(|key| line.starts_with(key));
        (output.status.code(), outputs.lines().filter(wanted).collect::<Vec<_>>().join(" "))
    };
    let rows = [
        ("diff", 0, "No changes.", 0, "has-changes=false commit= pull-request="),
        ("diff", 1, "### edge", 0, "has-changes=true commit= pull-request="),
        ("diff", 4, "### edge", 4, "has-changes=true commit= pull-request="),
        ("diff", 4, "No changes.", 4, "has-changes=false commit= pull-request="),
        ("diff", 2, "", 2, "has-changes=false commit= pull-request="),
        (
            "reconcile",
            0,
            "{\n  \"outcome\": \"UpToDate\",\n  \"commit\": null\n}",
            0,
            "has-changes=false commit= pull-request=",
        ),
        (
            "reconcile",
            4,
            "{\n  \"outcome\": \"Committed\",\n  \"commit\": \"0a1b\",\n  \"plan\": {\n    \"commit\": \"ffff\",\n    \"number\": 1\n  }\n}",
            4,
            "has-changes=true commit=0a1b pull-request=",
        ),
        (
            "reconcile",
            0,
            "{\n  \"outcome\": \"PullRequest\",\n  \"commit\": \"0a1b\",\n  \"pullRequest\": {\n    \"action\": \"created\",\n    \"number\": 7\n  }\n}",
            0,
            "has-changes=true commit=0a1b pull-request=7",
        ),
        (
            "reconcile",
            6,
            "{\n  \"kind\": \"Error\",\n  \"exitReason\": \"Git\"\n}",
            6,
            "has-changes=false commit= pull-request=",
        ),
    ];
    for (command, code, printed, wanted, outputs) in rows {
        assert_eq!(run(command, code, printed), (Some(wanted), outputs.to_owned()), "{command} {code} {printed}");
    }
    assert_eq!(run("apply", 0, "").0, Some(2));
}

#[test]
fn the_action_gives_the_token_only_to_what_needs_it_and_takes_no_name_for_a_pattern() {
    let action = Action::new();
    let program = action.file("program").display().to_string();
    action.program("program", "echo \"$# $*\"\necho \"token ${BOBBYPIN_GITEA_TOKEN-none}\"");
    let work = action.sandbox.work().display().to_string();
    let run = |values: &[(&str, &str)]| {
        let common = [("BINARY", program.as_str()), ("REPOSITORY", &work), ("BOBBYPIN_GITEA_TOKEN", "canary")];
        let (output, _) = action.part(1, &[&common[..], values].concat());
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with("::")).collect();
        let plan = lines[0].split(' ').find(|word| word.ends_with("plan.json")).unwrap_or("plan.json").to_owned();
        lines.join("\n").replace(&plan, "plan.json")
    };
    let diff = [("COMMAND", "diff"), ("CLUSTERS", "edge *"), ("INVENTORY", "a b.yaml\n*.yaml")];
    insta::assert_snapshot!(run(&diff), @r"
    13 diff --cluster edge --cluster * -o markdown --plan-out plan.json --inventory a b.yaml --inventory *.yaml
    token none
    ");
    insta::assert_snapshot!(run(&[("COMMAND", "diff"), ("COMMENT", "true")]), @r"
    6 diff -o markdown --plan-out plan.json --comment
    token canary
    ");
    let github = [("COMMAND", "diff"), ("COMMENT", "true"), ("GITHUB_API_URL", "https://api.github.com")];
    insta::assert_snapshot!(run(&github), @r"
    5 diff -o markdown --plan-out plan.json
    token none
    ");
    let push = [("COMMAND", "diff"), ("COMMENT", "true"), ("GITHUB_EVENT_NAME", "push")];
    assert!(run(&push).ends_with("token none"));
    insta::assert_snapshot!(run(&[("COMMAND", "reconcile"), ("PUBLISH", "commit")]), @r"
    7 reconcile -o json --remote https://git.example.org/platform/clusters.git --publish commit
    token canary
    ");
}

#[test]
fn nothing_that_is_printed_is_taken_for_an_order_to_the_runner() {
    let action = Action::new();
    let program = action.file("program").display().to_string();
    action.program("program", "echo '::set-output name=has-changes::true'");
    let work = action.sandbox.work().display().to_string();
    let (output, _) = action.part(1, &[("BINARY", &program), ("COMMAND", "diff"), ("REPOSITORY", &work)]);
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let word = lines[0].strip_prefix("::stop-commands::").expect("orders are stopped first");
    assert_eq!(lines[1..], ["::set-output name=has-changes::true", &format!("::{word}::")]);
    assert!(word.len() > 12, "a word that nobody can guess: {word}");
}
