use super::*;

#[test]
fn an_address_is_shown_without_what_may_be_secret() {
    for (url, shown) in [
        ("https://bot:hunter2@git.example.org:8443/a?token=x#y", "https://git.example.org:8443/a"),
        ("/login?next=x", "/login"),
        ("", ""),
    ] {
        assert_eq!(server_and_path(url), shown);
    }
    assert_eq!(server("https://bot:hunter2@git.example.org/a"), "https://git.example.org");
}

#[test]
fn what_a_server_says_is_told_without_what_it_was_told() {
    let basic = |user: &str, secret: &str| Credentials::Basic { username: user.to_owned(), password: secret.into() };
    let packed = STANDARD.encode("bot:hunter+2");
    for (credentials, text, told) in [
        (basic("bot", "hunter+2"), format!("no: bot hunter+2 hunter%2B2 Basic {packed}"), "no: bot *** *** Basic ***"),
        (basic("t0ken", ""), "no: t0ken".to_owned(), "no: ***"),
        (basic("", ""), "no: nothing".to_owned(), "no: nothing"),
        (Credentials::Token("t0ken".into()), "token t0ken".to_owned(), "token ***"),
    ] {
        assert_eq!(credentials.hide(&text), told);
    }
}

#[test]
fn a_server_says_for_how_long_it_wants_to_be_left_alone_in_two_ways() {
    let answer = |pairs: &[(HeaderName, &str)]| {
        let headers = pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect();
        HttpAnswer { status: 429, headers, body: Vec::new() }.retry_after()
    };
    let (then, now) = ("Sat, 21 Nov 2026 10:00:30 GMT", "Sat, 21 Nov 2026 10:00:00 GMT");
    assert_eq!(answer(&[(header::RETRY_AFTER, "7")]), Some(Duration::from_secs(7)));
    assert_eq!(answer(&[(header::RETRY_AFTER, then), (header::DATE, now)]), Some(Duration::from_secs(30)));
    assert_eq!(answer(&[(header::RETRY_AFTER, now), (header::DATE, then)]), None);
    assert_eq!(answer(&[(header::RETRY_AFTER, then)]), None);
    assert_eq!(answer(&[]), None);
}
