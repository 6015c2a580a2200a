//! The client for OCI registries, against a registry that answers by a script.
#![expect(clippy::disallowed_methods, reason = "it reads and writes files, and takes the time")]

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bobbypin::{
    edge::{
        http::Credentials,
        registry::{PinQuestion, Registries, RegistryServer, RegistrySettings, TagCache, TagQuestion},
    },
    model::{digest::Digest, observed::Observed, oci::Repository, pins::ArtifactKind},
    pins::{artifact::Descriptor, seen::TagSeen},
};
use rustls::pki_types::PrivateKeyDer;
use serde_json::json;

use crate::support::{
    registry::{
        Asked, OCI_INDEX, OCI_MANIFEST, PASSWORD, Registry, TOKEN, chart, flood, image, index, json_reply, manifest,
        refusal, typed,
    },
    scripted::Reply,
};

fn platforms() -> Vec<String> {
    vec!["linux/amd64".to_owned(), "linux/arm64".to_owned()]
}

fn settings() -> RegistrySettings {
    RegistrySettings { jobs: 8, seconds: 20, ..RegistrySettings::default() }
}

fn with_login(registry: &Registry) -> RegistrySettings {
    let login = Credentials::Basic { username: "ada".to_owned(), password: PASSWORD.into() };
    RegistrySettings { credentials: BTreeMap::from([(registry.name(), login)]), ..settings() }
}

fn repository(registry: &Registry, path: &str) -> Repository {
    Repository::parse(&format!("{}/{path}", registry.name())).expect("a name that parses")
}

/// A registry without a login that has one image for two platforms, as the tag `1` of every repository.
fn honest() -> impl Fn(&Asked) -> Reply {
    let (amd64, arm64) = (image("amd64"), image("arm64"));
    let index = index(&[(&amd64, "linux/amd64"), (&arm64, "linux/arm64"), (&image("x"), "unknown/unknown")]);
    move |asked| {
        let is = |bytes: &[u8]| asked.place.ends_with(&format!("/manifests/{}", Digest::of(bytes)));
        match asked.place.as_str() {
            "GET /v2/" => json_reply(200, &json!({})),
            place if place.ends_with("/manifests/1") || is(&index) => manifest(OCI_INDEX, &index),
            _ if is(&amd64) => manifest(OCI_MANIFEST, &amd64),
            _ if is(&arm64) => manifest(OCI_MANIFEST, &arm64),
            _ => refusal(404, "MANIFEST_UNKNOWN"),
        }
    }
}

#[test]
fn a_tag_is_read_hashed_and_looked_at_for_every_platform() {
    let registry = Registry::start(honest());
    let repository = repository(&registry, "tenant-acme/shop");
    let registries = Registries::new(settings()).unwrap();
    let platforms = platforms();
    let question = TagQuestion { repository: &repository, tag: "1", known: None, platforms: &platforms };
    let missing = TagQuestion { tag: "2", ..question };
    let seen = registries.tags_seen(&[question, missing]);
    let [Observed::Present(TagSeen::Changed { artifact, children }), Observed::Absent] = seen.as_slice() else {
        panic!("{seen:?}");
    };
    assert_eq!(artifact.kind, ArtifactKind::ImageIndex);
    assert_eq!(
        children.iter().map(|(_, is_there)| is_there.clone()).collect::<Vec<_>>(),
        vec![Observed::Present(()); 2]
    );
    let known = artifact.digest.clone();
    let again = Registries::new(settings()).unwrap();
    let question = TagQuestion { known: Some(&known), ..question };
    assert_eq!(again.tags_seen(&[question]), [Observed::Present(TagSeen::Unchanged)]);
    let pin = PinQuestion { repository: &repository, tag: "1", digest: &known, platforms: &platforms };
    let seen = again.pins_seen(&[pin]).remove(0);
    assert_eq!(seen.by_digest, Observed::Present(artifact.clone()));
    assert_eq!(seen.by_tag, Observed::Present(known.clone()));
    assert_eq!(&seen.children, children);
}

