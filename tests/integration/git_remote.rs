//! Repositories on servers are read and published to as those of this machine are, whatever the server speaks.

use std::path::Path;

use bobbypin::{
    edge::{
        git::{Access, GitError, Location, NewCommit, PublishError, Target, Wanted},
        http::Credentials,
    },
    model::{digest::Digest, tree::CommitId},
};

use crate::support::{
    git::{LATER, TestRepository, author, change, path, texts},
    git_server::{GitServer, Login, Options, Protocol, Scheme, Script},
    git_ssh::{AcceptEnv, SshServer},
};

const LOGIN: Login = Login { user: "bot", password: "canary-5e0c" };

fn access() -> Access {
    let credentials = Credentials::Basic { username: LOGIN.user.to_owned(), password: LOGIN.password.into() };
    Access { credentials: Some(credentials), authorities: None, ssh_key: None, ssh_known_hosts: None, seconds: 20 }
}

fn open(url: &str, access: &Access) -> Target {
    let place = Location::parse(url, Path::new("/")).expect("an address");
    Target::open(place, access).expect("a client")
}

/// Three commits; the last has a folder that is wanted and one that is not.
fn repository() -> (TestRepository, CommitId) {
    let repository = TestRepository::bare();
    repository.commit(&[("clusters/edge/cluster.yaml", Some("one"))]);
    repository.commit(&[("clusters/edge/cluster.yaml", Some("two")), ("bobbypin.yaml", Some("settings"))]);
    let tip = repository.commit(&[("other/large.bin", Some("nobody asks for this")), ("clusters/x", Some(""))]);
    (repository, tip)
}

/// Reads, looks at the history, publishes on top, and is refused on the old base: the same for every way to a server.
fn goes_all_the_way(name: &str, repository: &TestRepository, tip: &CommitId, target: &Target) {
    let snapshot = target.read("main", &Wanted::default()).unwrap_or_else(|error| panic!("{name}: {error:#?}"));
    assert_eq!(snapshot.tree.base.as_ref(), Some(tip), "{name}");
    let expected = [("bobbypin.yaml", "settings"), ("clusters/edge/cluster.yaml", "two"), ("clusters/x", "")];
    let expected: Vec<_> = expected.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect();
    assert_eq!(texts(&snapshot.tree), expected, "{name}");
    let past = snapshot.history(&[path("clusters/edge/cluster.yaml")], 50).expect(name);
    assert_eq!(past.iter().map(|past| past.changes.len()).collect::<Vec<_>>(), [0, 1, 1], "{name}");
    assert_eq!(target.read_default(&Wanted::default()).expect(name).branch, "main", "{name}");

    let author = author();
    let files = [change("clusters/edge/manifests/a.yaml", None, Some("a: 1\n")), change("clusters/x", Some(""), None)];
    let request = NewCommit {
        branch: "main",
        base: Some(tip),
        files: &files,
        message: "edge: 1 host added",
        author: &author,
        at: LATER,
        signer: None,
    };
    let prepared = snapshot.prepare(request).expect(name);
    assert_eq!(repository.tip(), *tip, "{name}: preparing is no publishing");
    let published = target.publish(&prepared).unwrap_or_else(|error| panic!("{name}: {error:#?}"));
    assert_eq!(repository.tip(), published.commit, "{name}");
    assert_eq!(repository.text("clusters/edge/manifests/a.yaml"), "a: 1", "{name}");
    assert_eq!(repository.text("other/large.bin"), "nobody asks for this", "{name}");
    repository.expect_sound();
    // The same again is found there already.
    assert_eq!(target.publish(&prepared).expect(name).commit, published.commit, "{name}");

    repository.commit(&[("clusters/y", Some("somebody else"))]);
    assert_eq!(target.publish(&prepared).expect(name).commit, published.commit, "{name}: it is below the tip");
    let again = snapshot.prepare(NewCommit { message: "another", ..request }).expect(name);
    let moved = target.publish(&again);
    assert!(matches!(moved, Err(PublishError::Moved { .. })), "{name}: {moved:?}");
    assert_eq!(repository.text("clusters/y"), "somebody else", "{name}");
}

