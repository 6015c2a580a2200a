//! The arguments of the plugins that stand in the Corefiles of clusters, each as its own code in CoreDNS 1.15 reads them.

mod answering;

use crate::dns::corefile::{
    dispenser::Dispenser,
    expression::{Expression, expression},
    lexer::Token,
    validate::{
        Objection, Outcome,
        arguments::{HostPort, duration, host_port, integer, is_address},
        doubtful, refused, rewrite,
    },
};

const SECOND: i128 = 1_000_000_000;

/// Judges everything that one server block says about one plugin.
pub(super) fn check(name: &str, words: Vec<&Token<'_>>, keys: &[&str]) -> Outcome {
    let first = words[0];
    let words = &mut Dispenser::new(words);
    match name {
        "bind" => bind(words),
        "bufsize" => bufsize(words),
        "cache" => cache(words),
        "debug" => debug(words),
        "errors" => errors(words),
        "forward" => answering::forward(words),
        "health" => listener(words, |property, words| match property.text.as_ref() {
            "lameduck" => one(property, words).and_then(|word| is_duration(word)),
            _ => Err(unknown_property(property)),
        }),
        "hosts" => answering::hosts(words),
        "kubernetes" => answering::kubernetes(words, keys),
        "loadbalance" => loadbalance(words),
        "log" => log(words),
        // Only the first line of these is ever read.
        "any" | "minimal" | "whoami" => {
            words.next();
            if words.next_argument() { Err(unexpected(words.word())) } else { Ok(()) }
        }
        "loop" => {
            words.next();
            if words.next_argument() { Err(unexpected(words.word())) } else { only_lines(words, &[name]) }
        }
        "prometheus" => listener(words, |property, _| match property.text.as_ref() {
            "runtime_metrics" | "tls" => Err(doubtful(property, "this property was not looked at")),
            _ => Err(unknown_property(property)),
        }),
        "ready" => listener(words, |property, words| {
            if property.text != "monitor" {
                return Err(unknown_property(property));
            }
            let mode = one(property, words)?;
            let is_known = ["until-ready", "continuously"].contains(&mode.text.as_ref());
            if is_known { Ok(()) } else { Err(refused(mode, "it is monitored until-ready or continuously")) }
        }),
        "reload" => reload(words),
        "rewrite" => rewrite::check(words),
        "template" => answering::template(words),
        _ => Err(doubtful(first, format!("the arguments of `{name}` were not looked at"))),
    }
}

fn unexpected(word: &Token<'_>) -> Objection {
    refused(word, format!("`{}` is one word too many", word.text.escape_debug()))
}

fn missing(word: &Token<'_>) -> Objection {
    refused(word, format!("something is missing behind `{}`", word.text.escape_debug()))
}

fn unknown_property(word: &Token<'_>) -> Objection {
    refused(word, format!("the plugin has no property `{}`", word.text.escape_debug()))
}

/// The one argument of a property.
fn one<'d, 'a>(property: &Token<'a>, words: &mut Dispenser<'d, 'a>) -> Result<&'d Token<'a>, Objection> {
    match words.arguments().as_slice() {
        [] => Err(missing(property)),
        [word] => Ok(word),
        [_, word, ..] => Err(unexpected(word)),
    }
}

fn none(words: &mut Dispenser<'_, '_>) -> Outcome {
    words.arguments().first().map_or(Ok(()), |word| Err(unexpected(word)))
}

fn some<'d, 'a>(property: &Token<'a>, words: &mut Dispenser<'d, 'a>) -> Result<Vec<&'d Token<'a>>, Objection> {
    let found = words.arguments();
    if found.is_empty() { Err(missing(property)) } else { Ok(found) }
}

/// The next word of the line, whatever it is.
fn next<'d, 'a>(words: &mut Dispenser<'d, 'a>) -> Result<&'d Token<'a>, Objection> {
    if words.next_argument() { Ok(words.word()) } else { Err(missing(words.word())) }
}

fn is_duration(word: &Token<'_>) -> Outcome {
    nanoseconds(word).map(|_| ())
}

fn nanoseconds(word: &Token<'_>) -> Result<i128, Objection> {
    duration(&word.text).ok_or_else(|| refused(word, format!("`{}` is no duration", word.text.escape_debug())))
}

fn at_least_zero(word: &Token<'_>) -> Outcome {
    if nanoseconds(word)? < 0 { Err(refused(word, "this duration may not be negative")) } else { Ok(()) }
}

