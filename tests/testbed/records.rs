//! Records in each of their forms, from an Ingress to an answer and all the way back: the program commits to Gitea, Flux
//! applies that beside what others keep in the same ConfigMaps, and CoreDNS reads what is in the cluster then.

mod live;
mod site;

use live::{Dns, Live, answers};
use site::{Site, cluster};

/// Every host that is told by an Ingress here.
const HOSTS: [&str; 2] = ["shop-00000.example.org", "shop-00001.example.org"];

/// A form of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    HostsFile,
    RewriteSnippet,
    CorefileBlock,
}

impl Form {
    /// As the settings have it.
    fn name(self) -> &'static str {
        match self {
            Self::HostsFile => "hosts-file",
            Self::RewriteSnippet => "rewrite-snippet",
            Self::CorefileBlock => "corefile-block",
        }
    }

    /// A Corefile that is prepared for it, without a record.
    fn corefile(self, outside: &str) -> String {
        let hosts = match self {
            Self::HostsFile => {
                "    hosts /etc/coredns/custom/bobbypin.hosts {\n        ttl 30\n        no_reverse\n        reload 1s\n        fallthrough\n    }\n"
            }
            Self::RewriteSnippet | Self::CorefileBlock => "",
        };
        format!(
            ".:53 {{
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
    }}
    import /etc/coredns/custom/*.override
{hosts}    forward . {outside}
    reload 2s 0  # by hand: as often as may be
}}
"
        )
    }

    /// What the cluster holds when no host has a record any more.
    fn left(self, others: &Live) -> Live {
        let mut live = others.clone();
        if self == Self::HostsFile {
            // A CoreDNS that runs would keep what it has read of a file that is gone.
            live.custom.set("bobbypin.hosts", String::new(), "kustomize-controller");
        }
        live
    }

    /// What the cluster holds when these hosts have a record: what others wrote, and ours.
    fn added(self, others: &Live, hosts: &[&str], proxy: &str) -> Live {
        let mut live = others.clone();
        let rules = |indent: &str| -> String {
            let rule = |host| format!("{indent}rewrite name {host} ouroboros-proxy.ouroboros.svc.cluster.local.\n");
            hosts.iter().map(rule).collect()
        };
        match self {
            Self::HostsFile => {
                let lines = hosts.iter().map(|host| format!("{proxy} {host}\n")).collect();
                live.custom.set("bobbypin.hosts", lines, "kustomize-controller");
            }
            Self::RewriteSnippet => live.custom.set("bobbypin.override", rules(""), "kustomize-controller"),
            Self::CorefileBlock => {
                let before = others.coredns.text("Corefile").strip_suffix("}\n").expect("one server block");
                let (begin, end) = ("# --- BEGIN bobbypin (generated, do not edit) ---", "# --- END bobbypin ---");
                let block = format!("    {begin}\n{}    {end}\n", rules("    "));
                live.coredns.set("Corefile", format!("{before}{block}}}\n"), "kustomize-controller");
            }
        }
        live
    }
}

/// From the first host to the last, and until nobody is sent to the proxy any more.
fn comes_and_goes(form: Form) {
    let cluster = cluster();
    let site = Site::new(&cluster, form);
    let others = site.live();
    let unredirected = answers(&others, &[], None);
    assert_eq!(Dns::start(&site, &others).answers(&unredirected), unredirected);

    site.admin().create_ingresses("web", 0..1).expect("a lawful Ingress");
    site.publishes();
    if form == Form::HostsFile {
        // The proxy has no address before it is installed.
        assert_eq!(site.live(), others);
        site.publishes();
    }
    let proxy = site.proxy();
    // What the cluster is to hold, and a CoreDNS that reads it.
    let comes = |others: &Live, hosts: &[&str]| {
        let live = form.added(others, hosts, &proxy);
        assert_eq!(site.live(), live);
        let (dns, told) = (Dns::start(&site, &live), answers(others, hosts, Some(&proxy)));
        assert_eq!(dns.answers(&told), told);
        dns
    };
    comes(&others, &HOSTS[..1]);

    site.admin().create_ingresses("web", 1..2).expect("a lawful Ingress");
    site.publishes();
    // Helm goes on writing what is its own.
    site.helm_releases(&["corp.example.net", "intra.example.net"]);
    let others = others.with_helm(&["corp.example.net", "intra.example.net"]);
    comes(&others, &HOSTS);

    // One host less: it is noted, and goes when a look that is late enough agrees.
    site.delete_ingress(0);
    site.publishes();
    assert_eq!(site.live(), form.added(&others, &HOSTS, &proxy));
    site.publishes_nothing();
    site.changes_settings("confirmAfter: 1h", "confirmAfter: 1s");
    site.publishes();
    let dns = comes(&others, &HOSTS[1..]);

    // All of it goes: first the records, also from a CoreDNS that runs, and the proxy when they are seen gone.
    site.changes_settings("enabled: auto", "enabled: false");
    site.publishes();
    let live = form.left(&others);
    assert_eq!(site.live(), live);
    assert_eq!(site.proxy(), proxy);
    dns.bring(&live);
    let unredirected = answers(&others, &[], None);
    dns.comes_to_say(&unredirected);
    // That they are gone is noted, and the proxy stays for as long as any CoreDNS may still send somebody there.
    site.publishes();
    assert_eq!(site.proxy(), proxy);
    site.publishes_after(6);
    site.proxy_goes();
    assert_eq!(site.live(), live);
    assert_eq!(Dns::start(&site, &live).answers(&unredirected), unredirected);
    site.publishes_nothing();
    site.is_left_alone();
}

#[test]
fn a_hosts_file_comes_and_goes_beside_the_keys_of_others() {
    comes_and_goes(Form::HostsFile);
}

#[test]
fn a_snippet_comes_and_goes_beside_the_keys_of_others() {
    comes_and_goes(Form::RewriteSnippet);
}

#[test]
fn a_block_comes_and_goes_in_a_corefile_that_stays_as_it_is() {
    comes_and_goes(Form::CorefileBlock);
}
