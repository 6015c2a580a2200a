//! Plain requests to what listens on loopback.

use std::time::Duration;

use reqwest::{Certificate, Client, Method};

use crate::support::wait_for;

/// A client that goes past every proxy, and trusts the servers of this authority (PEM) alone if one is given.
pub(crate) fn client(authority: Option<&str>) -> Client {
    wait_for(async {
        let builder = Client::builder().no_proxy().timeout(Duration::from_secs(60));
        let authorities = authority.map(|pem| Certificate::from_pem(pem.as_bytes()).expect("a certificate"));
        builder.tls_certs_only(authorities).build().expect("a provider of cryptography")
    })
}

/// The status and the text that come back; the error when nobody answers.
pub(crate) fn send(
    client: &Client,
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: String,
) -> reqwest::Result<(u16, String)> {
    let method = Method::from_bytes(method.as_bytes()).expect("a method");
    let request = client.request(method, url).body(body);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    wait_for(async {
        let answer = request.send().await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    })
}
