use super::*;

fn server(name: &str, change: impl FnOnce(&mut RegistryServer)) -> Server {
    let mut settings = RegistryServer::default();
    change(&mut settings);
    Server::new(name, settings, None).unwrap()
}

fn plain(settings: &mut RegistryServer) {
    settings.plain_http = true;
}

#[test]
fn a_registry_is_asked_where_it_is() {
    let url = |name: &str, change: fn(&mut RegistryServer)| server(name, change).url("a/manifests/1").to_string();
    for (name, change, asked) in [
        ("docker.io", (|_| ()) as fn(&mut RegistryServer), "https://registry-1.docker.io/v2/a/manifests/1"),
        ("ghcr.io", |_| (), "https://ghcr.io/v2/a/manifests/1"),
        ("a.example:5000", |_| (), "https://a.example:5000/v2/a/manifests/1"),
        ("a.example:5000", plain, "http://a.example:5000/v2/a/manifests/1"),
        ("localhost:5000", |_| (), "http://localhost:5000/v2/a/manifests/1"),
        ("[::1]:5000", |_| (), "http://[::1]:5000/v2/a/manifests/1"),
        ("localhost:5000", |own| own.authorities = Some(Vec::new()), "https://localhost:5000/v2/a/manifests/1"),
    ] {
        assert_eq!(url(name, change), asked);
    }
    assert!(Server::new("a.example:99999", RegistryServer::default(), None).is_err());
}

#[test]
fn tokens_come_from_the_registry_itself_or_from_where_they_may() {
    let named = |settings: &mut RegistryServer| settings.token_hosts = vec!["Login.example".to_owned()];
    let with_port = |settings: &mut RegistryServer| {
        settings.plain_http = true;
        settings.token_hosts = vec!["a.example:5001".to_owned()];
    };
    let none = (|_| ()) as fn(&mut RegistryServer);
    for (name, change, realm, found) in [
        ("ghcr.io", none, "https://ghcr.io/token", Some("https://ghcr.io/token")),
        ("ghcr.io", none, "https://ghcr.io:8443/token?a=b", Some("https://ghcr.io:8443/token?a=b")),
        ("docker.io", none, "https://auth.docker.io/token", Some("https://auth.docker.io/token")),
        ("docker.io", none, "https://auth.docker.io:8443/token", None),
        ("docker.io", none, "http://auth.docker.io/token", None),
        ("ghcr.io", none, "https://auth.docker.io/token", None),
        ("registry.gitlab.com", none, "https://gitlab.com/jwt/auth", Some("https://gitlab.com/jwt/auth")),
        ("ghcr.io", none, "http://ghcr.io/token", None),
        ("ghcr.io", none, "https://ghcr.io.example.org/token", None),
        ("ghcr.io", none, "https://user@ghcr.io/token", None),
        ("ghcr.io", none, "ftp://ghcr.io/token", None),
        ("a.example", named, "https://login.example/token", Some("https://login.example/token")),
        ("a.example", named, "http://login.example/token", None),
        ("a.example", plain, "http://a.example/token", Some("http://a.example/token")),
        ("a.example", plain, "https://a.example/token", Some("https://a.example/token")),
        ("a.example", plain, "http://a.example:5001/token", None),
        ("a.example", with_port, "http://a.example:5001/token", Some("http://a.example:5001/token")),
        ("a.example", plain, "http://127.0.0.1/token", None),
        ("localhost:5000", none, "http://localhost:5000/token", Some("http://localhost:5000/token")),
        ("localhost:5000", none, "http://localhost:5001/token", None),
        ("localhost:5000", none, "http://127.0.0.1:5000/token", None),
        // Gitea behind other names than that of its setting.
        ("a.svc:3000", plain, "https://git.example.org/v2/token", Some("http://a.svc:3000/v2/token")),
        ("a.example", none, "http://a.example/v2/token", Some("https://a.example/v2/token")),
        ("a.example", none, "https://git.example.org/git/v2/token", Some("https://a.example/v2/token")),
        ("a.example", none, "file:///v2/token", None),
    ] {
        let url = server(name, change).token_url(realm).ok().map(|url| url.to_string());
        assert_eq!(url.as_deref(), found, "{name} sends to {realm}");
    }
}

#[test]
fn what_is_asked_on_behalf_of_a_registry_reaches_no_further_than_it() {
    let reach = |name: &str, change: fn(&mut RegistryServer), url: &str| {
        let Reach { private, loopback } = server(name, change).reach(&Url::parse(url).unwrap());
        (private, loopback)
    };
    let private = (|settings| settings.private = true) as fn(&mut RegistryServer);
    assert_eq!(reach("a.example", |_| (), "https://a.example/"), (false, false));
    assert_eq!(reach("a.example", private, "https://a.example/"), (true, true));
    assert_eq!(reach("a.example", private, "https://b.example/"), (true, false));
    assert_eq!(reach("localhost:5000", |_| (), "http://127.0.0.1:9/"), (false, true));
    let may = |name: &str, url: &str| server(name, |_| ()).may_send_to(&Url::parse(url).unwrap());
    assert!(may("a.example", "https://b.example/"));
    assert!(!may("a.example", "http://b.example/"));
    assert!(!may("a.example", "http://127.0.0.1/"));
    assert!(may("127.0.0.1:5000", "http://127.0.0.1:9/"));
    assert!(!may("127.0.0.1:5000", "http://b.example/"));
    assert!(!may("127.0.0.1:5000", "file:///etc/passwd"));
}

#[test]
fn the_next_page_is_on_the_same_server() {
    let server = server("a.example", |_| ());
    let from = Url::parse("https://a.example/v2/shop/tags/list?n=2").unwrap();
    for (link, found) in [
        ("/v2/shop/tags/list?n=2&last=b", Some("https://a.example/v2/shop/tags/list?n=2&last=b")),
        ("list?last=b", Some("https://a.example/v2/shop/tags/list?last=b")),
        ("https://a.example/v2/shop/tags/list?last=b", Some("https://a.example/v2/shop/tags/list?last=b")),
        ("https://b.example/v2/shop/tags/list", None),
        ("http://a.example/v2/shop/tags/list", None),
        ("https://a.example:8443/v2/shop/tags/list", None),
        ("//b.example/v2/shop/tags/list", None),
        ("/admin", None),
        ("/v2/../admin", None),
    ] {
        assert_eq!(server.next(&from, link).map(|url| url.to_string()).as_deref(), found, "{link}");
    }
}