#[test]
fn one_token_is_fetched_for_fifty_questions_at_the_same_time() {
    let bytes = chart("a");
    let digest = Digest::of(&bytes);
    let registry = Registry::start(move |asked| {
        if asked.place.starts_with("GET /token?") {
            return json_reply(200, &json!({"token": TOKEN, "expires_in": 300}));
        }
        if asked.authorization != format!("Bearer {TOKEN}") {
            let host = asked.head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
            let challenge = format!("www-authenticate: Bearer realm=\"http://{host}/token\",service=\"s\",scope=\"*\"");
            return refusal(401, "UNAUTHORIZED").with(&challenge);
        }
        manifest(OCI_MANIFEST, &bytes)
    });
    let repository = repository(&registry, "charts/shop");
    let tags: Vec<_> = (0..50).map(|number| format!("0.{number}.0")).collect();
    let ask = |known| {
        let registries = Registries::new(RegistrySettings { jobs: 50, ..with_login(&registry) }).unwrap();
        let question = |tag| TagQuestion { repository: &repository, tag, known, platforms: &[] };
        registries.tags_seen(&tags.iter().map(|tag| question(tag.as_str())).collect::<Vec<_>>())
    };
    assert_eq!(ask(Some(&digest)), vec![Observed::Present(TagSeen::Unchanged); 50]);
    assert_eq!((registry.count("GET /v2/"), registry.count("GET /token"), registry.count("HEAD ")), (1, 1, 50));
    let token = registry.asked().into_iter().find(|asked| asked.place.starts_with("GET /token")).unwrap();
    assert_eq!(token.place, "GET /token?service=s&scope=repository%3Acharts%2Fshop%3Apull");
    assert!(token.authorization.starts_with("Basic "));
}

#[test]
fn a_registry_that_names_no_digest_is_read_by_the_tag() {
    let bytes = chart("a");
    let registry = Registry::start(move |_| typed(OCI_MANIFEST, &bytes));
    let repository = repository(&registry, "charts/shop");
    let registries = Registries::new(settings()).unwrap();
    let seen = registries.tags_seen(&[TagQuestion { repository: &repository, tag: "1", known: None, platforms: &[] }]);
    let [Observed::Present(TagSeen::Changed { artifact, .. })] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!((artifact.kind, &artifact.digest), (ArtifactKind::Chart, &Digest::of(&chart("a"))));
}

/// What one tag leads to, by its reason or its digest.
fn word(seen: &Observed<TagSeen>) -> String {
    match seen {
        Observed::Present(TagSeen::Unchanged) => "Unchanged".to_owned(),
        Observed::Present(TagSeen::Changed { artifact, .. }) => artifact.digest.to_string(),
        Observed::Absent => "Absent".to_owned(),
        Observed::Unknown(unknown) => unknown.reason.clone(),
    }
}

/// Asks for the tag `1`, in a run of its own.
fn ask(settings: RegistrySettings, repository: &Repository, known: Option<&Digest>) -> String {
    let registries = Registries::new(settings).expect("the settings are good");
    word(&registries.tags_seen(&[TagQuestion { repository, tag: "1", known, platforms: &[] }])[0])
}

#[test]
fn what_is_asked_twice_is_one_exchange() {
    let registry = Registry::start(honest());
    let repository = repository(&registry, "shop");
    let registries = Registries::new(settings()).unwrap();
    let platforms = platforms();
    let question = TagQuestion { repository: &repository, tag: "1", known: None, platforms: &platforms };
    let other = Digest::of(b"other");
    let seen = registries.tags_seen(&[question, question, TagQuestion { known: Some(&other), ..question }]);
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
    let digest = Digest::parse(&word(&seen[0])).unwrap();
    let pin = PinQuestion { repository: &repository, tag: "1", digest: &digest, platforms: &platforms };
    registries.pins_seen(&[pin]);
    assert_eq!(
        registries.digests_seen(&[(&repository, &other), (&repository, &other)]),
        [Observed::Absent, Observed::Absent]
    );
    let places: Vec<_> = registry.asked().into_iter().map(|asked| asked.place).collect();
    let short = |place: &String| place.split("/manifests/").collect::<Vec<_>>().join(" ");
    // What is missing is asked for once more, with GET: only a body tells whose 404 it is.
    assert_eq!(places.len(), 7, "{:?}", places.iter().map(short).collect::<Vec<_>>());
}

