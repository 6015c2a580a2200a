//! Which names the controller takes from the objects of a cluster (`internal/controller/sources.go`).

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    dns::{
        claims::{self, Claim},
        ouroboros::filters,
    },
    model::inventory::{GatewayObject, IngressObject, RouteObject},
};

/// What a controller reads, by the values of its chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch<'a> {
    /// `controller.ingressClass`: the only class of Ingresses that it takes; `None` or empty: every class.
    pub ingress_class: Option<&'a str>,
    /// `controller.gatewayApi`.
    pub gateway_api: GatewayApi<'a>,
}

/// Whether a controller reads the Gateway API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GatewayApi<'a> {
    /// It looks at Ingresses only.
    Ignored,
    /// It reads Gateways and HTTPRoutes, but no other kind of route.
    Watched {
        /// The only class of Gateways that it takes; `None` or empty: every class, and every HTTPRoute, attached or not.
        class: Option<&'a str>,
    },
}

/// The objects of one cluster that a controller may read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Objects<'a> {
    /// Ingresses of all namespaces.
    pub ingresses: &'a [IngressObject],
    /// Gateways of all namespaces.
    pub gateways: &'a [GatewayObject],
    /// HTTPRoutes of all namespaces.
    pub http_routes: &'a [RouteObject],
}

/// Every host that the controller reads, as written: Ingresses first, then Gateways, then HTTPRoutes.
pub fn claims<'a>(objects: &Objects<'a>, watch: &Watch<'a>) -> Vec<Claim<'a>> {
    let mut found: Vec<_> = claims::of_ingresses(objects.ingresses, watch.ingress_class).collect();
    if let GatewayApi::Watched { class } = watch.gateway_api {
        let kept = filters::gateways(objects.gateways, class);
        let survivors: Option<BTreeSet<_>> = class.filter(|class| !class.is_empty()).map(|_| {
            kept.clone().map(|gateway| (gateway.meta.namespace.as_ref(), gateway.meta.name.as_ref())).collect()
        });
        found.extend(kept.flat_map(claims::of_gateway));
        found.extend(filters::http_routes(objects.http_routes, survivors.as_ref()).flat_map(claims::of_http_route));
    }
    found
}

/// The names that the controller will redirect, each with the first object that asks for it.
pub fn redirected<'a>(claims: impl IntoIterator<Item = Claim<'a>>) -> BTreeMap<String, Claim<'a>> {
    let mut names = BTreeMap::new();
    for claim in claims {
        if let Some(name) = normalised(claim.host) {
            names.entry(name.into_owned()).or_insert(claim);
        }
    }
    names
}

/// A host as the controller records it; `None` for one that it leaves out.
///
/// White space around it is dropped and capitals are lowered; an empty name and one with `*` or `?` are left out. Nothing
/// else is checked: a trailing dot, an address, white space inside or a name in the cluster's own zone stays.
pub fn normalised(host: &str) -> Option<Cow<'_, str>> {
    let host = host.trim();
    let is_plain = host.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    let name = if is_plain { Cow::Borrowed(host) } else { Cow::Owned(host.chars().map(lowered).collect()) };
    (!name.is_empty() && !name.contains(['*', '?'])).then_some(name)
}

/// The hosts of a list as the controller records them: normalised, each once, in order of their bytes.
pub fn normalised_all<'a>(hosts: impl IntoIterator<Item = &'a str>) -> BTreeSet<Cow<'a, str>> {
    hosts.into_iter().filter_map(normalised).collect()
}

/// Go lowers each character by itself, to one character.
fn lowered(character: char) -> char {
    // The one that Rust makes two of begins with what Go makes of it.
    character.to_lowercase().next().unwrap_or(character)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::inventory::ObjectMeta;

    fn meta(namespace: &str, name: &str) -> ObjectMeta {
        ObjectMeta { namespace: namespace.into(), name: name.into(), uid: String::new(), created: None }
    }

    #[test]
    fn names_are_trimmed_lowered_and_made_unique_and_wildcards_are_left_out() {
        let owner = meta("a", "b");
        let hosts =
            ["Zeta.example.org", " foo.example.org\t", "FOO.example.org", "*.example.org", "", "  ", "a?.b", "x.y."];
        let claims = hosts.iter().map(|host| Claim { host, kind: "Ingress", owner: &owner });
        let names: Vec<_> = redirected(claims).into_keys().collect();
        assert_eq!(names, ["foo.example.org", "x.y.", "zeta.example.org"]);
    }

    #[test]
    fn letters_are_lowered_one_by_one_as_go_does() {
        for (host, name) in
            [("ÄPFEL.example", "äpfel.example"), ("ΟΔΟΣ.example", "οδοσ.example"), ("İ.example", "i.example")]
        {
            assert_eq!(normalised(host).as_deref(), Some(name));
        }
        assert_eq!(normalised("\u{a0}nbsp.example\u{3000}").as_deref(), Some("nbsp.example"));
        assert_eq!(normalised("\u{feff}bom.example").as_deref(), Some("\u{feff}bom.example"));
    }

    #[test]
    fn routes_count_by_their_gateways_only_where_a_class_is_set() {
        let gateway = |name: &str, class: &str| GatewayObject {
            meta: meta("edge", name),
            class: class.to_owned(),
            hosts: vec![format!("{name}.example.org")],
        };
        let route = |name: &str, parent: &str| RouteObject {
            meta: meta("shop", name),
            hosts: vec![format!("{name}.example.org")],
            parents: vec![("edge".to_owned(), parent.to_owned())],
        };
        let ingress = |name: &str, class: Option<&str>| IngressObject {
            meta: meta("shop", name),
            class: class.map(str::to_owned),
            tls_hosts: vec![format!("{name}.example.org")],
            rule_hosts: vec![format!("rule-of-{name}.example.org")],
        };
        let (gateways, http_routes) =
            ([gateway("g1", "one"), gateway("g2", "two")], [route("r1", "g1"), route("r2", "g2")]);
        let ingresses = [ingress("i1", Some("nginx")), ingress("i2", Some("other")), ingress("i3", None)];
        let objects = Objects { ingresses: &ingresses, gateways: &gateways, http_routes: &http_routes };
        let names = |ingress_class, gateway_api| {
            let claims = claims(&objects, &Watch { ingress_class, gateway_api });
            claims
                .into_iter()
                .map(|claim| claim.host.split('.').next().unwrap_or_default())
                .collect::<Vec<_>>()
                .join(" ")
        };
        assert_eq!(names(None, GatewayApi::Ignored), "i1 i2 i3");
        assert_eq!(names(Some(""), GatewayApi::Ignored), "i1 i2 i3");
        assert_eq!(names(Some("nginx"), GatewayApi::Ignored), "i1");
        assert_eq!(names(Some("nginx"), GatewayApi::Watched { class: None }), "i1 g1 g2 r1 r2");
        assert_eq!(names(Some("x"), GatewayApi::Watched { class: Some("") }), "g1 g2 r1 r2");
        assert_eq!(names(Some("x"), GatewayApi::Watched { class: Some("two") }), "g2 r2");
        assert_eq!(names(Some("x"), GatewayApi::Watched { class: Some("three") }), "");
    }
}
