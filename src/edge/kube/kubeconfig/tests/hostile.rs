//! What is refused, and in which words.

use insta::assert_snapshot;

use crate::edge::kube::kubeconfig::{
    Allowed, Origin, ServerPolicy,
    tests::{EVERYTHING, TENANT, kubeconfig, outcome, read},
};

const OWN: Origin = Origin::Own(Allowed { exec: false, files: false, insecure_tls: false, proxy: false });
const SERVER: &str = "server: 'https://api.example.org:6443'";

/// Every kubeconfig with what comes of it.
fn table(origin: Origin, cases: &[(&str, &str)]) -> String {
    let line = |(cluster, user): &(&str, &str)| {
        let cluster = cluster.replace("SERVER", SERVER);
        format!("{{{cluster}}} {{{user}}}\n  {}\n", outcome(read(&kubeconfig(&cluster, user), origin)))
    };
    cases.iter().map(line).collect()
}

#[test]
fn what_is_more_than_data_is_refused_in_the_users_own_kubeconfig() {
    let cases = [
        ("SERVER", "exec: {command: aws, args: [eks, get-token], apiVersion: v1}"),
        ("SERVER", "exec: {command: /opt/tools/kubelogin}"),
        ("SERVER", "exec: {command: 'sh -c evil'}"),
        ("SERVER", "exec: {}"),
        ("SERVER", "auth-provider: {name: gcp, config: {cmd-path: /bin/evil}}"),
        ("SERVER", "auth-provider: {name: oidc}"),
        ("SERVER", "tokenFile: /var/run/token"),
        ("SERVER", "tokenFile: token, token: abc"),
        ("SERVER", "client-certificate: a.crt, client-key: a.key"),
        ("SERVER, certificate-authority: /etc/ca.crt", ""),
        ("SERVER, certificate-authority: /etc/ca.crt, certificate-authority-data: eA==", ""),
        ("SERVER, insecure-skip-tls-verify: true", ""),
        ("SERVER, insecure-skip-tls-verify: yes", ""),
        ("SERVER, proxy-url: 'socks5://u:p@proxy.example.org:1080'", ""),
        ("server: 'https://root:secret@api.example.org'", ""),
        (
            "SERVER, insecure-skip-tls-verify: true, proxy-url: 'http://p', certificate-authority: c",
            "exec: {command: aws}, tokenFile: t, client-certificate: c, client-key: k",
        ),
    ];
    assert_snapshot!(table(OWN, &cases), @r#"
    {server: 'https://api.example.org:6443'} {exec: {command: aws, args: [eks, get-token], apiVersion: v1}}
      the kubeconfig is refused: the user `admin` of context `edge` runs a program (`exec: aws`)
      hint: if you trust it: --allow-kubeconfig exec
    {server: 'https://api.example.org:6443'} {exec: {command: /opt/tools/kubelogin}}
      the kubeconfig is refused: the user `admin` of context `edge` runs a program (`exec: kubelogin`)
      hint: if you trust it: --allow-kubeconfig exec
    {server: 'https://api.example.org:6443'} {exec: {command: 'sh -c evil'}}
      the kubeconfig is refused: the user `admin` of context `edge` runs a program (`exec: sh`)
      hint: if you trust it: --allow-kubeconfig exec
    {server: 'https://api.example.org:6443'} {exec: {}}
      the kubeconfig is refused: the user `admin` of context `edge` runs a program (`exec`)
      hint: if you trust it: --allow-kubeconfig exec
    {server: 'https://api.example.org:6443'} {auth-provider: {name: gcp, config: {cmd-path: /bin/evil}}}
      the kubeconfig is refused: the user `admin` of context `edge` gets its credentials from elsewhere (`auth-provider: gcp`)
      hint: if you trust it: --allow-kubeconfig exec
    {server: 'https://api.example.org:6443'} {auth-provider: {name: oidc}}
      the kubeconfig is refused: the user `admin` of context `edge` gets its credentials from elsewhere (`auth-provider: oidc`)
      hint: if you trust it: --allow-kubeconfig exec
    {server: 'https://api.example.org:6443'} {tokenFile: /var/run/token}
      the kubeconfig is refused: the user `admin` of context `edge` reads a file (`tokenFile`)
      hint: if you trust it: --allow-kubeconfig files
    {server: 'https://api.example.org:6443'} {tokenFile: token, token: abc}
      the kubeconfig is refused: the user `admin` of context `edge` reads a file (`tokenFile`)
      hint: if you trust it: --allow-kubeconfig files
    {server: 'https://api.example.org:6443'} {client-certificate: a.crt, client-key: a.key}
      the kubeconfig is refused: the user `admin` of context `edge` reads a file (`client-certificate`); the user `admin` of context `edge` reads a file (`client-key`)
      hint: if you trust it: --allow-kubeconfig files
    {server: 'https://api.example.org:6443', certificate-authority: /etc/ca.crt} {}
      the kubeconfig is refused: the cluster `one` of context `edge` reads a file (`certificate-authority`)
      hint: if you trust it: --allow-kubeconfig files
    {server: 'https://api.example.org:6443', certificate-authority: /etc/ca.crt, certificate-authority-data: eA==} {}
      the kubeconfig is refused: the cluster `one` of context `edge` reads a file (`certificate-authority`)
      hint: if you trust it: --allow-kubeconfig files
    {server: 'https://api.example.org:6443', insecure-skip-tls-verify: true} {}
      the kubeconfig is refused: the cluster `one` of context `edge` does not check certificates (`insecure-skip-tls-verify`)
      hint: if you trust it: --allow-kubeconfig insecure-tls
    {server: 'https://api.example.org:6443', insecure-skip-tls-verify: yes} {}
      the kubeconfig is refused: the cluster `one` of context `edge` does not check certificates (`insecure-skip-tls-verify`)
      hint: if you trust it: --allow-kubeconfig insecure-tls
    {server: 'https://api.example.org:6443', proxy-url: 'socks5://u:p@proxy.example.org:1080'} {}
      the kubeconfig is refused: the cluster `one` of context `edge` goes through a proxy (`proxy-url`)
      hint: if you trust it: --allow-kubeconfig proxy
    {server: 'https://root:secret@api.example.org'} {}
      the kubeconfig is refused: the cluster `one` of context `edge` has a user or a password in its URL (`server`)
      hint: write the `server` without user and password
    {server: 'https://api.example.org:6443', insecure-skip-tls-verify: true, proxy-url: 'http://p', certificate-authority: c} {exec: {command: aws}, tokenFile: t, client-certificate: c, client-key: k}
      the kubeconfig is refused: the user `admin` of context `edge` runs a program (`exec: aws`); the user `admin` of context `edge` reads a file (`tokenFile`); the user `admin` of context `edge` reads a file (`client-certificate`); the user `admin` of context `edge` reads a file (`client-key`); the cluster `one` of context `edge` reads a file (`certificate-authority`); the cluster `one` of context `edge` does not check certificates (`insecure-skip-tls-verify`); the cluster `one` of context `edge` goes through a proxy (`proxy-url`)
      hint: if you trust it: --allow-kubeconfig exec --allow-kubeconfig files --allow-kubeconfig insecure-tls --allow-kubeconfig proxy
    "#);
}

#[test]
fn the_kubeconfig_of_a_tenant_has_nothing_but_data() {
    let cases = [
        ("SERVER", "exec: {command: aws}"),
        ("SERVER", "auth-provider: {name: gcp}"),
        ("SERVER", "tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token"),
        ("SERVER", "client-certificate: /a, client-key: /b"),
        ("SERVER, certificate-authority: /etc/passwd", ""),
        ("SERVER, insecure-skip-tls-verify: true", "token: abc"),
        ("SERVER, proxy-url: 'http://169.254.169.254'", ""),
        ("SERVER", "token: abc, as: system:admin, as-uid: '1', as-groups: [system:masters], as-user-extra: {a: [b]}"),
        ("server: 'http://api.example.org'", "token: abc"),
        ("server: 'http://api.example.org'", "username: a, password: b"),
        ("server: 'http://api.example.org'", "client-certificate-data: eA==, client-key-data: eA=="),
    ];
    assert_snapshot!(table(TENANT, &cases), @r#"
    {server: 'https://api.example.org:6443'} {exec: {command: aws}}
      the kubeconfig is refused: the user `admin` of context `edge` runs a program (`exec: aws`)
      hint: give the tenant a kubeconfig with plain data: `server`, its authority, and a token or a certificate
    {server: 'https://api.example.org:6443'} {auth-provider: {name: gcp}}
      the kubeconfig is refused: the user `admin` of context `edge` gets its credentials from elsewhere (`auth-provider: gcp`)
      hint: give the tenant a kubeconfig with plain data: `server`, its authority, and a token or a certificate
    {server: 'https://api.example.org:6443'} {tokenFile: /var/run/secrets/kubernetes.io/serviceaccount/token}
      the kubeconfig is refused: the user `admin` of context `edge` reads a file (`tokenFile`)
      hint: give the tenant a kubeconfig with plain data: `server`, its authority, and a token or a certificate
    {server: 'https://api.example.org:6443'} {client-certificate: /a, client-key: /b}
      the kubeconfig is refused: the user `admin` of context `edge` reads a file (`client-certificate`); the user `admin` of context `edge` reads a file (`client-key`)
      hint: give the tenant a kubeconfig with plain data: `server`, its authority, and a token or a certificate
    {server: 'https://api.example.org:6443', certificate-authority: /etc/passwd} {}
      the kubeconfig is refused: the cluster `one` of context `edge` reads a file (`certificate-authority`)
      hint: give the tenant a kubeconfig with plain data: `server`, its authority, and a token or a certificate
    {server: 'https://api.example.org:6443', insecure-skip-tls-verify: true} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` does not check certificates (`insecure-skip-tls-verify`)
      hint: give the tenant a kubeconfig with plain data: `server`, its authority, and a token or a certificate
    {server: 'https://api.example.org:6443', proxy-url: 'http://169.254.169.254'} {}
      the kubeconfig is refused: the cluster `one` of context `edge` goes through a proxy (`proxy-url`)
      hint: give the tenant a kubeconfig with plain data: `server`, its authority, and a token or a certificate
    {server: 'https://api.example.org:6443'} {token: abc, as: system:admin, as-uid: '1', as-groups: [system:masters], as-user-extra: {a: [b]}}
      the kubeconfig is refused: the user `admin` of context `edge` acts as somebody else (`as`, `as-uid`, `as-groups`, `as-user-extra`)
      hint: give the tenant a kubeconfig with plain data: `server`, its authority, and a token or a certificate
    {server: 'http://api.example.org'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` sends credentials without encryption (`server: http://api.example.org:80`)
      hint: give the tenant a kubeconfig with plain data: `server`, its authority, and a token or a certificate
    {server: 'http://api.example.org'} {username: a, password: b}
      the kubeconfig is refused: the cluster `one` of context `edge` sends credentials without encryption (`server: http://api.example.org:80`)
      hint: give the tenant a kubeconfig with plain data: `server`, its authority, and a token or a certificate
    {server: 'http://api.example.org'} {client-certificate-data: eA==, client-key-data: eA==}
      the kubeconfig is refused: the cluster `one` of context `edge` sends credentials without encryption (`server: http://api.example.org:80`)
      hint: give the tenant a kubeconfig with plain data: `server`, its authority, and a token or a certificate
    "#);
}

#[test]
fn the_server_of_a_tenant_is_neither_this_machine_nor_its_neighbour() {
    let servers = [
        "https://127.0.0.1:6443",
        "https://127.1.2.3",
        "https://localhost:6443",
        "https://LOCALHOST.:6443",
        "https://api.localhost",
        "https://0.0.0.0:6443",
        "https://0x7f.1",
        "https://2130706433",
        "https://0177.0.0.1",
        "https://127.1",
        "https://127.0.0.1.",
        "https://[::1]:6443",
        "https://[::]",
        "https://[::ffff:127.0.0.1]",
        "https://[::ffff:7f00:1]",
        "https://[::127.0.0.1]",
        "https://[64:ff9b::7f00:1]",
        "https://[2002:7f00:1::]",
        "https://169.254.169.254",
        "https://2852039166",
        "https://[::ffff:169.254.169.254]",
        "https://[fd00:ec2::254]",
        "https://100.100.100.200",
        "https://[fe80::1]:6443",
        "https://[fe80::1%25eth0]:6443",
        "https://224.0.0.1",
        "https://255.255.255.255",
        "https://[ff02::1]",
        "https://a:b@api.example.org",
        "https://api.example.org@127.0.0.1",
    ];
    let clusters: Vec<String> = servers.iter().map(|server| format!("server: '{server}'")).collect();
    let cases: Vec<_> = clusters.iter().map(|cluster| (cluster.as_str(), "token: abc")).collect();
    // The advice is the same for all.
    let table = table(TENANT, &cases);
    let table: Vec<_> = table.lines().filter(|line| !line.contains("reach too")).collect();
    assert_snapshot!(table.join("\n"), @r#"
    {server: 'https://127.0.0.1:6443'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a loopback address (`server: https://127.0.0.1:6443`)
    {server: 'https://127.1.2.3'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a loopback address (`server: https://127.1.2.3:443`)
    {server: 'https://localhost:6443'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a loopback address (`server: https://localhost:6443`)
    {server: 'https://LOCALHOST.:6443'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a loopback address (`server: https://localhost.:6443`)
    {server: 'https://api.localhost'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a loopback address (`server: https://api.localhost:443`)
    {server: 'https://0.0.0.0:6443'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a loopback address (`server: https://0.0.0.0:6443`)
    {server: 'https://0x7f.1'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a loopback address (`server: https://0x7f.1:443`)
    {server: 'https://2130706433'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a loopback address (`server: https://2130706433:443`)
    {server: 'https://0177.0.0.1'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a loopback address (`server: https://0177.0.0.1:443`)
    {server: 'https://127.1'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a loopback address (`server: https://127.1:443`)
    {server: 'https://127.0.0.1.'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a loopback address (`server: https://127.0.0.1.:443`)
    {server: 'https://[::1]:6443'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a loopback address (`server: https://[::1]:6443`)
    {server: 'https://[::]'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a loopback address (`server: https://[::]:443`)
    {server: 'https://[::ffff:127.0.0.1]'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a loopback address (`server: https://[::ffff:127.0.0.1]:443`)
    {server: 'https://[::ffff:7f00:1]'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a loopback address (`server: https://[::ffff:7f00:1]:443`)
    {server: 'https://[::127.0.0.1]'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a loopback address (`server: https://[::127.0.0.1]:443`)
    {server: 'https://[64:ff9b::7f00:1]'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a loopback address (`server: https://[64:ff9b::7f00:1]:443`)
    {server: 'https://[2002:7f00:1::]'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a loopback address (`server: https://[2002:7f00:1::]:443`)
    {server: 'https://169.254.169.254'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a link-local address (`server: https://169.254.169.254:443`)
    {server: 'https://2852039166'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a link-local address (`server: https://2852039166:443`)
    {server: 'https://[::ffff:169.254.169.254]'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a link-local address (`server: https://[::ffff:169.254.169.254]:443`)
    {server: 'https://[fd00:ec2::254]'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a link-local address (`server: https://[fd00:ec2::254]:443`)
    {server: 'https://100.100.100.200'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a link-local address (`server: https://100.100.100.200:443`)
    {server: 'https://[fe80::1]:6443'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a link-local address (`server: https://[fe80::1]:6443`)
    {server: 'https://[fe80::1%25eth0]:6443'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a link-local address (`server: https://[fe80::1%25eth0]:6443`)
    {server: 'https://224.0.0.1'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a multicast address (`server: https://224.0.0.1:443`)
    {server: 'https://255.255.255.255'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a multicast address (`server: https://255.255.255.255:443`)
    {server: 'https://[ff02::1]'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a multicast address (`server: https://[ff02::1]:443`)
    {server: 'https://a:b@api.example.org'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a user or a password in its URL (`server`)
      hint: write the `server` without user and password
    {server: 'https://api.example.org@127.0.0.1'} {token: abc}
      the kubeconfig is refused: the cluster `one` of context `edge` has a user or a password in its URL (`server`); the cluster `one` of context `edge` has a loopback address (`server: https://127.0.0.1:443`)
    "#);

    let policy = ServerPolicy { allow_loopback: true, allow_link_local: true };
    let still: Vec<_> = servers
        .iter()
        .filter(|server| read(&kubeconfig(&format!("server: '{server}'"), ""), Origin::Tenant(policy)).is_err())
        .collect();
    assert_eq!(
        still,
        [
            "https://224.0.0.1",
            "https://255.255.255.255",
            "https://[ff02::1]",
            "https://a:b@api.example.org",
            "https://api.example.org@127.0.0.1",
        ]
        .iter()
        .collect::<Vec<_>>()
    );
}

#[test]
fn values_that_nobody_can_use_are_named() {
    let cases = [
        ("", ""),
        ("server: ''", ""),
        ("server: api.example.org:6443", ""),
        ("server: 'ftp://api.example.org'", ""),
        ("server: 'https://'", ""),
        ("server: 'https://api.example.org:99999'", ""),
        ("server: 'https://api.example.org:'", ""),
        ("server: 'https://api example'", ""),
        ("server: '/only/a/path'", ""),
        ("SERVER, certificate-authority-data: '***'", ""),
        ("SERVER, certificate-authority-data: eA==", ""),
        (
            "SERVER, certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCmVBPT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=",
            "",
        ),
        ("SERVER, tls-server-name: 'a b'", ""),
        ("SERVER", r#"token: "abc\ndef""#),
        ("SERVER", "token: 'ключ'"),
        ("SERVER", "client-certificate-data: eA=="),
        ("SERVER", "client-key-data: eA=="),
        ("SERVER", "client-certificate-data: eA==, client-key-data: '???'"),
        ("SERVER", "client-certificate-data: eA==, client-key-data: eA=="),
        ("SERVER, insecure-skip-tls-verify: 'maybe'", ""),
        ("SERVER", "token: [a]"),
    ];
    assert_snapshot!(table(Origin::Own(EVERYTHING), &cases), @r#"
    {} {}
      the `server` of the cluster `one` is missing
      hint: write it as `https://host:port`
    {server: ''} {}
      the `server` of the cluster `one` is missing
      hint: write it as `https://host:port`
    {server: api.example.org:6443} {}
      the `server` of the cluster `one` does not begin with `https://`
      hint: write it as `https://host:port`
    {server: 'ftp://api.example.org'} {}
      the `server` of the cluster `one` begins with neither `https://` nor `http://`
      hint: write it as `https://host:port`
    {server: 'https://'} {}
      the `server` of the cluster `one` is not a URL
      hint: write it as `https://host:port`
    {server: 'https://api.example.org:99999'} {}
      the `server` of the cluster `one` has a port that is not between 1 and 65535
      hint: write it as `https://host:port`
    {server: 'https://api.example.org:'} {}
      the `server` of the cluster `one` has a port that is not between 1 and 65535
      hint: write it as `https://host:port`
    {server: 'https://api example'} {}
      the `server` of the cluster `one` is not a URL
      hint: write it as `https://host:port`
    {server: '/only/a/path'} {}
      the `server` of the cluster `one` does not begin with `https://`
      hint: write it as `https://host:port`
    {server: 'https://api.example.org:6443', certificate-authority-data: '***'} {}
      `certificate-authority-data` of the cluster `one` is not Base64
      hint: `kubectl config view --raw` shows what is there
    {server: 'https://api.example.org:6443', certificate-authority-data: eA==} {}
      `certificate-authority-data` of the cluster `one` has no certificate in it
      hint: `kubectl config view --raw` shows what is there
    {server: 'https://api.example.org:6443', certificate-authority-data: LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCmVBPT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=} {}
      `certificate-authority-data` of the cluster `one` has a certificate that cannot be read
      hint: `kubectl config view --raw` shows what is there
    {server: 'https://api.example.org:6443', tls-server-name: 'a b'} {}
      `tls-server-name` of the cluster `one` is not a host name
      hint: `kubectl config view --raw` shows what is there
    {server: 'https://api.example.org:6443'} {token: "abc\ndef"}
      `token` of the user `admin` has characters that no token has
      hint: `kubectl config view --raw` shows what is there
    {server: 'https://api.example.org:6443'} {token: 'ключ'}
      `token` of the user `admin` has characters that no token has
      hint: `kubectl config view --raw` shows what is there
    {server: 'https://api.example.org:6443'} {client-certificate-data: eA==}
      `client-key-data` of the user `admin` is missing
      hint: `kubectl config view --raw` shows what is there
    {server: 'https://api.example.org:6443'} {client-key-data: eA==}
      `client-certificate-data` of the user `admin` is missing
      hint: `kubectl config view --raw` shows what is there
    {server: 'https://api.example.org:6443'} {client-certificate-data: eA==, client-key-data: '???'}
      `client-key-data` of the user `admin` is not Base64
      hint: `kubectl config view --raw` shows what is there
    {server: 'https://api.example.org:6443'} {client-certificate-data: eA==, client-key-data: eA==}
      `client-key-data` of the user `admin` is not a key that fits `client-certificate-data`
      hint: `kubectl config view --raw` shows what is there
    {server: 'https://api.example.org:6443', insecure-skip-tls-verify: 'maybe'} {}
      what stands at line 5, column 100 is not what a kubeconfig has there
      hint: compare it with what `kubectl config view` makes of it
    {server: 'https://api.example.org:6443'} {token: [a]}
      what stands at line 6, column 37 is not what a kubeconfig has there
      hint: compare it with what `kubectl config view` makes of it
    "#);
}

#[test]
fn a_text_that_is_no_kubeconfig_is_told_by_its_place_and_not_by_its_content() {
    let fine = kubeconfig(SERVER, "");
    let texts = [
        String::new(),
        "# nothing\n".to_owned(),
        "token-of-somebody".to_owned(),
        "[]".to_owned(),
        "{\"token\": \"very-secret".to_owned(),
        format!("{fine}users: []\n"),
        format!("{fine}---\n{fine}"),
        fine.replace("kind: Config", "kind: Secret"),
        fine.replace("apiVersion: v1", "apiVersion: v2"),
        fine.replace("current-context: edge", ""),
        fine.replace("current-context: edge", "current-context: other"),
        fine.replace("cluster: one, user: admin", "cluster: two, user: admin"),
        fine.replace("cluster: one, user: admin", "cluster: one, user: nobody"),
        fine.replace("cluster: one, user: admin", "cluster: one"),
        fine.replace("cluster: one, user: admin", "cluster: '', user: admin"),
        fine.replace("contexts: [", "contexts: [{name: edge}, "),
        fine.replace("clusters: [", "clusters: [{name: one}, "),
        fine.replace("users: [", "users: [{name: admin, user: {exec: {command: evil}}}, "),
        format!("{fine}a: {}{}", "[".repeat(40), "]".repeat(40)),
        format!(
            "{fine}a: &a [1,1,1,1,1,1,1,1]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d]\n"
        ),
        format!("{fine}#{}", "x".repeat(1 << 20)),
    ];
    let table: Vec<_> = texts.iter().map(|text| outcome(read(text, OWN))).collect();
    assert_snapshot!(table.join("\n"), @r#"
    the kubeconfig is empty
      hint: a kubeconfig is what `kubectl config view --raw --minify --flatten` prints
    the kubeconfig is empty
      hint: a kubeconfig is what `kubectl config view --raw --minify --flatten` prints
    what stands at line 1, column 1 is not what a kubeconfig has there
      hint: compare it with what `kubectl config view` makes of it
    what stands at line 1, column 1 is not what a kubeconfig has there
      hint: compare it with what `kubectl config view` makes of it
    what stands at line 1, column 11 is not what a kubeconfig has there
      hint: compare it with what `kubectl config view` makes of it
    what stands at line 7, column 1 is not what a kubeconfig has there
      hint: compare it with what `kubectl config view` makes of it
    the kubeconfig has more than one document
      hint: keep one document, or give them as files of their own
    it is not a kubeconfig: `kind` must be `Config` and `apiVersion` must be `v1`
      hint: a kubeconfig is what `kubectl config view --raw --minify --flatten` prints
    it is not a kubeconfig: `kind` must be `Config` and `apiVersion` must be `v1`
      hint: a kubeconfig is what `kubectl config view --raw --minify --flatten` prints
    no context is chosen, and the kubeconfig has no `current-context`; it has `edge`
      hint: choose one with `kubectl config use-context NAME`
    the kubeconfig has no context `other`; it has `edge`
      hint: `kubectl config get-contexts` lists them
    the context `edge` names the cluster `two`, which the kubeconfig does not have
      hint: `kubectl config set-context NAME --cluster=…` names one that exists
    the context `edge` names the user `nobody`, which the kubeconfig does not have
      hint: `kubectl config set-context NAME --user=…` names one that exists
    the context `edge` names no user
      hint: `kubectl config set-context NAME --user=…` names one that exists
    the context `edge` names no cluster
      hint: `kubectl config set-context NAME --cluster=…` names one that exists
    the kubeconfig has more than one context `edge`
      hint: give each context a name of its own
    the kubeconfig has more than one cluster `one`
      hint: give each cluster a name of its own
    the kubeconfig has more than one user `admin`
      hint: give each user a name of its own
    what stands at line 7, column 36 is not what a kubeconfig has there
      hint: compare it with what `kubectl config view` makes of it
    what stands at line 11, column 5 is not what a kubeconfig has there
      hint: compare it with what `kubectl config view` makes of it
    the kubeconfig is larger than 1048576 bytes
    "#);
}
