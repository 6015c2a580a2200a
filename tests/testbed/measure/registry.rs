//! What asking about 200 references costs over a slow network that refuses some requests, beside the bound that the network
//! sets and beside `crane digest` once for each.

use std::{
    io::{self, Error, ErrorKind},
    net::SocketAddr,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bobbypin::{
    edge::registry::{Registries, RegistrySettings, TagQuestion},
    model::{digest::Digest, observed::Observed, oci::Reference},
    pins::seen::TagSeen,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::support::{
    artifacts::Artifact,
    component,
    registry::{Access, Registry},
    wait_for,
};

const REPOSITORIES: usize = 40;
const TAGS: usize = 5;
const PLATFORMS: [&str; 2] = ["linux/amd64", "linux/arm64"];
/// What every request waits.
const LATENCY: Duration = Duration::from_millis(20);
/// Every so many requests, one is refused and may be repeated at once.
const REFUSED: usize = 20;
/// So many questions at once, as the commands ask them unless they are told otherwise.
const JOBS: usize = 16;
/// The program's time over what the requests that it makes must wait.
const MOST: f64 = 2.0;
const ROUNDS: usize = 5;

/// Prints what it took, and fails when the limit is not kept.
pub(crate) fn measure() {
    let registry = Registry::start(Access::Anybody);
    let network = SlowNetwork::before(registry.host());
    let mut pushed = Vec::new();
    for repository in 0..REPOSITORIES {
        let path = format!("tenant-{repository}/shop");
        for tag in 0..TAGS {
            let image = Artifact::index(&PLATFORMS, &format!("{repository}, {tag}"));
            registry.place(&path).push(&image, &format!("1.0.{tag}"));
            let text = format!("{}/{path}:1.0.{tag}", network.host);
            pushed.push((Reference::parse(&text).expect("a reference"), image.digest()));
        }
    }
    // What nobody knows yet is read with all its platforms; of what is known only the tag is asked for.
    let new = compare(&network, &pushed, false);
    let known = compare(&network, &pushed, true);
    crane(&network, &pushed, REFUSED);
    crane(&network, &pushed, usize::MAX);
    for (what, ratio) in [("new", new), ("known", known)] {
        assert!(ratio <= MOST, "{what} references take {ratio:.2} times what their requests wait");
    }
}

/// Asks about all references several times; the median of the ratios.
fn compare(network: &SlowNetwork, pushed: &[(Reference, Digest)], are_known: bool) -> f64 {
    let what = if are_known { "known" } else { "new" };
    let platforms = PLATFORMS.map(str::to_owned);
    let questions: Vec<_> = pushed
        .iter()
        .map(|(reference, digest)| TagQuestion {
            repository: &reference.repository,
            tag: reference.tag.as_deref().expect("all have one"),
            known: are_known.then_some(digest),
            platforms: &platforms,
        })
        .collect();
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        let settings = RegistrySettings { jobs: JOBS, seconds: 60, ..RegistrySettings::default() };
        network.begin(REFUSED);
        let began = Instant::now();
        let registries = Registries::new(settings).expect("nothing is read");
        let answers = registries.tags_seen(&questions);
        let seconds = began.elapsed().as_secs_f64();
        for (answer, (reference, digest)) in answers.iter().zip(pushed) {
            match answer {
                Observed::Present(TagSeen::Unchanged) if are_known => {}
                Observed::Present(TagSeen::Changed { artifact, children }) if !are_known => {
                    assert_eq!((&artifact.digest, children.len()), (digest, PLATFORMS.len()), "{reference}");
                }
                other => panic!("{reference}: {other:?}"),
            }
        }
        let (requests, heads, refused) = network.counted();
        // One for the tag, and of a new one those for its platforms.
        let wanted = questions.len() * if are_known { 1 } else { 1 + PLATFORMS.len() };
        assert!(heads - wanted <= refused, "{heads} times HEAD for {} references", questions.len());
        let bound = requests as f64 * LATENCY.as_secs_f64() / JOBS as f64;
        ratios.push(seconds / bound);
        println!(
            "round {round}: {} {what} references, {JOBS} jobs: {seconds:.3} s for {requests} requests, {refused} of them refused; the network alone {bound:.3} s; ratio {:.2}",
            questions.len(),
            seconds / bound
        );
    }
    ratios.sort_by(f64::total_cmp);
    let ratio = ratios[ROUNDS / 2];
    println!("{what} references: median ratio {ratio:.2} (at most {MOST})");
    ratio
}

/// One program for each reference, as a script would do it. After a refusal it waits a second and more, whatever it was
/// told, so it is also measured without any.
fn crane(network: &SlowNetwork, pushed: &[(Reference, Digest)], refused_every: usize) {
    network.begin(refused_every);
    let began = Instant::now();
    for (reference, digest) in pushed {
        let mut crane = Command::new(component("crane"));
        crane.args(["digest", &reference.to_string()]).env_clear().env("HOME", "/nowhere");
        let done = crane.output().expect("a program of ours");
        assert_eq!(String::from_utf8_lossy(&done.stdout).trim_end(), digest.as_str(), "{reference}: {done:?}");
    }
    let seconds = began.elapsed().as_secs_f64();
    let (requests, _, refused) = network.counted();
    println!("crane digest, one after the other: {seconds:.3} s for {requests} requests, {refused} of them refused");
}

/// What stands between a client and a registry: it lets every request wait, and refuses some.
struct SlowNetwork {
    host: String,
    counts: Arc<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Every so many requests, one is refused.
    refused_every: AtomicUsize,
    requests: AtomicUsize,
    heads: AtomicUsize,
    refused: AtomicUsize,
}

impl SlowNetwork {
    /// Runs as long as the whole measurement. Until it is told, it refuses nothing.
    fn before(registry: &str) -> Self {
        let server: SocketAddr = registry.parse().expect("an address");
        let counts = Arc::new(Counts { refused_every: usize::MAX.into(), ..Counts::default() });
        let for_connections = Arc::clone(&counts);
        let host = wait_for(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let host = listener.local_addr().expect("a bound socket").to_string();
            tokio::spawn(async move {
                while let Ok((client, _)) = listener.accept().await {
                    let counts = Arc::clone(&for_connections);
                    // It ends with the connection, and whoever broke that sees it.
                    tokio::spawn(async move { carry(client, server, &counts).await.ok() });
                }
            });
            host
        });
        Self { host, counts }
    }

    /// Counts from zero, and refuses one of so many from now on.
    fn begin(&self, refused_every: usize) {
        self.counts.refused_every.store(refused_every, Ordering::Relaxed);
        for count in [&self.counts.requests, &self.counts.heads, &self.counts.refused] {
            count.store(0, Ordering::Relaxed);
        }
    }

    /// All requests, those by HEAD, and those that were refused.
    fn counted(&self) -> (usize, usize, usize) {
        let [requests, heads, refused] = [&self.counts.requests, &self.counts.heads, &self.counts.refused]
            .map(|count| count.load(Ordering::Relaxed));
        (requests, heads, refused)
    }
}

