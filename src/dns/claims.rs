//! Which object asks for which host.

use crate::{
    dns::ouroboros::filters,
    model::inventory::{GatewayObject, IngressObject, ObjectMeta, RouteObject},
};

/// One host as one object wrote it.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// As written.
    pub host: &'a str,
    /// The kind of the object.
    pub kind: &'static str,
    /// The object.
    pub owner: &'a ObjectMeta,
}

/// The TLS hosts of the Ingresses of one class, or of every class.
///
/// The class is compared as ouroboros does: exactly, and an Ingress without one never matches a filter.
pub fn of_ingresses<'a>(
    ingresses: &'a [IngressObject],
    class: Option<&'a str>,
) -> impl Iterator<Item = Claim<'a>> + Clone {
    ingresses
        .iter()
        .filter(move |ingress| is_of_class(ingress, class))
        .flat_map(|ingress| ingress.tls_hosts.iter().map(|host| Claim { host, kind: "Ingress", owner: &ingress.meta }))
}

/// Whether an Ingress passes a class filter.
pub fn is_of_class(ingress: &IngressObject, class: Option<&str>) -> bool {
    filters::takes_ingress(ingress, class)
}

/// The hosts of the listeners of a Gateway.
pub fn of_gateway(gateway: &GatewayObject) -> impl Iterator<Item = Claim<'_>> + Clone {
    gateway.hosts.iter().map(|host| Claim { host, kind: "Gateway", owner: &gateway.meta })
}

/// The hosts of an HTTPRoute.
pub fn of_http_route(route: &RouteObject) -> impl Iterator<Item = Claim<'_>> + Clone {
    route.hosts.iter().map(|host| Claim { host, kind: "HTTPRoute", owner: &route.meta })
}