fn number(word: &Token<'_>, least: i64, most: i64) -> Outcome {
    match integer(&word.text) {
        Some(number) if (least..=most).contains(&number) => Ok(()),
        Some(_) if most == i64::MAX => Err(refused(word, format!("this number must be {least} or more"))),
        Some(_) => Err(refused(word, format!("this number must be from {least} to {most}"))),
        None => Err(refused(word, format!("`{}` is no number", word.text.escape_debug()))),
    }
}

/// Whatever follows must be lines that begin with one of these words.
fn only_lines(words: &mut Dispenser<'_, '_>, names: &[&str]) -> Outcome {
    // Where a plugin stands twice, another rule tells it.
    if words.next() && !names.contains(&words.text()) { Err(unexpected(words.word())) } else { Ok(()) }
}

/// A plugin that listens: nothing or an address on its line, and properties.
fn listener<'d, 'a>(
    words: &mut Dispenser<'d, 'a>,
    mut property: impl FnMut(&'d Token<'a>, &mut Dispenser<'d, 'a>) -> Outcome,
) -> Outcome {
    while words.next() {
        let arguments = words.arguments();
        if let Some(word) = arguments.get(1) {
            return Err(unexpected(word));
        }
        if let Some(word) = arguments.first() {
            address(word)?;
        }
        while words.next_in_block() {
            property(words.word(), words)?;
        }
    }
    Ok(())
}

fn address(word: &Token<'_>) -> Outcome {
    match host_port(&word.text) {
        HostPort::Neither => Err(refused(word, format!("`{}` is no host with a port", word.text.escape_debug()))),
        HostPort::Both { host, port }
            if (host.is_empty() || is_address(host)) && port.parse::<u16>().is_ok_and(|port| port > 0) =>
        {
            Ok(())
        }
        HostPort::Both { .. } => Err(doubtful(word, "whether this can be listened on was not looked at")),
    }
}

fn bind(words: &mut Dispenser<'_, '_>) -> Outcome {
    while words.next() {
        for word in some(words.word(), words)? {
            if !is_address(&word.text) {
                return Err(doubtful(word, "whether there is such an interface is not known"));
            }
        }
        if words.next_in_block() {
            return Err(match words.text() {
                "except" => doubtful(words.word(), "this property was not looked at"),
                _ => unknown_property(words.word()),
            });
        }
    }
    Ok(())
}

fn bufsize(words: &mut Dispenser<'_, '_>) -> Outcome {
    words.next();
    match words.arguments().as_slice() {
        [] => Ok(()),
        [word] => number(word, 512, 4096),
        [_, word, ..] => Err(unexpected(word)),
    }
}

fn debug(words: &mut Dispenser<'_, '_>) -> Outcome {
    while words.next() {
        if words.next_argument() {
            return Err(unexpected(words.word()));
        }
    }
    Ok(())
}

fn errors(words: &mut Dispenser<'_, '_>) -> Outcome {
    while words.next() {
        match words.arguments().as_slice() {
            [] => {}
            [word] if word.text == "stdout" => {}
            [word] => return Err(refused(word, "errors can go to stdout only")),
            [_, word, ..] => return Err(unexpected(word)),
        }
        while words.next_in_block() {
            let property = words.word();
            match property.text.as_ref() {
                "stacktrace" => {}
                "consolidate" => consolidate(property, &words.arguments())?,
                _ => return Err(unknown_property(property)),
            }
        }
    }
    Ok(())
}

fn consolidate(property: &Token<'_>, arguments: &[&Token<'_>]) -> Outcome {
    let [period, pattern, options @ ..] = arguments else { return Err(missing(property)) };
    if let Some(word) = options.get(2) {
        return Err(unexpected(word));
    }
    is_duration(period)?;
    is_expression(pattern)?;
    let (mut has_level, mut has_first) = (false, false);
    for option in options {
        match option.text.as_ref() {
            "show_first" => has_first = true,
            "warning" | "error" | "info" | "debug" if !has_level && !has_first => has_level = true,
            _ => return Err(unexpected(option)),
        }
    }
    Ok(())
}

fn is_expression(word: &Token<'_>) -> Outcome {
    match expression(&word.text) {
        Expression::Valid { .. } => Ok(()),
        Expression::Invalid => Err(refused(word, format!("`{}` is no expression", word.text.escape_debug()))),
        Expression::Unknown => Err(doubtful(word, "this expression was not looked into")),
    }
}