/// Carries the requests of one connection, none of which has a body.
async fn carry(mut client: TcpStream, server: SocketAddr, counts: &Counts) -> io::Result<()> {
    client.set_nodelay(true)?;
    let (reader, mut client) = client.split();
    let mut reader = BufReader::new(reader);
    let mut server = BufReader::new(TcpStream::connect(server).await?);
    server.get_ref().set_nodelay(true)?;
    // Another client tries TLS first, and hears that there is none as it would from the registry.
    if reader.fill_buf().await?.first().is_some_and(|byte| !byte.is_ascii_uppercase()) {
        return client.write_all(b"HTTP/1.0 400 Bad Request\r\n\r\n").await;
    }
    while let Some(head) = read_head(&mut reader).await? {
        let is_head = head.starts_with("HEAD ");
        let number = counts.requests.fetch_add(1, Ordering::Relaxed) + 1;
        counts.heads.fetch_add(usize::from(is_head), Ordering::Relaxed);
        tokio::time::sleep(LATENCY).await;
        if number.is_multiple_of(counts.refused_every.load(Ordering::Relaxed)) {
            counts.refused.fetch_add(1, Ordering::Relaxed);
            let refusal = "HTTP/1.1 429 Too Many Requests\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n";
            client.write_all(refusal.as_bytes()).await?;
            continue;
        }
        server.get_mut().write_all(head.as_bytes()).await?;
        let answer = read_head(&mut server).await?.ok_or(ErrorKind::UnexpectedEof)?;
        let mut bytes = answer.clone().into_bytes();
        if !is_head {
            let length = content_length(&answer).ok_or_else(|| Error::other("an answer without a length"))?;
            let start = bytes.len();
            bytes.resize(start + length, 0);
            server.read_exact(&mut bytes[start..]).await?;
        }
        client.write_all(&bytes).await?;
    }
    Ok(())
}

/// Everything up to and with the empty line; `None` at the end.
async fn read_head<R: tokio::io::AsyncBufRead + Unpin>(reader: &mut R) -> io::Result<Option<String>> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).await? == 0 {
            return Ok(None);
        }
    }
    Ok(Some(head))
}

fn content_length(head: &str) -> Option<usize> {
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    let (_, value) = fields.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
    value.trim().parse().ok()
}