#[test]
fn nobody_shows_a_login_before_it_is_asked_for() {
    let open = Registry::start(honest());
    assert!(ask(with_login(&open), &repository(&open, "shop"), None).starts_with("sha256:"));
    assert!(open.asked().iter().all(|asked| asked.authorization.is_empty()));

    let basic = Registry::start(|asked| match asked.authorization.is_empty() {
        true => refusal(401, "UNAUTHORIZED").with("www-authenticate: Basic realm=\"x\""),
        false => manifest(OCI_MANIFEST, &image("a")),
    });
    let name = repository(&basic, "shop");
    assert_eq!(ask(with_login(&basic), &name, Some(&Digest::of(&image("a")))), "Unchanged");
    assert_eq!((basic.asked().len(), basic.count("GET /v2/")), (2, 1));
    assert_eq!(ask(settings(), &name, None), "Unauthorized");
}

#[test]
fn a_login_is_taken_from_the_docker_configuration() {
    let registry = Registry::start(|asked| match asked.authorization.as_str() {
        "Basic YWRhOmh1bnRlcjI=" => manifest(OCI_MANIFEST, &image("a")),
        _ => refusal(401, "UNAUTHORIZED").with("www-authenticate: Basic realm=\"x\""),
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    let with_file = || RegistrySettings { docker_config: Some(file.clone()), ..settings() };
    let name = repository(&registry, "tenant-acme/shop");
    // It need not be there.
    assert_eq!(ask(with_file(), &name, None), "Unauthorized");
    let key = format!("{}/tenant-acme", registry.name());
    fs::write(&file, json!({"auths": {key: {"auth": "YWRhOmh1bnRlcjI="}}}).to_string()).unwrap();
    assert_eq!(ask(with_file(), &name, Some(&Digest::of(&image("a")))), "Unchanged");
    assert_eq!(ask(with_file(), &repository(&registry, "tenant-other/shop"), None), "Unauthorized");
    fs::write(&file, "{").unwrap();
    let error = Registries::new(with_file()).unwrap_err().to_string();
    let beginning = format!("cannot read the docker configuration: `{}`: it is not of the form", file.display());
    assert!(error.starts_with(&beginning), "{error}");
    let pem = Some(b"no certificate".to_vec());
    let error = Registries::new(RegistrySettings { authorities: pem, ..settings() }).unwrap_err().to_string();
    assert!(error.starts_with("the certificates of authorities for all registries cannot be used"), "{error}");
}

#[test]
fn a_token_that_ended_is_fetched_again_and_one_that_never_was_good_is_not() {
    let bytes = image("a");
    let digest = Digest::of(&bytes);
    let registry = Registry::start(move |asked| {
        let host = asked.head.lines().find_map(|line| line.strip_prefix("host: ")).unwrap_or_default();
        if asked.place.starts_with("GET /token") {
            return json_reply(200, &json!({"token": format!("t{}", asked.times)}));
        }
        // The first token is good for the tag 1 only.
        let is_good =
            asked.authorization == "Bearer t1" || asked.authorization == "Bearer t0" && asked.place.ends_with("/1");
        match is_good {
            true => manifest(OCI_MANIFEST, &bytes),
            false => {
                refusal(401, "UNAUTHORIZED").with(&format!("www-authenticate: Bearer realm=\"http://{host}/token\""))
            }
        }
    });
    let repository = repository(&registry, "shop");
    let question = |tag| TagQuestion { repository: &repository, tag, known: Some(&digest), platforms: &[] };
    let one_by_one = RegistrySettings { jobs: 1, ..settings() };
    let registries = Registries::new(one_by_one.clone()).unwrap();
    let seen = registries.tags_seen(&[question("1"), question("2"), question("3")]);
    assert_eq!(seen, vec![Observed::Present(TagSeen::Unchanged); 3]);
    assert_eq!((registry.count("GET /token"), registry.count("HEAD ")), (2, 4));
    // The tokens of this run are good for nothing.
    let registries = Registries::new(one_by_one).unwrap();
    let seen = registries.tags_seen(&[question("2"), question("3")]);
    assert_eq!(seen.iter().map(word).collect::<Vec<_>>(), ["Unauthorized"; 2]);
    assert_eq!(registry.count("GET /token"), 3);
}

#[test]
fn a_warm_run_asks_nothing() {
    let registry = Registry::start(honest());
    let repository = repository(&registry, "shop");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tags").join(format!("{}.json", registry.name().replace(':', "_")));
    let cached = |lives_seconds| RegistrySettings {
        cache: Some(TagCache { folder: folder.path().join("tags"), lives_seconds }),
        ..with_login(&registry)
    };
    let digest = Digest::parse(&ask(cached(600), &repository, None)).unwrap();
    let heads = || registry.count("HEAD ");
    assert_eq!(heads(), 1);
    let before = registry.asked().len();
    assert_eq!(ask(cached(600), &repository, Some(&digest)), "Unchanged");
    assert_eq!(registry.asked().len(), before, "a warm run asks nothing at all");
    // What is not known is read, and hashed as ever.
    assert_eq!(ask(cached(600), &repository, None), digest.as_str());
    assert_eq!(heads(), 1);
    // It is of use only for a while, and only when it is whole.
    assert_eq!(ask(cached(0), &repository, Some(&digest)), "Unchanged");
    assert_eq!(heads(), 2);
    let kept = fs::read_to_string(&file).unwrap();
    assert!(!kept.contains(PASSWORD));
    let gone = Digest::of(b"gone").to_string();
    let future = kept.replace("\"at\":", "\"at\":9");
    for (text, why) in [("{", "broken"), (&kept.replace(digest.as_str(), &gone), "gone"), (&future, "of the future")] {
        fs::write(&file, text).unwrap();
        let before = heads();
        assert_eq!(ask(cached(600), &repository, Some(&digest)), "Unchanged", "{why}");
        assert_eq!(heads(), before + 1, "{why}");
    }
    // Pins are looked at as they are.
    let registries = Registries::new(cached(600)).unwrap();
    let before = heads();
    registries.pins_seen(&[PinQuestion { repository: &repository, tag: "1", digest: &digest, platforms: &[] }]);
    assert_eq!(heads(), before + 1);
    // Where nothing can be kept all goes well.
    let blocked = TagCache { folder: file.join("x"), lives_seconds: 600 };
    assert_eq!(ask(RegistrySettings { cache: Some(blocked), ..settings() }, &repository, Some(&digest)), "Unchanged");
}

#[test]
fn no_more_is_under_way_than_may_be() {
    let bytes = image("a");
    let digest = Digest::of(&bytes);
    let (now, most) = (AtomicUsize::new(0), Arc::new(AtomicUsize::new(0)));
    let seen = most.clone();
    let registry = Registry::start(move |asked| {
        let is_refused = asked.times == 0 && asked.place.ends_with("7");
        // It is told before it is answered that it is not under way any more: so these are never more than the client has.
        seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(5));
        now.fetch_sub(1, Ordering::SeqCst);
        if is_refused { Reply::status(429) } else { manifest(OCI_MANIFEST, &bytes) }
    });
    let names: Vec<_> = (0..40).map(|number| repository(&registry, &format!("charts/{number}"))).collect();
    let tags: Vec<_> = (0..200).map(|number| format!("0.{number}")).collect();
    let question = |(at, tag): (usize, &'_ String)| (at % 40, tag.clone());
    let asked: Vec<_> = tags.iter().enumerate().map(question).collect();
    let questions: Vec<_> = asked
        .iter()
        .map(|(at, tag)| TagQuestion { repository: &names[*at], tag, known: Some(&digest), platforms: &[] })
        .collect();
    let registries = Registries::new(RegistrySettings { jobs: 6, ..settings() }).unwrap();
    assert_eq!(registries.tags_seen(&questions), vec![Observed::Present(TagSeen::Unchanged); 200]);
    assert_eq!(registry.count("HEAD "), 220, "one for each, and another for each of the 20 that were refused");
    let most = most.load(Ordering::SeqCst);
    assert!((2..=6).contains(&most), "{most} at once");
}

/// The tags of a registry that answers so.
fn tags(script: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> (Observed<Vec<String>>, Vec<String>) {
    let registry = Registry::start(script);
    let seen = Registries::new(settings()).expect("they are good").tags(&repository(&registry, "shop"));
    (seen, registry.asked().into_iter().map(|asked| asked.place).collect())
}

fn reason<T: std::fmt::Debug>(seen: &Observed<T>) -> &str {
    match seen {
        Observed::Unknown(unknown) => &unknown.reason,
        other => panic!("{other:?}"),
    }
}

/// A list of this many tags, so many on a page, after the one in the query.
fn paged(asked: &Asked, all: usize, page: usize) -> Reply {
    let last = asked.place.split("last=").nth(1).and_then(|last| last.parse().ok()).unwrap_or(0);
    let end = all.min(last + page);
    let tags: Vec<_> = (last..end).map(|number| format!("{number:06}")).collect();
    let reply = json_reply(200, &json!({"name": "shop", "tags": tags}));
    if end == all { reply } else { reply.with(&format!("link: </v2/shop/tags/list?n=1000&last={end}>; rel=\"next\"")) }
}

#[test]
fn all_tags_of_all_pages_are_listed() {
    let (seen, asked) = tags(|asked| paged(asked, 100_000, 1000));
    let Observed::Present(seen) = seen else { panic!("{}", reason(&seen)) };
    assert_eq!((seen.len(), asked.len()), (100_000, 101));
    assert!(seen.is_sorted());
    let (seen, _) = tags(|_| json_reply(200, &json!({"tags": ["b", "a", "b"]})));
    assert_eq!(seen, Observed::Present(vec!["a".to_owned(), "b".to_owned()]));
    let (seen, _) = tags(|_| json_reply(200, &json!({"tags": null})));
    assert_eq!(seen, Observed::Present(Vec::new()));
    let (seen, asked) = tags(|asked| match asked.place.ends_with("n=1000") {
        true => refusal(400, "PAGINATION_NUMBER_INVALID"),
        false => json_reply(200, &json!({"tags": ["a"]})),
    });
    assert_eq!((seen, asked.len()), (Observed::Present(vec!["a".to_owned()]), 3));
    let (seen, _) = tags(|_| refusal(404, "NAME_UNKNOWN"));
    assert_eq!(seen, Observed::Absent);
}

#[test]
fn a_list_of_tags_that_is_wrong_is_not_believed() {
    let witness = Registry::witness();
    let elsewhere = format!("link: <http://{}/v2/shop/tags/list>; rel=\"next\"", witness.name());
    let linked = move |link: String| move |_: &Asked| json_reply(200, &json!({"tags": ["a"]})).with(&link);
    for (script, expected) in [
        (
            Box::new(|asked: &Asked| paged(asked, 100_000, 100_000)) as Box<dyn Fn(&Asked) -> Reply + Send + Sync>,
            "TooLarge",
        ),
        (Box::new(|asked: &Asked| paged(asked, 300_000, 10_000)), "TooLarge"),
        (Box::new(linked(elsewhere)), "Malformed"),
        (Box::new(linked("link: </v2/shop/tags/list?n=1000>; rel=\"next\"".to_owned())), "Malformed"),
        (Box::new(linked("link: nowhere; rel=\"next\"".to_owned())), "Malformed"),
        (Box::new(|_| json_reply(200, &json!({"tags": []})).with("link: </v2/x>; rel=\"next\"")), "Malformed"),
        (Box::new(|_| json_reply(200, &json!({"tags": ["../../x"]}))), "Malformed"),
        (Box::new(|_| json_reply(200, &json!({"tags": [1]}))), "Malformed"),
        (Box::new(|_| typed("text/html", b"<html>")), "Malformed"),
        (Box::new(|_| typed("text/html", b"<html>").with("content-encoding: gzip")), "Malformed"),
        (Box::new(|_| refusal(403, "DENIED")), "Forbidden"),
        (Box::new(|_| Reply::status(404)), "Malformed"),
        (Box::new(|_| flood(b"HTTP/1.1 200 OK\r\n\r\n{")), "TooLarge"),
    ] {
        let (seen, asked) = tags(script);
        assert_eq!(reason(&seen), expected, "{asked:?}");
    }
    assert_eq!(witness.connections(), 0);
}

#[test]
fn a_blob_is_read_where_it_is_and_nobody_else_gets_a_login() {
    let blob = b"a config".to_vec();
    let store = Registry::start({
        let blob = blob.clone();
        move |_| typed("application/octet-stream", &blob)
    });
    let to = store.name();
    let registry = Registry::start(move |asked| match asked.authorization.is_empty() {
        true => refusal(401, "UNAUTHORIZED").with("www-authenticate: Basic realm=\"x\""),
        false if asked.place.contains("/loop/") => Reply::status(302).with(&format!("location: {}", &asked.place[4..])),
        false if asked.place.contains("/plain/") => Reply::status(302).with("location: http://a.example/x"),
        false if asked.place.contains("/file/") => Reply::status(302).with("location: file:///etc/passwd"),
        false if asked.place.contains("/cloud/") => Reply::status(302).with("location: https://169.254.169.254/x"),
        false if asked.place.contains("/gone/") => refusal(404, "BLOB_UNKNOWN"),
        false => Reply::status(307).with(&format!("location: http://{to}/some/where?signature=x")),
    });
    let registries = Registries::new(with_login(&registry)).unwrap();
    let descriptor = |bytes: &[u8], size: u64| Descriptor {
        media_type: "application/vnd.cncf.helm.config.v1+json".to_owned(),
        digest: Digest::of(bytes),
        size,
    };
    let read = |path: &str, descriptor: &Descriptor| registries.blob(&repository(&registry, path), descriptor, 1000);
    assert_eq!(read("shop", &descriptor(&blob, 8)), Observed::Present(blob.clone()));
    assert_eq!(read("gone/shop", &descriptor(&blob, 8)), Observed::Absent);
    for (path, wanted, expected) in [
        ("shop", descriptor(b"b config", 8), "Mismatch"),
        ("shop", descriptor(&blob, 7), "TooLarge"),
        ("shop", descriptor(&blob, 1001), "TooLarge"),
        ("plain/shop", descriptor(&blob, 8), "Redirected"),
        ("file/shop", descriptor(&blob, 8), "Redirected"),
        ("cloud/shop", descriptor(&blob, 8), "RefusedAddress"),
        // Nobody is let in there without a login, and a redirect has none.
        ("loop/shop", descriptor(&blob, 8), "Unauthorized"),
    ] {
        assert_eq!(reason(&read(path, &wanted)), expected, "{path}");
    }
    assert!(store.asked().iter().all(|asked| asked.authorization.is_empty() && !asked.head.contains(PASSWORD)));
    assert_eq!(store.count("GET /some/where?signature=x"), 3);
}

#[test]
fn another_host_may_answer_for_manifests_where_that_is_said() {
    let other = Registry::start(honest());
    let to = other.name();
    let registry = Registry::start(move |asked| match asked.authorization.is_empty() {
        true => refusal(401, "UNAUTHORIZED").with("www-authenticate: Basic realm=\"x\""),
        false => Reply::status(307).with(&format!("location: http://{to}{}", asked.place.split(' ').nth(1).unwrap())),
    });
    let name = repository(&registry, "shop");
    assert_eq!(ask(with_login(&registry), &name, None), "Redirected");
    let server = RegistryServer { follow_redirects: true, ..RegistryServer::default() };
    let follows = RegistrySettings { servers: BTreeMap::from([(registry.name(), server)]), ..with_login(&registry) };
    assert!(ask(follows, &name, None).starts_with("sha256:"));
    assert!(other.asked().iter().all(|asked| asked.authorization.is_empty()));
}

#[test]
fn signatures_are_found_in_every_way_that_there_is() {
    let digest = Digest::of(b"image");
    let tag = digest.as_str().replace(':', "-");
    let bundle = "application/vnd.dev.sigstore.bundle.v0.3+json";
    let list = |of: &str| {
        let descriptor = json!({"mediaType": bundle, "digest": Digest::of(of.as_bytes()), "size": 7});
        json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [descriptor]}).to_string().into_bytes()
    };
    let found = |of: &str| Descriptor { media_type: bundle.to_owned(), digest: Digest::of(of.as_bytes()), size: 7 };
    let cosign = image("signature");
    let signature =
        Descriptor { media_type: OCI_MANIFEST.to_owned(), digest: Digest::of(&cosign), size: cosign.len() as u64 };
    let seen = |has_api: bool, has_tags: bool| {
        let (by_api, by_tag, cosign, tag) = (list("api"), list("tag"), cosign.clone(), tag.clone());
        let registry = Registry::start(move |asked| match asked.place.as_str() {
            place if place.contains("/referrers/") && has_api => manifest(OCI_INDEX, &by_api),
            place if place.contains("/referrers/") => Reply::Answer(404, String::new(), b"404 page not found".to_vec()),
            place if place.ends_with(&format!("/manifests/{tag}")) && has_tags => manifest(OCI_INDEX, &by_tag),
            place if place.ends_with(&format!("/manifests/{tag}.sig")) && has_tags => manifest(OCI_MANIFEST, &cosign),
            _ => refusal(404, "MANIFEST_UNKNOWN"),
        });
        Registries::new(settings()).unwrap().referrers(&repository(&registry, "shop"), &digest)
    };
    let sorted = |mut all: Vec<Descriptor>| {
        all.sort();
        Observed::Present(all)
    };
    assert_eq!(seen(true, true), sorted(vec![found("api"), signature.clone()]));
    assert_eq!(seen(false, true), sorted(vec![found("tag"), signature]));
    assert_eq!(seen(true, false), sorted(vec![found("api")]));
    assert_eq!(seen(false, false), sorted(vec![]));
}

#[test]
fn what_is_not_known_says_of_what_and_what_to_do() {
    let registry = Registry::start(|asked| match asked.place.as_str() {
        place if place.contains("/private/") => refusal(401, "UNAUTHORIZED"),
        place if place.contains("/busy/") => refusal(429, "TOOMANYREQUESTS").with("retry-after: 3600"),
        place if place.contains("/manifests/") => typed("text/html", b"<html>"),
        _ => json_reply(200, &json!({})),
    });
    let message = |path: &str, tag: &str| {
        let repository = repository(&registry, path);
        let registries = Registries::new(settings()).unwrap();
        let seen = registries.tags_seen(&[TagQuestion { repository: &repository, tag, known: None, platforms: &[] }]);
        let [Observed::Unknown(unknown)] = seen.as_slice() else { panic!("{seen:?}") };
        unknown.message.replace(&registry.name(), "registry.example.org")
    };
    assert_eq!(
        message("private/shop", "1"),
        "registry.example.org/private/shop:1: it cannot be read without a login, or does not exist; log in with `docker login registry.example.org`"
    );
    assert_eq!(
        message("busy/shop", "1"),
        "registry.example.org/busy/shop:1: the registry asks for fewer questions (429), for 3600 seconds; run again later, log in, or lower --jobs"
    );
    assert_eq!(
        message("shop", "1"),
        "registry.example.org/shop:1: the registry answers with a page of the kind `text/html` and not with a manifest; something else may answer in its place"
    );
    assert_eq!(message("shop", "../x\n"), "registry.example.org/shop:../x\\n: `../x\\n` is no tag");
}

#[test]
fn addresses_that_are_out_of_reach_are_not_connected_to() {
    for (name, reason_wanted) in [
        ("169.254.169.254/shop", "RefusedAddress"),
        ("10.255.255.1/shop", "RefusedAddress"),
        ("[fe80::1]/shop", "RefusedAddress"),
        ("0.0.0.0:5000/shop", "RefusedAddress"),
        ("a.b:99999/shop", "Malformed"),
    ] {
        let repository = Repository::parse(name).unwrap();
        assert_eq!(ask(RegistrySettings { seconds: 5, ..settings() }, &repository, None), reason_wanted, "{name}");
    }
    // A name of this machine that is not one of those that everybody has.
    let registry = Registry::start(honest());
    let port = registry.name().rsplit(':').next().unwrap().to_owned();
    let repository = Repository::parse(&format!("localhost:{port}/shop")).unwrap();
    assert!(ask(settings(), &repository, None).starts_with("sha256:"));
    let nobody = Repository::parse("127.0.0.1:1/shop").unwrap();
    assert_eq!(ask(settings(), &nobody, None), "Unreachable");
}

/// A server with TLS that answers every question with this manifest, for so many connections.
fn with_tls(bytes: Vec<u8>, connections: usize) -> (String, String) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a name");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key of ours");
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the versions of the provider")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a certificate and its key");
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("it is bound").port();
    let config = Arc::new(config);
    thread::spawn(move || {
        for stream in listener.incoming().flatten().take(connections) {
            let connection = rustls::ServerConnection::new(config.clone()).expect("a good configuration");
            let mut stream = rustls::StreamOwned::new(connection, stream);
            let head = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: {OCI_MANIFEST}\r\ndocker-content-digest: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                Digest::of(&bytes),
                bytes.len()
            );
            let mut asked = [0; 4096];
            let Ok(count) = stream.read(&mut asked) else { continue };
            let body: &[u8] = if asked[..count].starts_with(b"HEAD") { b"" } else { &bytes };
            drop(stream.write_all(&[head.as_bytes(), body].concat()).and_then(|()| stream.flush()));
            stream.conn.send_close_notify();
            drop(stream.flush());
        }
    });
    (format!("localhost:{port}"), made.cert.pem())
}

