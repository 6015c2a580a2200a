//! The parser of references against the real one: that of the distribution project, in the program `oci-reference`, judges
//! the same texts.
//!
//! `BOBBYPIN_REFERENCE_CASES` says how many texts are made (20 000 unless told), `BOBBYPIN_REFERENCE_SEED` with which seed.

use bobbypin::model::oci::Reference;
use serde_json::Value;

use crate::support::oracle::{self, Random, number};

/// The parts of a reference: registry, path, tag and digest. Parts that are not there are empty.
type Parts = [String; 4];

fn ours(text: &str) -> Option<Parts> {
    let found = Reference::parse(text).ok()?;
    let (tag, digest) = (found.tag.clone().unwrap_or_default(), found.digest.clone().unwrap_or_default());
    Some([found.repository.registry().to_owned(), found.repository.path().to_owned(), tag, digest])
}

/// A name without a registry (`a_b.example/shop`: an underscore is for paths alone, a dot in the first part for hosts
/// alone) is one to the real parser. Nobody can be asked about it, so it is none here.
fn theirs(verdict: &Value) -> Option<Parts> {
    let part = |name: &str| verdict[name].as_str().expect("a text").to_owned();
    let is_usable = part("error").is_empty() && !part("domain").is_empty();
    is_usable.then(|| ["domain", "path", "tag", "digest"].map(part))
}

/// How many of the texts are references.
fn compare(texts: &[String]) -> usize {
    let mut read = 0;
    for (text, verdict) in texts.iter().zip(oracle::ask("oci-reference", texts)) {
        let (ours, theirs) = (ours(text), theirs(&verdict));
        assert_eq!(ours, theirs, "{text:?}: {verdict}");
        if ours.is_some() {
            read += 1;
            let written = Reference::parse(text).expect("it was read").to_string();
            assert_eq!(written, verdict["text"], "{text:?}");
        }
    }
    read
}

#[test]
fn every_reference_of_the_list_is_read_as_container_tools_read_it() {
    let long = |length: usize| "a".repeat(length);
    let (hex, upper) = ("0123456789abcdef".repeat(4), "0123456789ABCDEF".repeat(4));
    let made = [
        format!("alpine@sha256:{hex}"),
        format!("alpine:3.20@sha256:{hex}"),
        format!("registry.example.org:5000/shop:1.0@sha512:{hex}{hex}"),
        format!("shop@sha384:{}", &hex.repeat(2)[..96]),
        format!("shop@sha256:{upper}"),
        format!("shop@sha256:{}", &hex[..63]),
        format!("shop@sha256:{hex}0"),
        format!("shop@sha512:{hex}"),
        format!("shop@md5:{}", &hex[..32]),
        format!("shop@sha256+b64:{hex}"),
        format!("shop@SHA256:{hex}"),
        format!("shop@sha256:{hex}:tag"),
        format!("shop@sha256:{hex}@sha256:{hex}"),
        format!("@sha256:{hex}"),
        hex.clone(),
        upper.clone(),
        format!("{hex}/shop"),
        format!("{hex}:tag"),
        format!("sha256:{hex}"),
        format!("sha256:{}", &hex[..63]),
        long(247),
        long(248),
        long(256),
        format!("example.org/{}", long(255)),
        format!("example.org/{}", long(256)),
        format!("shop:{}", long(128)),
        format!("shop:{}", long(129)),
    ];
    let mut texts: Vec<String> = SAMPLES.iter().map(ToString::to_string).collect();
    texts.extend(made);
    assert!(texts.len() >= 100, "only {}", texts.len());
    let read = compare(&texts);
    assert!(read >= 40 && texts.len() - read >= 40, "{read} of {} are references: that proves little", texts.len());
}

#[test]
fn every_generated_reference_is_read_as_container_tools_read_it() {
    let count = number("BOBBYPIN_REFERENCE_CASES", 20_000);
    let mut random = Random::new(number("BOBBYPIN_REFERENCE_SEED", 0x5eed));
    let texts: Vec<String> = (0..count).map(|_| generate(&mut random)).collect();
    let read = compare(&texts);
    assert!(read * 4 > texts.len() && read * 4 < texts.len() * 3, "{read} of {count} are references");
}

