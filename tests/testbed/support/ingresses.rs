//! Ingresses in numbers, as real ones look.

use std::ops::Range;

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::{admin::Admin, wait_for};

/// How many are sent at a time, each over its own connection.
const CONNECTIONS: usize = 8;

impl Admin {
    /// Creates Ingresses `shop-00042` with the host `shop-00042.example.org` in a namespace that exists.
    pub(crate) fn create_ingresses(&self, namespace: &str, numbers: Range<usize>) -> kube::Result<()> {
        let path = format!("/apis/networking.k8s.io/v1/namespaces/{namespace}/ingresses?fieldManager=helm");
        wait_for(async {
            let workers: Vec<JoinHandle<kube::Result<()>>> = (0..CONNECTIONS)
                .map(|first| {
                    let (client, path, namespace) = (self.client(), path.clone(), namespace.to_owned());
                    let mine = numbers.clone().skip(first).step_by(CONNECTIONS);
                    tokio::spawn(async move {
                        for number in mine {
                            let body = ingress(&namespace, number).to_string().into_bytes();
                            let request = http::Request::post(&path).header("content-type", "application/json");
                            // Nobody needs what comes back, so nobody parses it.
                            client.request_text(request.body(body).expect("a path")).await?;
                        }
                        Ok(())
                    })
                })
                .collect();
            for worker in workers {
                worker.await.expect("no panic in it")?;
            }
            Ok(())
        })
    }
}

/// An Ingress with TLS, two paths, and the annotations that a chart, cert-manager and kubectl leave. The server adds the
/// managed fields of its creator.
fn ingress(namespace: &str, number: usize) -> Value {
    let name = format!("shop-{number:05}");
    let host = format!("{name}.example.org");
    let backend = |service: &str| json!({"service": {"name": format!("{name}-{service}"), "port": {"name": "http"}}});
    let spec = json!({
        "ingressClassName": "nginx",
        "rules": [{"host": host, "http": {"paths": [
            {"path": "/api", "pathType": "Prefix", "backend": backend("api")},
            {"path": "/", "pathType": "Prefix", "backend": backend("web")},
        ]}}],
        "tls": [{"hosts": [host], "secretName": format!("{name}-tls")}],
    });
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {
                "app.kubernetes.io/instance": name,
                "app.kubernetes.io/managed-by": "Helm",
                "app.kubernetes.io/name": "shop",
                "app.kubernetes.io/version": "2.14.0",
                "helm.sh/chart": "shop-2.14.0",
            },
            "annotations": {
                "cert-manager.io/cluster-issuer": "letsencrypt",
                "external-dns.alpha.kubernetes.io/hostname": host,
                "kubectl.kubernetes.io/last-applied-configuration": spec.to_string(),
                "meta.helm.sh/release-name": name,
                "meta.helm.sh/release-namespace": namespace,
                "nginx.ingress.kubernetes.io/proxy-body-size": "64m",
                "nginx.ingress.kubernetes.io/proxy-read-timeout": "120",
                "nginx.ingress.kubernetes.io/ssl-redirect": "true",
            },
        },
        "spec": spec,
    })
}
