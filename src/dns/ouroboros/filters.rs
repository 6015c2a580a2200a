//! Which objects the controller looks at (`internal/controller/filters.go`).
//!
//! A class is compared with the field of the object and with nothing else: neither the annotation of old Ingresses nor
//! the default class of the cluster counts.

use std::collections::BTreeSet;

use crate::model::inventory::{GatewayObject, IngressObject, RouteObject};

/// Whether an Ingress passes a class filter. One without a class passes only where there is no filter.
pub fn takes_ingress(ingress: &IngressObject, class: Option<&str>) -> bool {
    is_open(class) || ingress.class.as_deref() == class
}

/// The Gateways that pass a class filter.
pub fn gateways<'a>(
    gateways: &'a [GatewayObject],
    class: Option<&'a str>,
) -> impl Iterator<Item = &'a GatewayObject> + Clone {
    gateways.iter().filter(move |gateway| is_open(class) || Some(gateway.class.as_str()) == class)
}

/// The HTTPRoutes with a parent among the surviving Gateways (namespace and name); all of them where none was filtered.
///
/// Neither the section nor the port that a parent names is looked at.
pub fn http_routes<'a>(
    routes: &'a [RouteObject],
    survivors: Option<&BTreeSet<(&str, &str)>>,
) -> impl Iterator<Item = &'a RouteObject> {
    let is_attached = move |route: &&RouteObject| {
        let mut parents = route.parents.iter();
        survivors.is_none_or(|survivors| parents.any(|(namespace, name)| survivors.contains(&(namespace, name))))
    };
    routes.iter().filter(is_attached)
}

fn is_open(class: Option<&str>) -> bool {
    class.is_none_or(str::is_empty)
}
