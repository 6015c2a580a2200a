//! Whatever stands in a Secret, reading it ends with a result.

use proptest::prelude::*;

use crate::edge::kube::kubeconfig::{
    Origin,
    tests::{EVERYTHING, TENANT, kubeconfig, outcome, read},
};

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_yaml_makes_it_panic(
        parts in proptest::collection::vec(
            prop::sample::select(vec![
                "clusters", "users", "contexts", "current-context", "name", "cluster", "user", "server", "exec", "token",
                "https://a", ": ", "\n", "\n  ", "\n- ", "{", "}", "[", "]", ", ", "\"", "&a ", "*a", "!!binary ", "<<: ",
                "|\n", "~", "1", "---\n", "\t", "ä", "\u{feff}",
            ]),
            0..40,
        ),
    ) {
        outcome(read(&parts.concat(), TENANT));
    }

    #[test]
    fn no_value_of_any_key_makes_it_panic(
        server in "(https?://)?[a-z0-9.:@%\\[\\]/x-]{0,20}",
        key in prop::sample::select(vec![
            "token", "username", "password", "client-key-data", "client-certificate-data", "tls-server-name", "as",
            "certificate-authority-data", "proxy-url", "disable-compression",
        ]),
        value in any::<String>(),
    ) {
        let value = serde_json::to_string(&value).expect("a text");
        let text = kubeconfig(&format!("server: '{server}', {key}: {value}"), &format!("{key}: {value}"));
        outcome(read(&text, TENANT));
        outcome(read(&text, Origin::Own(EVERYTHING)));
    }

    #[test]
    fn a_tenants_kubeconfig_is_never_accepted_with_more_than_data(
        cluster in prop::sample::subsequence(
            vec!["insecure-skip-tls-verify: true", "proxy-url: 'http://p'", "certificate-authority: /a"], 0..=3,
        ),
        user in prop::sample::subsequence(
            vec![
                "token: abc", "tokenFile: /a", "client-certificate: /a", "client-key: /a", "exec: {command: a}",
                "auth-provider: {name: a}", "as: a", "as-uid: a", "as-groups: [a]", "as-user-extra: {a: [b]}",
            ],
            0..=10,
        ),
    ) {
        let is_plain = cluster.is_empty() && user.iter().all(|field| *field == "token: abc");
        let fields = ["server: 'https://api.example.org'"].iter().chain(&cluster).copied().collect::<Vec<_>>();
        let result = read(&kubeconfig(&fields.join(", "), &user.join(", ")), TENANT);
        prop_assert_eq!(result.is_ok(), is_plain);
    }
}
