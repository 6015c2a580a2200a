//! The names that redirected queries are sent to (`internal/config/controller.go` and `proxy.go`).

/// The name of the proxy's Service, in every chart.
const PROXY: &str = "ouroboros-proxy";

/// What a name cannot be made without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The Service has no name.
    #[error("the name of the Service is empty")]
    Service,
    /// The Service has no namespace.
    #[error("the namespace of the Service is empty")]
    Namespace,
    /// The cluster has no domain.
    #[error("the domain of the cluster is empty")]
    Domain,
}

/// The name that redirected queries are rewritten to, for a proxy of the chart: absolute, with its trailing dot.
pub fn proxy_name(namespace: &str, cluster_domain: &str) -> String {
    format!("{PROXY}.{namespace}.svc.{}.", without_dot(cluster_domain))
}

/// The name that redirected queries are rewritten to. `explicit` (`--proxy-fqdn`) is taken as it is.
pub fn rewrite_target(
    explicit: &str,
    service: &str,
    namespace: &str,
    cluster_domain: &str,
) -> Result<String, NameError> {
    if !explicit.is_empty() {
        return Ok(explicit.to_owned());
    }
    Ok(service_name(service, namespace, cluster_domain)? + ".")
}

/// The name that the proxy dials, without a trailing dot. `explicit` (`--target-host`) is taken as it is.
pub fn backend(explicit: &str, service: &str, namespace: &str, cluster_domain: &str) -> Result<String, NameError> {
    if !explicit.is_empty() {
        return Ok(explicit.to_owned());
    }
    service_name(service, namespace, cluster_domain)
}

fn service_name(service: &str, namespace: &str, cluster_domain: &str) -> Result<String, NameError> {
    for (part, error) in
        [(service, NameError::Service), (namespace, NameError::Namespace), (cluster_domain, NameError::Domain)]
    {
        if part.is_empty() {
            return Err(error);
        }
    }
    Ok(format!("{service}.{namespace}.svc.{}", without_dot(cluster_domain)))
}

/// Whether a target lies in another domain than the cluster's (`ClusterDomainMismatch`). The controller only warns.
pub fn is_of_other_domain(cluster_domain: &str, target: &str) -> bool {
    let is_known = !cluster_domain.is_empty() && !target.is_empty();
    is_known && !target.ends_with(&format!(".svc.{}.", without_dot(cluster_domain)))
}

fn without_dot(domain: &str) -> &str {
    domain.strip_suffix('.').unwrap_or(domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_ends_in_one_dot_whatever_the_domain_ends_in() {
        for domain in ["cozy.local", "cozy.local."] {
            assert_eq!(proxy_name("cozy-ouroboros", domain), "ouroboros-proxy.cozy-ouroboros.svc.cozy.local.");
            let target = rewrite_target("", "ouroboros-proxy", "cozy-ouroboros", domain);
            assert_eq!(target, Ok(proxy_name("cozy-ouroboros", domain)));
            assert_eq!(backend("", "c", "n", domain), Ok("c.n.svc.cozy.local".to_owned()));
        }
        assert_eq!(rewrite_target("p.example.org", "", "", ""), Ok("p.example.org".to_owned()), "as it is, dot or not");
        assert_eq!(backend("10.0.0.1", "", "", ""), Ok("10.0.0.1".to_owned()));
    }

    #[test]
    fn a_name_without_one_of_its_parts_is_refused() {
        for (parts, error) in [
            (["", "n", "d"], NameError::Service),
            (["s", "", "d"], NameError::Namespace),
            (["s", "n", ""], NameError::Domain),
        ] {
            assert_eq!(rewrite_target("", parts[0], parts[1], parts[2]), Err(error));
            assert_eq!(backend("", parts[0], parts[1], parts[2]), Err(error));
        }
    }
}