fn reload(words: &mut Dispenser<'_, '_>) -> Outcome {
    words.next();
    let arguments = words.arguments();
    if let Some(word) = arguments.get(2) {
        return Err(unexpected(word));
    }
    if let Some(word) = arguments.first()
        && nanoseconds(word)? < 2 * SECOND
    {
        return Err(refused(word, "the interval must be 2s or more"));
    }
    if let Some(word) = arguments.get(1) {
        let jitter = nanoseconds(word)?;
        if jitter != 0 && jitter < SECOND {
            return Err(refused(word, "the jitter must be 0 or 1s or more"));
        }
    }
    Ok(())
}

fn cache(words: &mut Dispenser<'_, '_>) -> Outcome {
    while words.next() {
        let arguments = words.arguments();
        if let Some(word) = arguments.first()
            && integer(&word.text).is_some()
        {
            number(word, 1, i64::MAX)?;
        }
        let (mut is_stale, mut policy) = (false, None);
        while words.next_in_block() {
            let property = words.word();
            match property.text.as_ref() {
                "success" | "denial" => {
                    let arguments = some(property, words)?;
                    for (word, least) in arguments.iter().zip([i64::MIN, 1, 0]) {
                        number(word, least, i64::MAX)?;
                    }
                }
                "prefetch" => prefetch(property, &words.arguments())?,
                "servfail" => {
                    let word = one(property, words)?;
                    at_least_zero(word)?;
                    if nanoseconds(word)? > 300 * SECOND {
                        return Err(refused(word, "failures may be kept for 5m at most"));
                    }
                }
                "serve_stale" => {
                    is_stale = true;
                    let arguments = words.arguments();
                    if let Some(word) = arguments.get(5) {
                        return Err(unexpected(word));
                    }
                    if let Some(word) = arguments.first() {
                        at_least_zero(word)?;
                    }
                    if let Some(word) = arguments.get(1)
                        && !["immediate", "verify"].contains(&word.text.to_lowercase().as_str())
                    {
                        return Err(refused(word, "stale answers are refreshed by immediate or verify"));
                    }
                    if let Some(word) = arguments.get(2) {
                        return Err(doubtful(word, "this argument was not looked at"));
                    }
                }
                "serve_stale_policy" => policy = Some(property),
                "disable" => {
                    let arguments = some(property, words)?;
                    if !["success", "denial"].contains(&arguments[0].text.as_ref()) {
                        return Err(refused(arguments[0], "what can be disabled is success or denial"));
                    }
                }
                "keepttl" => none(words)?,
                _ => return Err(unknown_property(property)),
            }
            if let Some(property) = policy.take() {
                let mode = one(property, words)?;
                if !mode.text.eq_ignore_ascii_case("prefer_positive") {
                    return Err(refused(mode, "there is no such policy"));
                }
                return Err(doubtful(
                    property,
                    if is_stale { "this property was not looked at" } else { "`serve_stale` must go with it" },
                ));
            }
        }
    }
    Ok(())
}

fn prefetch(property: &Token<'_>, arguments: &[&Token<'_>]) -> Outcome {
    match arguments {
        [] => return Err(missing(property)),
        [amount, rest @ ..] => {
            number(amount, 0, i64::MAX)?;
            if let Some(word) = rest.first() {
                is_duration(word)?;
            }
            if let Some(word) = rest.get(1) {
                let percent = word.text.strip_suffix('%').and_then(integer);
                if !percent.is_some_and(|percent| (10..=90).contains(&percent)) {
                    return Err(refused(word, "this must be from 10% to 90%"));
                }
            }
            if let Some(word) = rest.get(2) {
                return Err(unexpected(word));
            }
        }
    }
    Ok(())
}

fn loadbalance(words: &mut Dispenser<'_, '_>) -> Outcome {
    while words.next() {
        match words.arguments().as_slice() {
            [] => {}
            [word] if word.text == "round_robin" => {}
            [word, more, ..] if word.text == "round_robin" => return Err(unexpected(more)),
            [word, ..] if word.text == "weighted" => return Err(doubtful(word, "this policy was not looked at")),
            [word, ..] => return Err(refused(word, "the policy is round_robin or weighted")),
        }
        if words.next_in_block() {
            return Err(match words.text() {
                "prefer" => doubtful(words.word(), "this property was not looked at"),
                _ => unknown_property(words.word()),
            });
        }
    }
    Ok(())
}

fn log(words: &mut Dispenser<'_, '_>) -> Outcome {
    while words.next() {
        words.arguments();
        while words.next_in_block() {
            let property = words.word();
            if property.text != "class" {
                return Err(unknown_property(property));
            }
            for word in some(property, words)? {
                if !["all", "denial", "error", "success"].contains(&word.text.as_ref()) {
                    return Err(refused(word, "a class is all, denial, error or success"));
                }
            }
        }
    }
    Ok(())
}
