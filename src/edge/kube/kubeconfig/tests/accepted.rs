//! The kubeconfigs that the usual programs write.

use insta::assert_snapshot;

use crate::edge::kube::kubeconfig::{
    Allowed, Contexts, Origin, ServerPolicy, contexts, from_text,
    tests::{
        TENANT, kubeconfig,
        material::{CERTIFICATE, KEY},
        outcome, read, run,
    },
};

fn with_certificates(server: &str, names: [&str; 3]) -> String {
    let [cluster, user, context] = names;
    format!(
        "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: {CERTIFICATE}\n    server: {server}\n  \
         name: {cluster}\ncontexts:\n- context:\n    cluster: {cluster}\n    user: {user}\n  name: {context}\n\
         current-context: {context}\nkind: Config\npreferences: {{}}\nusers:\n- name: {user}\n  user:\n    \
         client-certificate-data: {CERTIFICATE}\n    client-key-data: {KEY}\n"
    )
}

#[test]
fn what_the_usual_programs_write_is_accepted() {
    let own = Origin::Own(Allowed::default());
    let open = Origin::Tenant(ServerPolicy { allow_loopback: true, allow_link_local: false });
    let kubeadm = ["kubernetes", "kubernetes-admin", "kubernetes-admin@kubernetes"];
    let ca = format!("certificate-authority-data: {CERTIFICATE}");
    let cases = [
        ("kubeadm", own, with_certificates("https://192.0.2.10:6443", kubeadm)),
        ("k3s", own, with_certificates("https://127.0.0.1:6443", ["default", "default", "default"])),
        ("kind", own, with_certificates("https://127.0.0.1:40123", ["kind-kind", "kind-kind", "kind-kind"])),
        ("Cluster API", TENANT, with_certificates("https://192.0.2.20:6443", ["shop", "shop-admin", "shop-admin@shop"])),
        (
            "Kamaji",
            TENANT,
            with_certificates("https://kubernetes-shop.tenant-acme.svc:6443", ["shop", "super-admin", "super-admin@shop"]),
        ),
        ("a token", TENANT, kubeconfig(&format!("server: 'https://api.example.org', {ca}"), "token: abc.def")),
        ("a token and the system's authorities", TENANT, kubeconfig("server: 'https://api.example.org/k8s/c-1'", "token: abc")),
        ("a password", own, kubeconfig("server: 'https://api.example.org'", "username: a, password: b")),
        ("a proxy of kubectl", own, kubeconfig("server: 'http://localhost:8001'", "")),
        ("loopback, allowed", open, kubeconfig("server: 'https://[::1]:6443'", "token: abc")),
        (
            "blanks",
            TENANT,
            kubeconfig(
                "server: 'https://API.example.org', certificate-authority: '', proxy-url: ''",
                "token: abc, tokenFile: '', exec: null, auth-provider: null, as: '', as-groups: []",
            ),
        ),
        ("plain HTTP with nothing to steal", TENANT, kubeconfig("server: 'http://api.example.org'", "")),
        ("acting as somebody", own, kubeconfig("server: 'https://api.example.org'", "token: abc, as: viewer, as-groups: [a]")),
        ("JSON", own, r#"{"clusters":[{"name":"a","cluster":{"server":"https://10.0.0.1"}}],"users":[{"name":"u"}],"contexts":[{"name":"c","context":{"cluster":"a","user":"u"}}],"current-context":"c"}"#.to_owned()),
    ];
    let lines: Vec<_> =
        cases.iter().map(|(name, origin, text)| format!("{name}: {}", outcome(read(text, *origin)))).collect();
    assert_snapshot!(lines.join("\n"), @r#"
    kubeadm: Connection { server: "https://192.0.2.10:6443", login: ClientCertificate, .. }
    k3s: Connection { server: "https://127.0.0.1:6443", login: ClientCertificate, .. }
    kind: Connection { server: "https://127.0.0.1:40123", login: ClientCertificate, .. }
    Cluster API: Connection { server: "https://192.0.2.20:6443", login: ClientCertificate, .. }
    Kamaji: Connection { server: "https://kubernetes-shop.tenant-acme.svc:6443", login: ClientCertificate, .. }
    a token: Connection { server: "https://api.example.org:443", login: Token, .. }
    a token and the system's authorities: Connection { server: "https://api.example.org:443", login: Token, .. }
    a password: Connection { server: "https://api.example.org:443", login: Password, .. }
    a proxy of kubectl: Connection { server: "http://localhost:8001", login: None, .. }
    loopback, allowed: Connection { server: "https://[::1]:6443", login: Token, .. }
    blanks: Connection { server: "https://api.example.org:443", login: Token, .. }
    plain HTTP with nothing to steal: Connection { server: "http://api.example.org:80", login: None, .. }
    acting as somebody: Connection { server: "https://api.example.org:443", login: Token, .. }
    JSON: Connection { server: "https://10.0.0.1:443", login: None, .. }
    "#);
}

#[test]
fn only_the_context_that_is_used_counts() {
    let text = "
        contexts:
        - {name: bad, context: {cluster: bad, user: bad}}
        - {name: good, context: {cluster: good, user: good}}
        clusters:
        - {name: bad, cluster: {server: 'https://bad.example.org', insecure-skip-tls-verify: true}}
        - {name: good, cluster: {server: 'https://good.example.org'}}
        users:
        - {name: bad, user: {exec: {command: evil}}}
        - {name: bad, user: {exec: {command: evil}}}
        - {name: good, user: {token: abc}}
    ";
    let good = run(from_text(&text.into(), Some("good"), TENANT)).expect("a lawful context");
    assert_eq!(good.server(), "https://good.example.org:443");
    assert_snapshot!(outcome(run(from_text(&text.into(), Some("bad"), TENANT))), @r#"
    the kubeconfig has more than one user `bad`
      hint: give each user a name of its own
    "#);
}

#[test]
fn contexts_are_listed_sorted_and_unchecked() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config");
    let text = "
        current-context: b
        contexts: [{name: b, context: {cluster: x}}, {name: a, context: {cluster: x}}, {name: b, context: {cluster: y}}]
    ";
    std::fs::write(&path, text).expect("a file");
    let expected = Contexts { names: vec!["a".to_owned(), "b".to_owned()], current: Some("b".to_owned()) };
    assert_eq!(contexts(&[path]).expect("a kubeconfig"), expected);
}