const SAMPLES: &[&str] = &[
    "",
    " ",
    "/",
    ":",
    "@",
    "alpine",
    "alpine:",
    "alpine:3.20",
    "alpine:latest@",
    "Alpine",
    "alpine:Latest",
    " alpine",
    "alpine ",
    "alpine\n",
    "library/alpine",
    "docker.io/alpine",
    "docker.io/library/alpine",
    "docker.io/library/",
    "docker.io/",
    "docker.io",
    "docker.io:443/alpine",
    "index.docker.io/alpine",
    "index.docker.io/tenant/alpine:1",
    "Index.docker.io/alpine",
    "registry-1.docker.io/alpine",
    "localhost",
    "localhost:5000",
    "localhost/shop",
    "localhost:5000/shop",
    "localhost:5000/shop:5000",
    "localhost.localdomain/shop",
    "Localhost/shop",
    "LOCALHOST/shop",
    "LOCALHOST/Shop",
    "tenant/shop",
    "tenant/Shop",
    "Tenant/shop",
    "Tenant/shop/Front",
    "tenant-acme/shop",
    "tenant_acme/shop",
    "tenant__acme/shop",
    "tenant___acme/shop",
    "tenant--acme/shop",
    "tenant---acme/shop",
    "tenant.acme/shop",
    "tenant..acme/shop",
    "tenant._acme/shop",
    "shop.front",
    "shop..front",
    "shop._front",
    "shop-_front",
    "-shop",
    "shop-",
    "_shop",
    "shop_",
    ".shop",
    "shop.",
    "a/b/c/d/e/f",
    "a//b",
    "/a",
    "a/",
    "a/b/",
    "example.org/shop",
    "example.org./shop",
    ".example.org/shop",
    "example..org/shop",
    "-example.org/shop",
    "example-.org/shop",
    "exa_mple.org/shop",
    "exa__mple.org/shop:1",
    "EXAMPLE.org/shop",
    "EXAMPLE.org/Shop",
    "example.org/shop:1.0.0",
    "example.org/shop:1.0.0+build",
    "example.org/shop:-1",
    "example.org/shop:.1",
    "example.org/shop:_1",
    "example.org/shop:1:2",
    "example.org/shop:1/2",
    "example.org:/shop",
    "example.org:port/shop",
    "example.org:00000000005000/shop",
    "example.org:99999/shop",
    "example.org:5000",
    "example:5000/shop",
    "example:shop/front",
    "192.0.2.1/shop",
    "192.0.2.1:5000/shop",
    "[2001:db8::1]/shop",
    "[2001:db8::1]:5000/shop:1",
    "[2001:DB8::1]/shop",
    "[::1]",
    "[::1]:5000",
    "[]/shop",
    "[:]/shop",
    "[::1%eth0]/shop",
    "[::ffff:192.0.2.1]/shop",
    "[::1/shop",
    "::1/shop",
    "xn--mller-kva.example.org/shop",
    "müller.example.org/shop",
    "shöp",
    "example.org/shöp",
    "example.org/shop:ß",
    "example.org/ſhop",
    "\u{212a}elvin/shop",
    "example.org/\u{212a}elvin",
    "https://example.org/shop",
    "oci://example.org/shop",
    "example.org/shop?x=1",
    "example.org/shop#1",
    "user@example.org/shop",
    "example.org/shop@1.0.0",
    "example.org/shop@sha256:",
    "example.org/%73hop",
    "example.org/shop\0",
    "scratch",
];

const DOMAINS: &[&str] = &[
    "docker.io",
    "index.docker.io",
    "ghcr.io",
    "localhost",
    "localhost:5000",
    "example.org",
    "EXAMPLE.org:443",
    "192.0.2.1:5000",
    "[2001:db8::1]",
    "[::1]:5000",
    "a_b.example.org",
    "Tenant",
    "tenant",
    "a-b.c-d.example",
    "x:1",
];