#[test]
fn a_registry_with_an_authority_of_its_own_is_trusted_when_that_is_given() {
    let bytes = image("a");
    let (_, foreign) = with_tls(Vec::new(), 0);
    for (own, shared, expected) in [(true, false, "Unchanged"), (false, true, "UntrustedCertificate")] {
        let (name, authority) = with_tls(bytes.clone(), 8);
        let repository = Repository::parse(&format!("{name}/shop")).unwrap();
        let authorities = Some(if own { authority } else { foreign.clone() }.into_bytes());
        let server = RegistryServer { authorities, ..RegistryServer::default() };
        let shared = shared.then(|| foreign.clone().into_bytes());
        let servers = BTreeMap::from([(name.clone(), server)]);
        let settings = RegistrySettings { servers, authorities: shared, ..settings() };
        assert_eq!(ask(settings, &repository, Some(&Digest::of(&bytes))), expected);
    }
    // One that has no TLS where some is expected.
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let plain = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten().take(8) {
            drop(stream.read(&mut [0; 4096]).and_then(|_| stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")));
        }
    });
    let server = RegistryServer { authorities: Some(foreign.into_bytes()), ..RegistryServer::default() };
    let settings = RegistrySettings { servers: BTreeMap::from([(plain.clone(), server)]), ..settings() };
    let repository = Repository::parse(&format!("{plain}/shop")).unwrap();
    assert_eq!(ask(settings, &repository, None), "Unreachable");
}

