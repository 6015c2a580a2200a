//! The plugins that have answers: `hosts`, `kubernetes`, `forward` and `template`.

use crate::dns::corefile::{
    address::Address,
    dispenser::Dispenser,
    lexer::Token,
    validate::{
        Outcome,
        arguments::{HostPort, host_port, is_address, unsigned},
        doubtful,
        plugins::{
            SECOND, at_least_zero, is_duration, is_expression, nanoseconds, next, none, number, one, only_lines, some,
            unexpected, unknown_property,
        },
        refused, rewrite,
    },
};

pub(super) fn hosts(words: &mut Dispenser<'_, '_>) -> Outcome {
    while words.next() {
        let at = words.word();
        words.arguments();
        let (mut falls, mut unsupported) = (false, None);
        while words.next_in_block() {
            let property = words.word();
            match property.text.as_ref() {
                "fallthrough" => {
                    words.arguments();
                    falls = true;
                }
                "fallthrough_unsupported" => {
                    none(words)?;
                    unsupported = Some(property);
                }
                "no_reverse" => {}
                "ttl" => number(some(property, words)?[0], 1, 65535)?,
                "reload" => at_least_zero(one(property, words)?)?,
                // Until then every other line is an entry, or is skipped as none.
                _ if !falls => drop(words.arguments()),
                _ => return Err(unknown_property(property)),
            }
        }
        if let Some(property) = unsupported.filter(|_| !falls) {
            return Err(refused(property, "this needs `fallthrough`"));
        }
        if words.next() {
            // A second one is told by another rule; anything else stands behind the block.
            return if words.text() == "hosts" { Ok(()) } else { Err(refused(at, "`hosts` is only allowed once")) };
        }
    }
    Ok(())
}

pub(super) fn kubernetes(words: &mut Dispenser<'_, '_>, keys: &[&str]) -> Outcome {
    words.next();
    let at = words.word();
    let arguments = words.arguments();
    let zones: Vec<&str> =
        if arguments.is_empty() { keys.to_vec() } else { arguments.iter().map(|word| word.text.as_ref()).collect() };
    let is_forward = |zone: &&str| {
        // CoreDNS takes the zone of all addresses for one of names.
        Address::parse(zone).is_some_and(|Address { zone, .. }| {
            !zone.contains('/') && !zone.ends_with(".in-addr.arpa.") && !zone.ends_with(".ip6.arpa.")
        })
    };
    if !zones.iter().any(is_forward) {
        return Err(refused(at, "`kubernetes` needs a zone that is not for addresses"));
    }
    while words.next_in_block() {
        let property = words.word();
        match property.text.as_ref() {
            "endpoint_pod_names" => none(words)?,
            "noendpoints" | "zonal" => none(words)?,
            "pods" => {
                let mode = one(property, words)?;
                if !["disabled", "verified", "insecure"].contains(&mode.text.as_ref()) {
                    return Err(refused(mode, "pods are disabled, verified or insecure"));
                }
            }
            "namespaces" => drop(some(property, words)?),
            "endpoint" => {
                let word = some(property, words)?[0];
                let host = word.text.strip_prefix("https://").or_else(|| word.text.strip_prefix("http://"));
                let is_plain =
                    |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:".contains(&byte));
                if !host.is_some_and(|host| matches!(host_port(host), HostPort::Both { host, port } if !host.is_empty() && is_plain(host) && port.parse::<u16>().is_ok()))
                {
                    return Err(doubtful(word, "this address was not looked into"));
                }
            }
            "fallthrough" => drop(words.arguments()),
            "ttl" => number(some(property, words)?[0], 0, 3600)?,
            "ignore" => {
                if let Some(word) = words.arguments().first()
                    && word.text != "empty_service"
                {
                    return Err(refused(word, "what can be ignored is empty_service"));
                }
            }
            "startup_timeout" => is_duration(some(property, words)?[0])?,
            "apiserver_burst" | "apiserver_max_inflight" => number(one(property, words)?, 0, i64::MAX)?,
            "tls" | "labels" | "namespace_labels" | "kubeconfig" | "multicluster" | "apiserver_qps" => {
                return Err(doubtful(property, "this property was not looked at"));
            }
            _ => return Err(unknown_property(property)),
        }
    }
    only_lines(words, &["kubernetes"])
}

