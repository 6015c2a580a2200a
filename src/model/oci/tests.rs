use proptest::prelude::*;

use super::*;

/// What it is read as: registry, path, tag, digest.
fn parts(text: &str) -> Option<(String, String, String, String)> {
    let Reference { repository, tag, digest } = Reference::parse(text).ok()?;
    Some((repository.registry, repository.path, tag.unwrap_or_default(), digest.unwrap_or_default()))
}

#[test]
fn a_reference_is_read_as_container_tools_read_it() {
    for (text, registry, path, tag) in [
        ("alpine", "docker.io", "library/alpine", ""),
        ("alpine:3.22", "docker.io", "library/alpine", "3.22"),
        ("library/alpine", "docker.io", "library/alpine", ""),
        ("docker.io/alpine", "docker.io", "library/alpine", ""),
        ("docker.io/library/alpine", "docker.io", "library/alpine", ""),
        ("index.docker.io/alpine", "docker.io", "library/alpine", ""),
        ("index.docker.io/tenant-acme/shop:1", "docker.io", "tenant-acme/shop", "1"),
        ("index.docker.io", "docker.io", "library/index.docker.io", ""),
        ("docker.io/docker.io/shop", "docker.io", "docker.io/shop", ""),
        ("docker.io:443/shop", "docker.io:443", "shop", ""),
        ("DOCKER.IO/shop", "DOCKER.IO", "shop", ""),
        ("tenant-acme/shop", "docker.io", "tenant-acme/shop", ""),
        ("tenant-acme/shop/web:a", "docker.io", "tenant-acme/shop/web", "a"),
        ("ghcr.io/lexfrei/ouroboros", "ghcr.io", "lexfrei/ouroboros", ""),
        ("ghcr.io/lexfrei/charts/ouroboros:0.8.1", "ghcr.io", "lexfrei/charts/ouroboros", "0.8.1"),
        ("registry.example.org/shop", "registry.example.org", "shop", ""),
        ("registry.example.org:5000/shop", "registry.example.org:5000", "shop", ""),
        ("registry.example.org:5000/shop:1", "registry.example.org:5000", "shop", "1"),
        ("registry.example.org", "docker.io", "library/registry.example.org", ""),
        ("registry:5000/shop", "registry:5000", "shop", ""),
        ("registry:5000", "docker.io", "library/registry", "5000"),
        ("shop:1/web", "shop:1", "web", ""),
        ("registry/shop", "docker.io", "registry/shop", ""),
        ("localhost/shop", "localhost", "shop", ""),
        ("localhost:5000/shop:1", "localhost:5000", "shop", "1"),
        ("localhost:5000", "docker.io", "library/localhost", "5000"),
        ("localhost", "docker.io", "library/localhost", ""),
        ("127.0.0.1:5000/shop", "127.0.0.1:5000", "shop", ""),
        ("127.0.0.1/shop", "127.0.0.1", "shop", ""),
        ("[::1]/shop", "[::1]", "shop", ""),
        ("[::1]:5000/shop:1", "[::1]:5000", "shop", "1"),
        ("[2001:DB8::1]:5000/shop", "[2001:DB8::1]:5000", "shop", ""),
        ("[:::::]/shop", "[:::::]", "shop", ""),
        ("Registry/shop", "Registry", "shop", ""),
        ("REGISTRY.example.org/shop", "REGISTRY.example.org", "shop", ""),
        ("xn--n3h.example.org/shop", "xn--n3h.example.org", "shop", ""),
        ("a-b.c/shop", "a-b.c", "shop", ""),
        ("a.b:0/shop", "a.b:0", "shop", ""),
        ("a.b:99999/shop", "a.b:99999", "shop", ""),
        ("1.2/3/4", "1.2", "3/4", ""),
        ("shop_web", "docker.io", "library/shop_web", ""),
        ("shop__web", "docker.io", "library/shop__web", ""),
        ("shop---web", "docker.io", "library/shop---web", ""),
        ("shop.web", "docker.io", "library/shop.web", ""),
        ("a.b/c.d/e_f", "a.b", "c.d/e_f", ""),
        ("shop:_", "docker.io", "library/shop", "_"),
        ("shop:V1.2-rc.1_x", "docker.io", "library/shop", "V1.2-rc.1_x"),
        ("a.b/b.c:9", "a.b", "b.c", "9"),
        (
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "docker.io",
            "library/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "",
        ),
    ] {
        let wanted = (registry.to_owned(), path.to_owned(), tag.to_owned(), String::new());
        assert_eq!(parts(text), Some(wanted), "{text:?}");
    }
}

