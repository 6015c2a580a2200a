//! What reading 100 000 Ingresses costs, beside a program that only fetches the same pages.

use std::{
    fs,
    io::Read,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use k8s_openapi::ByteString;
use serde_json::Value;

use crate::support::api_server::{ApiServer, Options};

const INGRESSES: usize = 100_000;
/// The program's time over that of curl with the same requests.
const MOST_TIME: f64 = 1.5;
/// The program's peak, in KiB.
const MOST_MEMORY: u64 = 250 << 10;
const ROUNDS: usize = 5;

/// Prints what it took, and fails when a limit is not kept.
pub(crate) fn measure() {
    let server = ApiServer::start(&Options::default());
    let began = Instant::now();
    server.admin().create_ingresses("default", 0..INGRESSES).expect("a server that takes them");
    println!("{INGRESSES} Ingresses made in {:.0} s", began.elapsed().as_secs_f64());
    let folder = tempfile::tempdir().expect("a temporary folder");
    prepare(folder.path(), &server);
    let pages = pages(&server);
    fs::write(folder.path().join("requests"), requests(&server, &pages)).expect("a writable folder");

    let mut ratios = Vec::new();
    let mut peak = 0;
    for round in 1..=ROUNDS {
        // Each goes first every other time.
        let (curl, own) = if round % 2 == 0 {
            let curl = curl(folder.path());
            (curl, inventory(folder.path()))
        } else {
            let own = inventory(folder.path());
            (curl(folder.path()), own)
        };
        let (seconds, memory) = own;
        ratios.push(seconds / curl);
        peak = peak.max(memory);
        println!(
            "round {round}: bobbypin {seconds:.2} s, {} MiB; curl {curl:.2} s; ratio {:.2}",
            memory >> 10,
            seconds / curl
        );
    }
    ratios.sort_by(f64::total_cmp);
    let ratio = ratios[ROUNDS / 2];
    println!(
        "{} pages: median ratio {ratio:.2} (at most {MOST_TIME}), peak {} MiB (at most {} MiB)",
        pages.len(),
        peak >> 10,
        MOST_MEMORY >> 10
    );
    assert!(ratio <= MOST_TIME, "it takes {ratio:.2} times as long as curl");
    assert!(peak <= MOST_MEMORY, "it needs {peak} KiB");
}

/// A repository with one cluster, which is this server.
fn prepare(folder: &Path, server: &ApiServer) {
    let write = |path: &str, text: &str| {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("a file lies in a folder")).expect("a writable folder");
        fs::write(path, text).expect("a writable folder");
    };
    write("kubeconfig", &server.kubeconfig("admin"));
    let kubeconfig: Value = serde_yaml::from_str(&server.kubeconfig("admin")).expect("YAML");
    let authority = kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"].clone();
    let ByteString(authority) = serde_json::from_value(authority).expect("base64");
    write("ca.pem", &String::from_utf8(authority).expect("PEM"));
    write(
        "clusters/edge/cluster.yaml",
        "apiVersion: bobbypin.dev/v1alpha1\nkind: Cluster\nmetadata: {name: edge}\nspec:\n  access: {kubeconfig: kubeconfig}\n  \
         platform: {kind: generic}\n  ingress:\n    class: nginx\n    service: {namespace: ingress-nginx, name: \
         ingress-nginx-controller}\n    proxyProtocol: true\n",
    );
    let made = Command::new("git").args(["init", "--quiet"]).arg(folder).status();
    assert!(made.expect("git is installed").success(), "git init");
}

/// The paths of all pages of one snapshot.
fn pages(server: &ApiServer) -> Vec<String> {
    let first = "/apis/networking.k8s.io/v1/ingresses?limit=500";
    let mut pages = vec![first.to_owned()];
    loop {
        let page = server.admin().json(pages.last().expect("one at least")).expect("a page");
        match page["metadata"]["continue"].as_str().filter(|token| !token.is_empty()) {
            // A token holds nothing that a query would have to escape.
            Some(token) => pages.push(format!("{first}&continue={token}")),
            None => return pages,
        }
    }
}

/// What curl reads: all pages one after the other over one connection, as the program asks for them.
fn requests(server: &ApiServer, pages: &[String]) -> String {
    let mut text = format!(
        "silent\nfail\ncacert = \"ca.pem\"\nheader = \"Authorization: Bearer {}\"\nheader = \"Accept: application/json\"\n",
        server.token("admin")
    );
    for page in pages {
        text.push_str(&format!("url = \"{}{page}\"\noutput = \"/dev/null\"\n", server.url()));
    }
    text
}

fn curl(folder: &Path) -> f64 {
    let began = Instant::now();
    let status = Command::new("curl").args(["--http1.1", "--config", "requests"]).current_dir(folder).status();
    assert!(status.expect("curl is installed").success(), "curl failed");
    began.elapsed().as_secs_f64()
}

/// Reads, and prints the whole inventory. The result is larger than what a pipe holds: when its first byte is here the
/// work is done, and the program waits for its reader; then its largest size so far can be read without a race.
fn inventory(folder: &Path) -> (f64, u64) {
    let began = Instant::now();
    let mut program = Command::new(env!("CARGO_BIN_EXE_bobbypin"))
        .args(["inventory", "--quiet", "-o", "json"])
        .current_dir(folder)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut output = program.stdout.take().expect("it was asked for");
    let mut text = vec![0];
    output.read_exact(&mut text).expect("the program prints a result");
    let seconds = began.elapsed().as_secs_f64();
    let status = fs::read_to_string(format!("/proc/{}/status", program.id())).expect("it waits for its reader");
    output.read_to_end(&mut text).expect("the rest of the result");
    assert!(program.wait().expect("the program ends").success(), "the program failed");
    let hosts = text.windows(9).filter(|window| window == b"tls\":[{\"h").count();
    assert_eq!(hosts, INGRESSES, "every Ingress with its host");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("Linux says it");
    (seconds, line.trim().trim_end_matches("kB").trim().parse().expect("a number of KiB"))
}
