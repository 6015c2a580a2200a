//! How much memory the reading of a large cluster needs, and of one that sends without end.
#![cfg(target_os = "linux")]
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "this test writes a repository and starts the program"
)]

use std::{
    fs,
    io::{self, Write},
    net::TcpStream,
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use crate::support::{
    api_server::{ApiServer, Cluster, Fault, INGRESSES, Items, Script, TOKEN, UID, ingress, ingresses, kubeconfig},
    cli::Sandbox,
    scripted::After,
};

const GATEWAYS: &str = "/apis/gateway.networking.k8s.io/v1/gateways";
const HTTP_ROUTES: &str = "/apis/gateway.networking.k8s.io/v1/httproutes";
const TLS_ROUTES: &str = "/apis/gateway.networking.k8s.io/v1/tlsroutes";
const HELM_RELEASES: &str = "/apis/helm.toolkit.fluxcd.io/v2/helmreleases";
const KUSTOMIZATIONS: &str = "/apis/kustomize.toolkit.fluxcd.io/v1/kustomizations";
const DNS: &str = "/api/v1/namespaces/kube-system/configmaps/coredns";

/// The worked example, reached through this cluster.
fn sandbox(server: &ApiServer, cluster: Cluster) -> Sandbox {
    let (url, _) = server.add("host", cluster);
    let sandbox = Sandbox::edge();
    let path = sandbox.root().join("admin.conf");
    fs::write(&path, kubeconfig(&url, Some(TOKEN), server.authority())).expect("a writable folder");
    sandbox.replace("clusters/edge/cluster.yaml", "0f5c6f0a-53a7-4c43-8f0c-2f7b6a3d9e11", UID);
    let way = format!("    kubeconfig: {}\n", path.display());
    sandbox.replace("clusters/edge/cluster.yaml", "    context: edge-admin\n", &way);
    sandbox.push("the way to the host");
    sandbox
}

/// The most memory that the program had at a time, in KiB, without the pages of its own file; and what it printed.
fn peak(sandbox: &Sandbox, timeout: &str) -> (u64, String, String) {
    let output = |name: &str| fs::File::create(sandbox.root().join(name)).expect("a writable folder");
    let mut program = sandbox
        .command(&["inventory", "--cluster=edge", "-o", "json", timeout])
        .stdin(Stdio::null())
        .stdout(output("stdout"))
        .stderr(output("stderr"))
        .spawn()
        .expect("the program starts");
    // The system may take pages of the file back at any time, but it never had more of them than at the most.
    let (mut most, mut file) = (0, 0);
    while program.try_wait().expect("the program is ours").is_none() {
        if let Some((peak, now)) = sizes(&program) {
            most = peak.max(most);
            file = now.max(file);
        }
        thread::sleep(Duration::from_millis(2));
    }
    let peak = most - file;
    let text = |name: &str| fs::read_to_string(sandbox.root().join(name)).expect("it was written");
    (peak, text("stdout"), text("stderr"))
}

/// The peak so far and the pages of the program's file, in KiB; none when the program is ending.
fn sizes(program: &Child) -> Option<(u64, u64)> {
    let status = fs::read_to_string(format!("/proc/{}/status", program.id())).ok()?;
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()
    };
    Some((kib("VmHWM:")?, kib("RssFile:")?))
}

fn flood(stream: &mut TcpStream, _: &[u8]) -> io::Result<After> {
    write!(stream, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 1 << 16], b"\r\n"].concat();
    loop {
        stream.write_all(&chunk)?;
    }
}

fn announced(stream: &mut TcpStream, _: &[u8]) -> io::Result<After> {
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\n")?;
    loop {
        stream.write_all(&[b' '; 1 << 16])?;
    }
}

#[test]
fn answers_without_an_end_take_less_than_100_mib() {
    let honest = || {
        let none = || ingresses(0);
        Cluster::of_ingresses(ingresses(10))
            .with_list(GATEWAYS, "Gateway", "gateway.networking.k8s.io/v1", none())
            .with_list(HTTP_ROUTES, "HTTPRoute", "gateway.networking.k8s.io/v1", none())
            .with_list(TLS_ROUTES, "TLSRoute", "gateway.networking.k8s.io/v1", none())
            .with_list(HELM_RELEASES, "HelmRelease", "helm.toolkit.fluxcd.io/v2", none())
            .with_list(KUSTOMIZATIONS, "Kustomization", "kustomize.toolkit.fluxcd.io/v1", none())
            // While this one says nothing the program is there to be measured.
            .with(script(DNS, Fault::Wire(|_, _| Ok(After::Hangs))))
    };
    let server = ApiServer::start();
    let (least, ..) = peak(&sandbox(&server, honest()), "--timeout=2s");
    let hostile = honest()
        .with(script(INGRESSES, Fault::Wire(flood)))
        .with(script(GATEWAYS, Fault::Wire(announced)))
        .with(script(HTTP_ROUTES, Fault::Wire(flood)))
        .with(script(TLS_ROUTES, Fault::Wire(flood)))
        .with(script(HELM_RELEASES, Fault::Wire(flood)))
        .with(script(KUSTOMIZATIONS, Fault::Wire(flood)));
    let (most, _, told) = peak(&sandbox(&server, hostile), "--timeout=6s");
    assert_eq!(told.matches("(TooLarge): ").count(), 6, "{told}");
    assert!(most < least + (100 << 10), "{most} KiB, and {least} KiB of a cluster that is well");
}

fn script(path: &str, fault: Fault) -> Script {
    Script { path: path.to_owned(), page: 1, times: usize::MAX, fault }
}

#[test]
fn a_hundred_thousand_ingresses_take_less_than_250_mib() {
    let server = ApiServer::start();
    let cluster = Cluster::of_ingresses(Items::Made(100_000, ingress));
    let (most, printed, told) = peak(&sandbox(&server, cluster), "--timeout=10m");
    assert!(printed.contains("shop-000000.example.org") && printed.contains("shop-099999.example.org"), "{told}");
    assert!(most < 250 << 10, "{most} KiB");
}