const COMPONENTS: &[&str] = &[
    "alpine",
    "library",
    "tenant-acme",
    "shop",
    "a",
    "0",
    "a.b",
    "a_b",
    "a__b",
    "a---b",
    "v2",
    "x86.64",
    "Shop",
    "a..b",
    "-a",
    "a-",
    "localhost",
    "docker.io",
];

const TAGS: &[&str] = &["1.0.0", "latest", "V1", "_", "1.0.0-rc.1", "5000", "1.0.0_build.1", "-1", "1+1", ""];

const DIGESTS: &[&str] = &[
    "sha256:40fd5b639ff73594989856076eab5dfbd0dfab8ee16d1cab915756e24b54458b",
    "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e",
    "sha384:38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da274edebfe76f65fbd51ad2f14898b95b",
    "sha256:40FD5b639ff73594989856076eab5dfbd0dfab8ee16d1cab915756e24b54458b",
    "md5:d41d8cd98f00b204e9800998ecf8427e",
    "sha256+b64:40fd5b639ff73594989856076eab5dfbd0dfab8ee16d1cab915756e24b54458b",
    "sha256:40fd5b639ff7",
];

const PIECES: &[&str] = &[
    "/",
    "/",
    ":",
    ":",
    "@",
    "@",
    ".",
    ".",
    "-",
    "_",
    "__",
    "[",
    "]",
    "::",
    "a",
    "A",
    "0",
    "f",
    "localhost",
    "docker.io/",
    "library/",
    "sha256:",
    " ",
    "\n",
    "\t",
    "\0",
    "+",
    "%",
    "ß",
    "ſ",
    "\u{212a}",
    "İ",
    "é",
    "\u{1f980}",
    ":5000/",
    ":1@",
];

fn generate(random: &mut Random) -> String {
    let mut text = match random.below(12) {
        0 => random.one(SAMPLES).to_owned(),
        1 => (0..random.below(12)).map(|_| random.one(PIECES)).collect(),
        _ => assembled(random),
    };
    // Half stay as they are.
    if random.below(2) == 0 {
        for _ in 0..=random.below(3) {
            change(random, &mut text);
        }
    }
    text
}

/// A text that is put together by the grammar, with slips.
fn assembled(random: &mut Random) -> String {
    // The first of a list are lawful.
    let pick = |random: &mut Random, of: &'static [&'static str], lawful: usize| {
        let end = if random.below(8) == 0 { of.len() } else { lawful };
        of[random.below(end)]
    };
    let mut text = String::new();
    if random.below(3) > 0 {
        text += pick(random, DOMAINS, 10);
        text += "/";
    }
    for number in 0..=random.below(4) {
        if number > 0 {
            text += "/";
        }
        text += pick(random, COMPONENTS, 12);
    }
    if random.below(20) == 0 {
        text += &"/long".repeat(45 + random.below(8));
    }
    if random.below(2) == 0 {
        text += ":";
        text += pick(random, TAGS, 7);
        if random.below(20) == 0 {
            text += &"x".repeat(115 + random.below(20));
        }
    }
    if random.below(3) == 0 {
        text += "@";
        text += pick(random, DIGESTS, 3);
    }
    text
}

fn change(random: &mut Random, text: &mut String) {
    let places: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let at = random.one(&places);
    let end = places.iter().copied().find(|place| *place > at).unwrap_or(at);
    match random.below(5) {
        0 => text.replace_range(at..end, ""),
        1 => text.insert_str(at, random.one(PIECES)),
        2 => text.replace_range(at..end, random.one(PIECES)),
        3 => {
            let upper = text[at..end].to_uppercase();
            text.replace_range(at..end, &upper);
        }
        _ => {
            let rest = text[at..].to_owned();
            text.insert_str(at, &rest);
        }
    }
}
