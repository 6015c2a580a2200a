//! No secret of a kubeconfig is in anything that could be printed.

use crate::edge::kube::kubeconfig::{
    Allowed, Origin, ServerPolicy,
    tests::{
        EVERYTHING, TENANT, kubeconfig,
        material::{CERTIFICATE, KEY, OTHER_KEY},
        outcome, read,
    },
};

/// Stands wherever a secret can, also where it does not belong.
const CANARY: &str = "cAnArY0123456789";

#[test]
fn no_secret_is_in_what_can_be_printed() {
    let canary = CANARY;
    let fields = [
        format!("token: {canary}"),
        format!("token: '{canary} with a blank'"),
        format!("token: [{canary}]"),
        format!("token: {{{canary}: {canary}}}"),
        format!("token: !unknown {canary}"),
        format!("username: {canary}, password: {canary}"),
        format!("client-certificate-data: {canary}, client-key-data: {canary}"),
        format!("client-certificate-data: '{canary}!', client-key-data: '{canary}!'"),
        format!("client-certificate-data: {CERTIFICATE}, client-key-data: {KEY}"),
        format!("client-certificate-data: {CERTIFICATE}, client-key-data: {OTHER_KEY}"),
        format!("client-certificate: {canary}, client-key: {canary}"),
        format!("tokenFile: {canary}"),
        format!("exec: {{command: 'sh -c {canary}', args: [{canary}], env: [{{name: T, value: {canary}}}]}}"),
        format!("auth-provider: {{name: oidc, config: {{id-token: {canary}, refresh-token: {canary}}}}}"),
        format!("as: {canary}, as-groups: [{canary}]"),
        format!("{canary}: {canary}"),
        format!("token: abc, extensions: [{{name: a, extension: {canary}}}]"),
    ];
    let servers = [
        "server: 'https://api.example.org'".to_owned(),
        "server: 'http://api.example.org'".to_owned(),
        format!("server: 'https://{canary}:{canary}@api.example.org'"),
        format!("server: 'https://api.example.org/{canary}?{canary}'"),
        format!("server: 'https://{canary}:{canary}@127.0.0.1'"),
        format!("server: 'https://{canary}:{canary}@api example'"),
        format!("server: 'https://api.example.org', proxy-url: 'http://{canary}:{canary}@p'"),
        format!("server: 'https://api.example.org', proxy-url: '{canary}'"),
        format!("server: 'https://api.example.org', certificate-authority: '{canary}'"),
    ];
    let policy = ServerPolicy { allow_loopback: true, allow_link_local: true };
    let origins = [TENANT, Origin::Tenant(policy), Origin::Own(Allowed::default()), Origin::Own(EVERYTHING)];
    for origin in origins {
        for server in &servers {
            for field in &fields {
                let text = kubeconfig(server, field);
                let result = read(&text, origin);
                let mut printed =
                    format!("{result:?}\n{}", result.as_ref().map_or_else(ToString::to_string, |c| c.server()));
                printed.push_str(&outcome(result));
                // A tenant's own name for a program is not a secret, and none is printed with its arguments.
                for secret in [CANARY, KEY, OTHER_KEY, CERTIFICATE] {
                    let lower = printed.to_lowercase();
                    assert!(!lower.contains(&secret.to_lowercase()), "{text}\n{printed}");
                }
            }
        }
    }
}