#[test]
fn a_branch_is_read_and_published_to_over_every_kind_of_http() {
    let filter = ["uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"];
    for (name, options, settings) in [
        ("with a filter", Options::default(), &filter[..]),
        ("without a filter", Options::default(), &[]),
        ("the older protocol", Options { protocol: Protocol::Zero, ..Options::default() }, &[]),
        ("the older protocol with a filter", Options { protocol: Protocol::Zero, ..Options::default() }, &filter),
        (
            "https below a path with a password",
            Options { scheme: Scheme::Https, sub_path: "/forge", login: Some(LOGIN), ..Options::default() },
            &filter,
        ),
    ] {
        let (repository, tip) = repository();
        let server = GitServer::start(&repository.path, options);
        for setting in settings {
            server.configure(setting, "true");
        }
        let authorities = server.authority().map(|pem| pem.as_bytes().to_vec());
        let target = open(&server.url(), &Access { authorities, ..access() });
        goes_all_the_way(name, &repository, &tip, &target);
    }
}

#[test]
fn a_branch_is_read_and_published_to_over_ssh() {
    for (name, accept) in [("the older protocol", AcceptEnv::Nothing), ("the newer", AcceptEnv::GitProtocol)] {
        let (repository, tip) = repository();
        let server = SshServer::start(accept).expect("sshd is installed (Debian: openssh-server)");
        let keys =
            |access| Access { ssh_key: Some(server.identity()), ssh_known_hosts: Some(server.known_hosts()), ..access };
        let target = open(&server.url(&repository.path), &keys(access()));
        goes_all_the_way(name, &repository, &tip, &target);

        let stranger = repository.folder.path().join("nobody");
        repository.write("../nobody", "");
        let strange = Access { ssh_known_hosts: Some(stranger), ..keys(access()) };
        let error = open(&server.url(&repository.path), &strange).read("main", &Wanted::default()).err().expect(name);
        let hint = "add the server's key to known_hosts after checking it, or set BOBBYPIN_SSH_KNOWN_HOSTS_FILE";
        assert_eq!(error.hint().as_deref(), Some(hint), "{name}: {error:?}");
    }
}

#[test]
fn only_the_files_that_are_wanted_come_over_the_network() {
    let repository = TestRepository::bare();
    // What cannot be made smaller: each number is the digest of the one before.
    let digest = |text: &String| Some(Digest::of(text.as_bytes()).to_string());
    let large: String = std::iter::successors(Some(String::new()), digest).take(3_000).collect();
    let tip = repository.commit(&[("other/large.bin", Some(&large)), ("clusters/edge/cluster.yaml", Some("one"))]);
    let server = GitServer::start(&repository.path, Options::default());
    let whole = |server: &GitServer| server.requests().iter().map(|request| request.sent).sum::<u64>();
    let read = || open(&server.url(), &access()).read("main", &Wanted::default()).expect("a branch").tree.base;
    assert_eq!(read(), Some(tip.clone()));
    let with_all = whole(&server);
    server.forget();
    server.configure("uploadpack.allowFilter", "true");
    assert_eq!(read(), Some(tip));
    let with_few = whole(&server);
    assert!(with_few < 4_000 && with_few < with_all, "{with_few} of {with_all} bytes");
}

