use secrecy::ExposeSecret;
use serde_json::json;

use super::*;

fn find(config: &serde_json::Value, registry: &str, path: &str) -> Found<(String, String)> {
    let config = DockerConfig::parse(config.to_string().as_bytes()).unwrap();
    match config.find(registry, path) {
        Found::Login(Credentials::Basic { username, password }) => {
            Found::Login((username, password.expose_secret().to_owned()))
        }
        Found::Login(Credentials::Token(_)) => panic!("no such login is in these files"),
        Found::None(note) => Found::None(note),
        Found::Helper(name) => Found::Helper(name),
    }
}

fn login(username: &str, password: &str) -> Found<(String, String)> {
    Found::Login((username.to_owned(), password.to_owned()))
}

#[test]
fn a_login_is_found_under_every_name_of_its_registry() {
    let packed = STANDARD.encode("ada:pass:word");
    for (key, registry) in [
        ("https://index.docker.io/v1/", "docker.io"),
        ("index.docker.io", "docker.io"),
        ("docker.io", "docker.io"),
        ("https://registry-1.docker.io/v2/", "docker.io"),
        ("ghcr.io", "ghcr.io"),
        ("https://ghcr.io", "ghcr.io"),
        ("https://ghcr.io/v2/", "ghcr.io"),
        ("https://Registry.example.org:5000/some/path", "registry.example.org:5000"),
        ("http://localhost:5000", "localhost:5000"),
    ] {
        let config = json!({"auths": {key: {"auth": packed}}, "HttpHeaders": {"x": "y"}});
        assert_eq!(find(&config, registry, "shop"), login("ada", "pass:word"), "{key}");
        assert_eq!(find(&config, "other.example", "shop"), Found::None(None), "{key}");
    }
}

#[test]
fn the_login_with_the_longest_beginning_counts() {
    let entry = |name: &str| json!({"username": name, "password": "p"});
    let config = json!({"auths": {
        "a.example": entry("host"), "a.example/tenant": entry("tenant"), "a.example/tenant/shop": entry("shop"),
        "docker.io/library": entry("official"),
    }});
    for (registry, path, name) in [
        ("a.example", "other", "host"),
        ("a.example", "tenants", "host"),
        ("a.example", "tenant", "tenant"),
        ("a.example", "tenant/web", "tenant"),
        ("a.example", "tenant/shop", "shop"),
        ("a.example", "tenant/shop/deep/er", "shop"),
        ("docker.io", "library/alpine", "official"),
    ] {
        assert_eq!(find(&config, registry, path), login(name, "p"), "{registry}/{path}");
    }
    assert_eq!(find(&config, "docker.io", "ada/shop"), Found::None(None));
}

#[test]
fn what_is_no_login_is_none() {
    let token = json!({"auths": {"a.example": {"auth": STANDARD.encode("x:"), "identitytoken": "canary"}}});
    let unsupported = "the docker configuration has an identity token for it, which is not supported: log in with a user name and a password";
    assert_eq!(find(&token, "a.example", "shop"), Found::None(Some(unsupported.to_owned())));
    assert_eq!(find(&json!({}), "a.example", "shop"), Found::None(None));
}

#[test]
fn a_program_is_named_and_says_what_the_login_is() {
    let helper = |name: &str| Found::Helper(name.to_owned());
    let config = json!({
        "auths": {"a.example": {}, "b.example": {"username": "ada", "password": "p"}},
        "credHelpers": {"https://index.docker.io/v1/": "pass"}, "credsStore": "desktop",
    });
    assert_eq!(find(&config, "docker.io", "library/alpine"), helper("pass"));
    assert_eq!(find(&config, "a.example", "shop"), helper("desktop"));
    assert_eq!(find(&config, "b.example", "shop"), login("ada", "p"));

    let said = json!({"ServerURL": "a.example", "Username": "ada", "Secret": "canary"}).to_string();
    let Ok(Credentials::Basic { username, password }) = login_of(said.as_bytes()) else { panic!("it is a login") };
    assert_eq!((username.as_str(), password.expose_secret()), ("ada", "canary"));
    let token = json!({"Username": "<token>", "Secret": "canary"}).to_string();
    assert_eq!(login_of(token.as_bytes()).err(), Some("has an identity token for it, which is not supported"));
    assert_eq!(login_of(b"credentials not found").err(), Some("says something that is no login"));
    let asked = |name: &str| ask_helper(name, "a.example").err();
    let missing = "the program `docker-credential-bobbypin-no-such-helper` is not installed";
    assert_eq!(asked("bobbypin-no-such-helper").as_deref(), Some(missing));
    let no_name = "`docker-credential-../evil`, which the docker configuration names for it, is no name of a program";
    assert_eq!(asked("../evil").as_deref(), Some(no_name));
}

#[test]
fn an_error_repeats_nothing_of_what_may_be_secret() {
    let secret = "canary-d2f1";
    for (text, problem) in [
        (
            format!("{{\"auths\": {{\"a.example\": {{\"auth\": \"{secret}\"}}}}}}"),
            "the login for `a.example` has an `auth` that is not the base64 of a name, a colon and a password",
        ),
        (
            format!("{{\"auths\": {{\"a.example\": \"{secret}\"}}}}"),
            "it is not of the form of a docker configuration, at line 1 column 37",
        ),
        (secret.to_owned(), "it is not of the form of a docker configuration, at line 1 column 1"),
    ] {
        assert_eq!(DockerConfig::parse(text.as_bytes()).unwrap_err(), problem);
    }
    let config = json!({"auths": {"a.example": {"username": "ada", "password": secret}}});
    assert!(!format!("{:?}", DockerConfig::parse(config.to_string().as_bytes())).contains(secret));
}