#[test]
fn a_program_is_run_for_a_login_only_when_that_is_allowed() {
    let registry = Registry::start(|_| refusal(401, "UNAUTHORIZED").with("www-authenticate: Basic realm=\"x\""));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.json");
    fs::write(&file, json!({"credsStore": "bobbypin-no-such-helper"}).to_string()).unwrap();
    let repository = repository(&registry, "shop");
    let message = |credential_helpers| {
        let server = RegistryServer { credential_helpers, ..RegistryServer::default() };
        let servers = BTreeMap::from([(registry.name(), server)]);
        let settings = RegistrySettings { docker_config: Some(file.clone()), servers, ..settings() };
        let registries = Registries::new(settings).unwrap();
        let seen =
            registries.tags_seen(&[TagQuestion { repository: &repository, tag: "1", known: None, platforms: &[] }]);
        let [Observed::Unknown(unknown)] = seen.as_slice() else { panic!("{seen:?}") };
        unknown.message.replace(&registry.name(), "registry.example.org")
    };
    assert_eq!(
        message(false),
        "registry.example.org/shop:1: it cannot be read without a login, or does not exist (the docker configuration leaves its login to the program `docker-credential-bobbypin-no-such-helper`, which is only run when that is allowed for the registry (credentialHelpers)); log in with `docker login registry.example.org`"
    );
    assert_eq!(
        message(true),
        "registry.example.org/shop:1: it cannot be read without a login, or does not exist (the program `docker-credential-bobbypin-no-such-helper` is not installed); log in with `docker login registry.example.org`"
    );
}

#[test]
fn a_registry_that_does_not_answer_costs_its_time_once() {
    let registry = Registry::start(|_| Reply::Drip(b"HTTP/1.1 200 ".to_vec()));
    let names: Vec<_> = (0..40).map(|number| repository(&registry, &format!("charts/{number}"))).collect();
    let question = |repository| TagQuestion { repository, tag: "1", known: None, platforms: &[] };
    let registries = Registries::new(RegistrySettings { jobs: 2, seconds: 1, ..settings() }).unwrap();
    let start = Instant::now();
    let seen = registries.tags_seen(&names.iter().map(question).collect::<Vec<_>>());
    assert_eq!(seen.iter().map(word).collect::<Vec<_>>(), ["Timeout"; 40]);
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "twenty times two questions are not to wait: {:?}",
        start.elapsed()
    );
    assert_eq!(registry.connections(), 1);
}