#[test]
fn an_empty_repository_gets_its_first_commit_and_a_branch_that_is_missing_is_named() {
    let repository = TestRepository::bare();
    let server = GitServer::start(&repository.path, Options::default());
    let target = open(&server.url(), &access());
    let snapshot = target.read("main", &Wanted::default()).expect("an empty repository");
    assert_eq!((snapshot.tree.base.as_ref(), snapshot.tree.entries.len()), (None, 0));
    let (author, files) = (author(), [change("clusters/a", None, Some("1"))]);
    let message = "first";
    let request =
        NewCommit { branch: "main", base: None, files: &files, message, author: &author, at: LATER, signer: None };
    let prepared = snapshot.prepare(request).expect("a free branch");
    target.publish(&prepared).expect("a free branch");
    assert_eq!(repository.text("clusters/a"), "1");
    let missing = target.read("prod", &Wanted::default()).err();
    let Some(GitError::BranchMissing { branches, .. }) = missing else { panic!("{missing:?}") };
    assert_eq!(branches, ["main"]);
}

/// What a server answers, and what is made of it.
#[test]
fn every_refusal_is_told_with_the_servers_words_and_what_to_do() {
    let page = b"<html><head><title>Sign in</title></head></html>".to_vec();
    let html = vec![("Content-Type", "text/html; charset=utf-8".to_owned())];
    let script = |path, status, headers: &[(&'static str, String)], body: &[u8]| Script {
        path,
        times: usize::MAX,
        status,
        headers: headers.to_vec(),
        body: body.to_vec(),
    };
    let moved = vec![("Location", "https://other.example.org/a.git/info/refs?token=x".to_owned())];
    let json = br#"{"message":"token canary-5e0c is not\nfine"}"#;
    let (reading, pushing) = ("info/refs?service=git-upload-pack", "git-receive-pack");
    let rows = [
        ("401", script(reading, "401 Unauthorized", &[], b"")),
        ("403", script(reading, "403 Forbidden", &[], b"you may not")),
        ("404", script(reading, "404 Not Found", &[], b"Not Found")),
        ("JSON, with a token in it", script(reading, "423 Locked", &[], json)),
        ("a page", script(reading, "200 OK", &html, &page)),
        ("a page of a proxy", script(reading, "502 Bad Gateway", &html, &page)),
        ("elsewhere", script(reading, "301 Moved Permanently", &moved, b"")),
        ("not Git", script(reading, "200 OK", &[("Content-Type", "text/plain".to_owned())], b"hello")),
        ("too large", script(pushing, "413 Request Entity Too Large", &html, &page)),
        ("too often", script(pushing, "429 Too Many Requests", &[("Retry-After", "600".to_owned())], b"slow down")),
        ("not to be pushed to", script(pushing, "403 Forbidden", &[], b"archived")),
    ];
    let mut told = String::new();
    for (name, script) in rows {
        let (repository, tip) = repository();
        let server = GitServer::start(&repository.path, Options::default());
        let is_reading = script.path == reading;
        let target = open(&server.url(), &access());
        let snapshot = (!is_reading).then(|| target.read("main", &Wanted::default()).expect("a branch"));
        server.script(script);
        let (author, files) = (author(), [change("clusters/a", None, Some("1"))]);
        let message = "first";
        let request = NewCommit {
            branch: "main",
            base: Some(&tip),
            files: &files,
            message,
            author: &author,
            at: LATER,
            signer: None,
        };
        let (error, hint): (Box<dyn std::error::Error>, _) = match snapshot {
            None => {
                let error = target.read("main", &Wanted::default()).err().expect(name);
                let hint = error.hint();
                (error.into(), hint)
            }
            Some(snapshot) => {
                let error = target.publish(&snapshot.prepare(request).expect(name)).expect_err(name);
                let hint = error.hint();
                (error.into(), hint)
            }
        };
        told += &format!("{name}: {}\n", chain(&*error).replace(&format!(":{}", server.port()), ":PORT"));
        told += &format!("  {}\n", hint.unwrap_or("none".to_owned()));
        assert_eq!(repository.tip(), tip, "{name}");
    }
    insta::assert_snapshot!(told, @"
    401: cannot use the repository `http://127.0.0.1:PORT/repository` <- http://127.0.0.1:PORT answers 401
      the token is unknown to the server, or has expired: make a new one for BOBBYPIN_GITEA_TOKEN (or BOBBYPIN_GIT_USERNAME and BOBBYPIN_GIT_PASSWORD)
    403: cannot use the repository `http://127.0.0.1:PORT/repository` <- http://127.0.0.1:PORT answers 403: you may not
      the token needs the scope `write:repository`, and its user the right to write to the repository
    404: cannot use the repository `http://127.0.0.1:PORT/repository` <- http://127.0.0.1:PORT answers 404: Not Found
      check owner and name of the repository; a server says this too when the user may not see it
    JSON, with a token in it: cannot use the repository `http://127.0.0.1:PORT/repository` <- http://127.0.0.1:PORT answers 423: token *** is not fine
      the repository takes no changes now: it is archived, or at work on itself
    a page: cannot use the repository `http://127.0.0.1:PORT/repository` <- http://127.0.0.1:PORT answers with a web page (`Sign in`), not as a Git server does
      check the address; a login page of a proxy must let Git pass
    a page of a proxy: cannot use the repository `http://127.0.0.1:PORT/repository` <- http://127.0.0.1:PORT answers 502: a web page (`Sign in`)
      run again; the server's own log says more
    elsewhere: cannot use the repository `http://127.0.0.1:PORT/repository` <- no answer from http://127.0.0.1:PORT <- it sends elsewhere (301, to `https://other.example.org/a.git/info/refs`), and nothing is followed because credentials would go along
      set the remote to the address that it names
    not Git: cannot use the repository `http://127.0.0.1:PORT/repository` <- http://127.0.0.1:PORT answers with `text/plain`, not as a Git server does
      check the address; a login page of a proxy must let Git pass
    too large: cannot push to the branch `main` <- http://127.0.0.1:PORT answers 413: a web page (`Sign in`)
      let the proxy before the server accept larger requests (nginx: client_max_body_size)
    too often: cannot push to the branch `main` <- http://127.0.0.1:PORT answers 429: slow down
      run less often; the server wants to be left alone
    not to be pushed to: cannot push to the branch `main` <- http://127.0.0.1:PORT answers 403: archived
      take the repository out of the archive, or publish to another one
    ");
}

#[test]
fn what_a_hook_says_arrives() {
    let (repository, tip) = repository();
    let server = GitServer::start(&repository.path, Options::default());
    server.hook("pre-receive", "echo 'Gitea: Not allowed to push to protected branch main' >&2; exit 1");
    let target = open(&server.url(), &access());
    let snapshot = target.read("main", &Wanted::default()).expect("a branch");
    let (author, files) = (author(), [change("clusters/a", None, Some("1"))]);
    let message = "first";
    let request = NewCommit {
        branch: "main",
        base: Some(&tip),
        files: &files,
        message,
        author: &author,
        at: LATER,
        signer: None,
    };
    let error = target.publish(&snapshot.prepare(request).expect("a commit")).expect_err("a hook");
    assert_eq!(
        error.to_string(),
        "the server refuses the commit: pre-receive hook declined; it says: Gitea: Not allowed to push to protected branch main"
    );
    assert_eq!(repository.tip(), tip);
}

#[test]
fn a_server_that_drips_or_says_nothing_ends_with_the_time_that_was_given() {
    use crate::support::fault_proxy::{Direction, Fault, FaultProxy};
    let (repository, _) = repository();
    let server = GitServer::start(&repository.path, Options::default());
    let proxy = FaultProxy::start(server.port());
    for fault in [
        Fault::Drip { direction: Direction::ToClient, bytes_per_second: 1 },
        Fault::BlackHole { direction: Direction::ToClient, after: 300 },
    ] {
        proxy.begin(fault);
        let target = open(&server.url_at(proxy.port()), &Access { seconds: 1, ..access() });
        let error = target.read("main", &Wanted::default()).err().expect("no time");
        assert!(chain(&error).contains("there was no whole answer within 1s"), "{}", chain(&error));
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text += &format!(" <- {cause}");
        next = cause.source();
    }
    text
}