#[test]
fn a_reference_with_a_digest_may_have_a_tag_too() {
    for (algorithm, length) in [("sha256", 64), ("sha384", 96), ("sha512", 128)] {
        let digest = format!("{algorithm}:{}", "0f".repeat(length / 2));
        for (name, path, tag) in [("shop", "library/shop", ""), ("shop:1", "library/shop", "1")] {
            let wanted = ("docker.io".to_owned(), path.to_owned(), tag.to_owned(), digest.clone());
            assert_eq!(parts(&format!("{name}@{digest}")), Some(wanted), "{name} {algorithm}");
        }
    }
}

#[test]
fn what_is_no_reference_is_refused() {
    let long_path = format!("a.b/{}", "a".repeat(256));
    let long_tag = format!("shop:{}", "a".repeat(129));
    let hex = "0f".repeat(32);
    let digest = |digest: String| format!("shop@{digest}");
    let cases = [
        String::new(),
        "/".to_owned(),
        "/shop".to_owned(),
        "shop/".to_owned(),
        "a.b/".to_owned(),
        "a.b//shop".to_owned(),
        ":1".to_owned(),
        "@".to_owned(),
        "shop:".to_owned(),
        "shop@".to_owned(),
        "shop:1@".to_owned(),
        "shop:.1".to_owned(),
        "shop:-1".to_owned(),
        "shop:1:2".to_owned(),
        "shop:ä".to_owned(),
        "Shop".to_owned(),
        "tenant-acme/Shop".to_owned(),
        "a.b/SHOP".to_owned(),
        "-shop".to_owned(),
        "shop-".to_owned(),
        "_shop".to_owned(),
        ".shop".to_owned(),
        "shop..web".to_owned(),
        "shop___web".to_owned(),
        "shop._web".to_owned(),
        "shop-_web".to_owned(),
        "a..b/shop".to_owned(),
        "-a.b/shop".to_owned(),
        "a-.b/shop".to_owned(),
        "a.b./shop".to_owned(),
        "a.b:/shop".to_owned(),
        "a.b:x/shop".to_owned(),
        ":80/shop".to_owned(),
        "[]/shop".to_owned(),
        "[::1/shop".to_owned(),
        "[::1]x/shop".to_owned(),
        "[::1]:/shop".to_owned(),
        "[fe80::1%eth0]/shop".to_owned(),
        "[::g]/shop:".to_owned(),
        "::1/shop".to_owned(),
        "foo_bar.example/shop".to_owned(),
        "https://a.b/shop".to_owned(),
        "oci://a.b/shop".to_owned(),
        "user@a.b/shop".to_owned(),
        " shop".to_owned(),
        "shop ".to_owned(),
        "shop\n".to_owned(),
        "shöp".to_owned(),
        "a.b/sh op".to_owned(),
        "a.b/shop?x=y".to_owned(),
        "a.b/../shop".to_owned(),
        "a.b/shop%2fweb".to_owned(),
        hex.clone(),
        long_path,
        long_tag,
        digest(hex.clone()),
        digest(format!("sha256:{}", &hex[1..])),
        digest(format!("sha256:{hex}0")),
        digest(format!("sha256:{}", hex.to_uppercase())),
        digest(format!("SHA256:{hex}")),
        digest(format!("sha384:{hex}")),
        digest(format!("sha512:{hex}")),
        digest(format!("md5:{}", &hex[..32])),
        digest(format!("sha256+b64:{hex}")),
        digest(format!("sha256:{hex}@sha256:{hex}")),
        digest(format!("sha256:{hex}:1")),
    ];
    for text in &cases {
        assert_eq!(parts(text), None, "{text:?}");
    }
}

#[test]
fn the_longest_names_are_read() {
    let path = "a".repeat(255);
    assert_eq!(Reference::parse(&format!("a.b/{path}")).map(|found| found.repository.path), Ok(path));
    let tag = "a".repeat(128);
    assert_eq!(Reference::parse(&format!("shop:{tag}")).map(|found| found.tag), Ok(Some(tag)));
    // The 8 characters that are put before it count.
    assert!(Reference::parse(&"a".repeat(248)).is_err());
}

#[test]
fn an_error_says_what_and_why() {
    let error = Reference::parse("a.b/Shop\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "`a.b/Shop\\n` is no image reference: the name of a repository has no capital letters"
    );
    let error = Repository::parse("shop:1").unwrap_err();
    assert_eq!(error.to_string(), "`shop:1` is no image reference: a repository has neither a tag nor a digest");
    assert_eq!(Repository::parse("shop").unwrap().to_string(), "docker.io/library/shop");
}

proptest! {
    #[test]
    fn what_is_written_in_full_is_read_as_the_same(text in "[a-zA-Z0-9.:/@_\\[\\]-]{0,40}") {
        if let Ok(reference) = Reference::parse(&text) {
            prop_assert_eq!(Reference::parse(&reference.to_string()), Ok(reference));
        }
    }
}
