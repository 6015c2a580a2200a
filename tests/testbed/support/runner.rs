//! What runs the workflows of a repository, on this machine and without a container.

use std::{env, fs, process::Command, time::Duration};

use serde_json::json;

use crate::support::{
    component,
    gitea::{Gitea, Repo},
    process::{Process, folder},
};

/// A runner of one repository, for its jobs with `runs-on: ubuntu-latest`.
///
/// It ends with the tests at once; a step that runs at that time goes on to its own end.
#[derive(Debug)]
pub(crate) struct Runner {
    process: Process,
}

impl Runner {
    /// Registers a runner and starts it. The steps see this `PATH`, a `HOME` of their own, and nothing else of the
    /// tests' environment.
    ///
    /// # Panics
    ///
    /// When the server does not take it: with the end of what it printed.
    pub(crate) fn start(gitea: &Gitea, repo: &Repo, path: &str) -> Self {
        let folder = folder();
        let home = folder.join("home");
        fs::create_dir(&home).expect("a folder of ours");
        // Its ordinary pace is made for people: seconds between two looks for jobs, and between two reports.
        let config = json!({
            "runner": {
                "file": folder.join("registration"),
                "fetch_interval": "100ms", "fetch_interval_max": "100ms",
                "log_report_interval": "200ms", "log_report_max_latency": "100ms", "state_report_interval": "200ms",
            },
            "cache": {"enabled": false},
            "host": {"workdir_parent": folder.join("work")},
        });
        let config_file = folder.join("config.yaml");
        fs::write(&config_file, config.to_string()).expect("a folder of ours");
        let mut environment = vec![("PATH", path.to_owned()), ("HOME", home.display().to_string())];
        environment.extend(gitea.authority().map(|file| ("SSL_CERT_FILE", file.display().to_string())));

        let config = format!("--config={}", config_file.display());
        let registered = Command::new(component("gitea-runner"))
            .args([&config, "register", "--no-interactive", "--name=testbed", "--labels=ubuntu-latest:host"])
            .args(["--instance", gitea.url(), "--token", &gitea.runner_token(repo)])
            .env_clear()
            .envs(environment.clone())
            .output()
            .expect("a program of ours");
        assert!(registered.status.success(), "not registered: {}", String::from_utf8_lossy(&registered.stderr));

        let arguments = [config, "daemon".to_owned()];
        let mut process = Process::start_with(&component("gitea-runner"), &arguments, &environment, &folder);
        let is_ready = || fs::read_to_string(folder.join("log")).is_ok_and(|log| log.contains("declare successfully"));
        assert!(process.becomes_ready(Duration::from_secs(30), is_ready), "the runner ended:\n{}", process.printed());
        Self { process }
    }

    /// The `PATH` of the tests.
    pub(crate) fn path_of_tests() -> String {
        env::var("PATH").expect("a PATH")
    }

    /// The end of what it printed.
    pub(crate) fn printed(&self) -> String {
        self.process.printed()
    }
}