pub(super) fn forward(words: &mut Dispenser<'_, '_>) -> Outcome {
    while words.next() {
        let from = next(words)?;
        if Address::parse(&from.text).is_none() || from.text.contains(['\\', '/']) {
            return Err(doubtful(from, "this zone was not looked into"));
        }
        let to = some(from, words)?;
        let (mut expire, mut age) = (10 * SECOND, 0);
        while words.next_in_block() {
            forward_property(words, &mut expire, &mut age)?;
        }
        if age > 0 && age < expire {
            return Err(refused(from, "`max_age` may not be less than `expire`"));
        }
        for word in to {
            upstream(word)?;
        }
    }
    Ok(())
}

fn forward_property(words: &mut Dispenser<'_, '_>, expire: &mut i128, age: &mut i128) -> Outcome {
    let property = words.word();
    match property.text.as_ref() {
        "except" => drop(some(property, words)?),
        "max_fails" | "max_connect_attempts" => {
            let word = next(words)?;
            if unsigned(&word.text).is_none() {
                return Err(refused(word, format!("`{}` is no number", word.text.escape_debug())));
            }
        }
        "max_concurrent" | "max_idle_conns" => number(next(words)?, 0, i64::MAX)?,
        "force_tcp" | "prefer_udp" | "next_on_nodata" => {
            if words.next_argument() {
                return Err(unexpected(words.word()));
            }
        }
        "failfast_all_unhealthy_upstreams" => none(words)?,
        "expire" | "max_age" => {
            let word = next(words)?;
            at_least_zero(word)?;
            *(if property.text == "expire" { expire } else { age }) = nanoseconds(word)?;
        }
        "read_timeout" => {
            let word = next(words)?;
            if nanoseconds(word)? <= 0 {
                return Err(refused(word, "this duration must be positive"));
            }
        }
        "policy" => {
            let word = next(words)?;
            if !["random", "round_robin", "sequential"].contains(&word.text.as_ref()) {
                return Err(refused(word, "the policy is random, round_robin or sequential"));
            }
        }
        "tls_servername" => drop(next(words)?),
        "health_check" => {
            at_least_zero(next(words)?)?;
            while words.next_argument() {
                match words.text() {
                    "no_rec" => {}
                    "domain" => return Err(doubtful(words.word(), "this option was not looked at")),
                    _ => return Err(unexpected(words.word())),
                }
            }
        }
        "tls" | "doh_method" | "next" | "failover" | "resolver" | "source_address" => {
            return Err(doubtful(property, "this property was not looked at"));
        }
        _ => return Err(unknown_property(property)),
    }
    Ok(())
}

/// Where a query is forwarded to.
fn upstream(word: &Token<'_>) -> Outcome {
    let text = word.text.as_ref();
    let is_host_port = match host_port(text) {
        HostPort::Both { host, port } => is_address(host) && port.parse::<u16>().is_ok(),
        HostPort::Neither => false,
    };
    // Every container has this file.
    if is_address(text) || is_host_port || text == "/etc/resolv.conf" {
        Ok(())
    } else {
        Err(doubtful(word, "whether this is an upstream depends on the machine"))
    }
}

pub(super) fn template(words: &mut Dispenser<'_, '_>) -> Outcome {
    while words.next() {
        let class = next(words)?;
        if !rewrite::CLASSES.contains(&class.text.as_ref()) {
            return Err(refused(class, "there is no such class of queries"));
        }
        let kind = next(words)?;
        if !rewrite::TYPES.contains(&kind.text.as_ref()) {
            return Err(doubtful(kind, "whether there is such a type of queries was not looked at"));
        }
        words.arguments();
        while words.next_in_block() {
            let property = words.word();
            match property.text.as_ref() {
                "match" => some(property, words)?.into_iter().try_for_each(is_expression)?,
                "answer" | "additional" | "authority" => {
                    some(property, words)?.into_iter().try_for_each(is_template)?
                }
                "rcode" => {
                    let word = next(words)?;
                    const CODES: [&str; 6] = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED"];
                    if !CODES.contains(&word.text.as_ref()) {
                        return Err(doubtful(word, "whether there is such a code was not looked at"));
                    }
                }
                "fallthrough" | "upstream" => drop(words.arguments()),
                "var" | "expr" | "ederror" => return Err(doubtful(property, "this property was not looked at")),
                _ => return Err(unknown_property(property)),
            }
        }
    }
    Ok(())
}

/// Only places of the form `{{ .Name }}` are looked into.
fn is_template(word: &Token<'_>) -> Outcome {
    let mut parts = word.text.split("{{");
    parts.next();
    let is_simple = parts.all(|part| {
        part.split_once("}}").is_some_and(|(inside, rest)| {
            let name = inside.trim_matches(' ').strip_prefix('.');
            name.is_some_and(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic()))
                && !rest.contains("}}")
        })
    });
    if is_simple { Ok(()) } else { Err(doubtful(word, "this template was not looked into")) }
}
