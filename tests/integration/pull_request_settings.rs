//! What pull requests need besides changes is told in words, before anything is read or written.

use std::path::Path;

use bobbypin::{
    edge::{
        git::{Access, Location, Target},
        http::Credentials,
    },
    model::repository::{GiteaServer, RepositoryConfig, Transport},
    ops::pull_request::Forge,
};

use crate::support::cli::{EDGE, Sandbox, assert_told};

/// What is wrong with publishing to a server by pull requests, and what to do about it.
fn told(remote: &str, has_token: bool, gitea: GiteaServer) -> String {
    let location = Location::parse(remote, Path::new("/")).expect("an address");
    let access = Access {
        credentials: has_token.then(|| Credentials::Token("canary".into())),
        authorities: None,
        ssh_key: None,
        ssh_known_hosts: None,
        seconds: 1,
    };
    let target = Target::open(location, &access).expect("nothing is contacted");
    let settings = RepositoryConfig { gitea, ..RepositoryConfig::default() };
    match Forge::of(&target, &settings) {
        Ok(_) => "all is well".to_owned(),
        Err(error) => {
            assert!(error.is_configuration(), "{error}");
            format!("{error}\n  help: {}", error.hint().unwrap_or_default())
        }
    }
}

#[test]
fn every_setting_that_is_missing_is_named_with_what_to_do_about_it() {
    const REMOTE: &str = "https://git.example.org/tenant-acme/shop.git";
    let none = GiteaServer::default;
    assert_eq!(told(REMOTE, true, none()), "all is well");
    assert_eq!(told("git@git.example.org:tenant-acme/shop.git", true, none()), "all is well");
    // Who asks may stand in the remote's address.
    let with_login = REMOTE.replace("https://", "https://bot:canary@");
    assert_eq!(told(&with_login, false, none()), "all is well");
    insta::assert_snapshot!(told(REMOTE, false, none()), @"
    the API of the server needs an access token, and there is none
      help: set BOBBYPIN_GITEA_TOKEN to one with the scopes write:repository and write:issue
    ");
    insta::assert_snapshot!(told("https://git.example.org/shop.git", true, none()), @"
    cannot tell which repository of a Gitea or Forgejo server `https://git.example.org/shop.git` is
      help: set spec.publish.gitea.url to the server's start page; the remote is below it, as owner/name.git
    ");
    let by_api = GiteaServer { transport: Transport::Api, ..none() };
    insta::assert_snapshot!(told(REMOTE, true, by_api), @"
    the branches of pull requests are pushed by Git, and `spec.publish.gitea.transport` is `api`
      help: set spec.publish.gitea.transport to `git`, or --publish commit
    ");
}

#[test]
fn a_folder_has_no_pull_requests() {
    let sandbox = Sandbox::edge();
    let before = sandbox.tip();
    assert_told!(sandbox.run(&["reconcile", "--publish", "pull-request", "--inventory", EDGE]), @"
    exit 2
    ── stderr
    error: cannot publish by a pull request
      because: `ROOT/remote.git` is a folder, and pull requests need a Gitea or Forgejo server
      help: set spec.publish.remote to the server's repository, or --publish commit
    ");
    assert_eq!(sandbox.tip(), before);
    sandbox.write(
        "bobbypin.yaml",
        "apiVersion: bobbypin.dev/v1alpha1\nkind: Repository\nspec: {publish: {mode: pull-request}}\n",
    );
    sandbox.push("by pull requests");
    sandbox.reconcile().expect(2);
    // What is asked for on the command line goes before the settings.
    let by_commit = sandbox.run(&["reconcile", "--publish", "commit", "--inventory", EDGE]);
    by_commit.expect(0);
    assert_ne!(sandbox.tip(), before);
}
