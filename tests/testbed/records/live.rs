//! What the cluster holds, and what a CoreDNS makes of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    net::{IpAddr, SocketAddr},
    os::unix::fs::symlink,
    path::Path,
    time::Duration,
};

use kube::core::DynamicObject;
use tempfile::TempDir;

use super::{HOSTS, site::Site};
use crate::support::{
    dns::{CoreDns, Kind, Way, ask},
    poll,
    process::free_port,
};

/// Where the Corefile expects the keys of `coredns-custom`.
const MOUNT: &str = "/etc/coredns/custom";

/// The key of `coredns-custom` that Helm writes.
pub(super) const HELM_KEY: &str = "corporate.override";

/// What Helm writes there: names that lead to the API server.
pub(super) fn of_helm(names: &[&str]) -> String {
    names.iter().map(|name| format!("rewrite name {name} kubernetes.default.svc.cluster.local.\n")).collect()
}

/// The addresses of every name that is asked for.
pub(super) type Answers = BTreeMap<&'static str, BTreeSet<IpAddr>>;

/// The ConfigMaps of DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Live {
    pub(super) coredns: ConfigMap,
    pub(super) custom: ConfigMap,
}

impl Live {
    /// The same with another text of Helm.
    pub(super) fn with_helm(mut self, names: &[&str]) -> Self {
        self.custom.set(HELM_KEY, of_helm(names), "helm");
        self
    }
}

/// The data of a ConfigMap, and who owns each key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ConfigMap {
    data: BTreeMap<String, String>,
    owners: BTreeMap<String, BTreeSet<String>>,
}

impl ConfigMap {
    pub(super) fn of(object: &DynamicObject) -> Self {
        let data = serde_json::from_value(object.data["data"].clone()).expect("texts");
        let mut owners: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for entry in object.metadata.managed_fields.iter().flatten() {
            let fields = entry.fields_v1.as_ref().and_then(|fields| fields.0["f:data"].as_object());
            for key in fields.into_iter().flat_map(|fields| fields.keys()).filter_map(|key| key.strip_prefix("f:")) {
                owners.entry(key.to_owned()).or_default().extend(entry.manager.clone());
            }
        }
        Self { data, owners }
    }

    pub(super) fn text(&self, key: &str) -> &str {
        &self.data[key]
    }

    /// A key as its one owner writes it.
    pub(super) fn set(&mut self, key: &str, text: String, owner: &str) {
        self.data.insert(key.to_owned(), text);
        self.owners.insert(key.to_owned(), BTreeSet::from([owner.to_owned()]));
    }
}

/// What must be answered where these hosts lead to the proxy, and all else is as others want it.
pub(super) fn answers(others: &Live, hosts: &[&str], proxy: Option<&str>) -> Answers {
    let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("an address")).collect::<BTreeSet<_>>();
    let outside = ["203.0.113.1", "2001:db8::1"];
    let helm = others.custom.text(HELM_KEY);
    let names = HOSTS.into_iter().chain(["www.example.org", "corp.example.net", "intra.example.net"]);
    let addresses = |name: &str| match proxy {
        // The Service has no other address, and that of the load balancer must not show through.
        Some(proxy) if hosts.contains(&name) => parse(&[proxy]),
        // The Service of the API server.
        _ if helm.contains(name) => parse(&["10.96.0.1"]),
        _ => parse(&outside),
    };
    let mut answers: Answers = names.map(|name| (name, addresses(name))).collect();
    answers.insert("printer.example.net", BTreeSet::new());
    answers
}

/// A CoreDNS of the cluster.
pub(super) struct Dns {
    server: CoreDns,
    address: SocketAddr,
    mount: TempDir,
    kubeconfig: String,
}

impl Dns {
    /// Starts one on what the cluster holds. Beside what no test can have, its Corefile is the live one: the port, its
    /// account in the cluster and the root of its files are others.
    pub(super) fn start(site: &Site<'_>, live: &Live) -> Self {
        let (mount, port) = (tempfile::tempdir().expect("a temporary folder"), free_port());
        project(mount.path(), &live.custom.data).expect("a folder of ours");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let corefile = corefile(live, address, mount.path(), &site.kubeconfig());
        let server = CoreDns::start("coredns", &corefile, &[]).unwrap_or_else(|printed| panic!("{corefile}{printed}"));
        Self { server, address, mount, kubeconfig: site.kubeconfig() }
    }

    /// Brings it what the cluster holds now.
    pub(super) fn bring(&self, live: &Live) {
        project(self.mount.path(), &live.custom.data).expect("a folder of ours");
        let corefile = corefile(live, self.address, self.mount.path(), &self.kubeconfig);
        let folder = self.server.folder();
        fs::write(folder.join("next"), corefile).expect("a folder of ours");
        fs::rename(folder.join("next"), folder.join("Corefile")).expect("a folder of ours");
    }

    /// What it says to every name of [`answers`].
    pub(super) fn answers(&self, names: &Answers) -> Answers {
        let asked = |name, kind| {
            let answer = ask(self.address, name, kind, Way::Udp).expect("an answer");
            answer.addresses.into_iter().map(|(_, address)| address)
        };
        names.keys().map(|&name| (name, asked(name, Kind::A).chain(asked(name, Kind::Aaaa)).collect())).collect()
    }

    /// Waits until it says this.
    pub(super) fn comes_to_say(&self, wanted: &Answers) {
        poll(Duration::from_secs(30), || (self.answers(wanted) == *wanted).then_some(()));
        assert_eq!(self.answers(wanted), *wanted, "{}", self.server.log());
    }
}

fn corefile(live: &Live, address: SocketAddr, mount: &Path, kubeconfig: &str) -> String {
    let replaced = [
        (".:53 {\n", format!(".:{} {{\n    bind {}\n", address.port(), address.ip())),
        ("        pods insecure\n", format!("        pods insecure\n        kubeconfig {kubeconfig}\n")),
        (MOUNT, mount.display().to_string()),
    ];
    replaced.iter().fold(live.coredns.text("Corefile").to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{text}");
        text.replace(from, to)
    })
}

/// Puts the keys of a ConfigMap into a folder as the kubelet does: each is a link through one that is changed at once.
fn project(folder: &Path, data: &BTreeMap<String, String>) -> io::Result<()> {
    let version = TempDir::with_prefix_in("..", folder)?.keep();
    for (key, text) in data {
        fs::write(version.join(key), text)?;
    }
    let former = fs::read_link(folder.join("..data"));
    symlink(version.file_name().expect("a folder has a name"), folder.join("..data_tmp"))?;
    fs::rename(folder.join("..data_tmp"), folder.join("..data"))?;
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().into_string().expect("a key");
        if !name.starts_with("..") && !data.contains_key(&name) {
            fs::remove_file(folder.join(&name))?;
        }
    }
    for key in data.keys().filter(|key| fs::symlink_metadata(folder.join(key)).is_err()) {
        symlink(Path::new("..data").join(key), folder.join(key))?;
    }
    former.map_or(Ok(()), |former| fs::remove_dir_all(folder.join(former)))
}
