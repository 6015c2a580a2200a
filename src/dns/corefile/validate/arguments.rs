//! Words that stand for something: numbers, durations, addresses. All as Go reads them.

use std::net::IpAddr;

/// A whole number with an optional sign, of 64 bits.
pub(super) fn integer(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// A whole number without a sign, of 32 bits.
pub(super) fn unsigned(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// A duration in nanoseconds: numbers with units, such as `1h30m` or `-1.5s`; a zero needs no unit.
pub(super) fn duration(text: &str) -> Option<i128> {
    let (sign, mut rest) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    if rest == "0" {
        return Some(0);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0_i128;
    while !rest.is_empty() {
        let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
        let (whole, after) = rest.split_at(digits(rest));
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => after.split_at(digits(after)),
            None => ("", after),
        };
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let unit_end = after.bytes().position(|byte| byte == b'.' || byte.is_ascii_digit()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_end);
        let scale: i128 = match unit {
            "ns" => 1,
            "us" | "µs" | "μs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            _ => return None,
        };
        let whole: i128 = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()?.into() };
        total += whole * scale;
        let mut place = scale;
        for digit in fraction.bytes().take(20) {
            place /= 10;
            total += i128::from(digit - b'0') * place;
        }
        if total > i128::from(i64::MAX) {
            return None;
        }
        rest = after;
    }
    Some(sign * total)
}

/// Whether a text is an address of a host without a port.
pub(super) fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

/// What a text is where a host with a port must stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HostPort<'t> {
    /// Both.
    Both {
        /// May be empty.
        host: &'t str,
        /// May be empty.
        port: &'t str,
    },
    /// No colon, too many colons, or brackets that do not fit.
    Neither,
}

/// Takes a host and a port apart.
pub(super) fn host_port(text: &str) -> HostPort<'_> {
    let Some((host, port)) = text.rsplit_once(':') else { return HostPort::Neither };
    let inside = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let host = match inside {
        Some(inside) => inside,
        None if host.contains(':') => return HostPort::Neither,
        None => host,
    };
    if host.contains(['[', ']']) || port.contains(['[', ']']) {
        HostPort::Neither
    } else {
        HostPort::Both { host, port }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_go_reads_them() {
        for (text, nanoseconds) in [
            ("0", 0),
            ("+0", 0),
            ("5s", 5_000_000_000),
            ("1h30m", 5_400_000_000_000),
            ("-1.5s", -1_500_000_000),
            (".5ms", 500_000),
            ("1.s", 1_000_000_000),
            ("3µs", 3_000),
            ("9223372036s", 9_223_372_036_000_000_000),
        ] {
            assert_eq!(duration(text), Some(nanoseconds), "{text}");
        }
        for text in
            ["", "+", "-", "5", "5 s", "s", ".s", "5x", "1d", "00", "9223372037s", "99999999999999999999s", "1s5"]
        {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_and_ports_are_read_as_go_reads_them() {
        assert_eq!((integer("+5"), integer("-5"), integer("0x5"), integer("5_0")), (Some(5), Some(-5), None, None));
        assert_eq!((unsigned("5"), unsigned("+5"), unsigned(""), unsigned("4294967296")), (Some(5), None, None, None));
        let both = |host, port| HostPort::Both { host, port };
        for (text, expected) in [
            (":53", both("", "53")),
            ("127.0.0.1:8080", both("127.0.0.1", "8080")),
            ("[::1]:8080", both("::1", "8080")),
            ("x:", both("x", "")),
            ("::1", HostPort::Neither),
            ("8080", HostPort::Neither),
            ("[::1", HostPort::Neither),
            ("[::1]", HostPort::Neither),
            ("a]:1", HostPort::Neither),
        ] {
            assert_eq!(host_port(text), expected, "{text}");
        }
    }
}
