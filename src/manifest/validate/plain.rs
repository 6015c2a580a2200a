//! Plain scalars that some readers take for something else than others do.

use crate::manifest::yaml::is_reserved;

/// Whether readers of YAML 1.1 and 1.2 may disagree about a plain scalar as a value.
///
/// `true`, `false`, and numbers in their shortest decimal form are the same for all; an empty scalar and `null` are
/// nulls for all, which another rule refuses.
pub(super) fn is_ambiguous(text: &str) -> bool {
    if matches!(text, "" | "true" | "false" | "null" | "Null" | "NULL" | "~") || is_canonical_number(text) {
        return false;
    }
    is_reserved(text) || matches!(text, "=" | "<<") || is_odd_number(text) || is_date(text)
}

/// Whether readers may disagree about a plain scalar as a key: also when it is a number or a boolean for all of them,
/// because they spell it differently when they make the text of it that JSON needs.
pub(super) fn is_ambiguous_key(text: &str) -> bool {
    is_ambiguous(text) || matches!(text, "" | "~") || is_reserved(text) || is_canonical_number(text)
}

/// `-?(0|[1-9][0-9]*)(\.[0-9]+)?`
fn is_canonical_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').map_or((unsigned, None), |(whole, rest)| (whole, Some(rest)));
    digits(whole) && (whole == "0" || !whole.starts_with('0')) && fraction.is_none_or(digits)
}

/// Every other spelling of a number: signs, underscores, other bases, exponents, infinities, base 60.
fn is_odd_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if [".inf", ".nan"].iter().any(|word| unsigned.eq_ignore_ascii_case(word)) {
        return true;
    }
    if let Some(digits) = ["0x", "0o", "0b", "0X", "0O", "0B"].iter().find_map(|base| unsigned.strip_prefix(base)) {
        return !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'_');
    }
    if !unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.' || first == '_') {
        return false;
    }
    if !unsigned.bytes().any(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let (mantissa, exponent) = unsigned.split_once(['e', 'E']).map_or((unsigned, "0"), |(left, right)| (left, right));
    let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
    mantissa.bytes().all(|byte| byte.is_ascii_digit() || b"_,:.".contains(&byte))
        && mantissa.bytes().filter(|&byte| byte == b'.').count() <= 1
        && exponent.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_')
}

/// A timestamp begins with four digits, a hyphen, a digit.
fn is_date(text: &str) -> bool {
    let is_date =
        |bytes: &[u8]| bytes[..4].iter().all(u8::is_ascii_digit) && bytes[4] == b'-' && bytes[5].is_ascii_digit();
    text.as_bytes().first_chunk::<6>().is_some_and(|start| is_date(start))
        && text.bytes().all(|byte| byte.is_ascii_digit() || b"-:.+TtZz ".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_scalar_is_ambiguous_when_any_reader_takes_it_for_another_type() {
        for text in [
            "yes",
            "No",
            "ON",
            "off",
            "y",
            "N",
            "True",
            "FALSE",
            "tRUE",
            "nULL",
            "=",
            "<<",
            "012",
            "0o17",
            "0x1F",
            "0b1",
            "1_000",
            "+1",
            "1e3",
            "1.5E-3",
            "5.",
            ".5",
            "-.inf",
            ".NaN",
            "nan",
            "12:30",
            "190:20:30.15",
            "-0x1",
            "00",
            "2001-01-01",
            "2001-12-14t21:59:43.10-05:00",
            "2001-1-1",
            "1,000",
            "-012",
        ] {
            assert!(is_ambiguous(text) && is_ambiguous_key(text), "{text:?}");
        }
        for text in [
            "true",
            "false",
            "0",
            "-1",
            "10",
            "1.5",
            "-0.25",
            "",
            "null",
            "~",
            "5m",
            "1h30m",
            "0.8.1",
            "v1.6.2",
            "10.0.0.0/8",
            "sha256:0a",
            "on-call",
            "0x",
            "0xyz",
            ".",
            "-",
            "a.b",
            "2001-ab",
            "1.2.3.4",
            "12:30 o'clock",
            "e3",
        ] {
            assert!(!is_ambiguous(text), "{text:?}");
        }
        for text in ["true", "false", "null", "~", "", "0", "-0", "7.0", "80"] {
            assert!(is_ambiguous_key(text), "{text:?}");
        }
        for text in ["a", "app.kubernetes.io/name", "0.8.1", "5m", "10.0.0.0/8"] {
            assert!(!is_ambiguous_key(text), "{text:?}");
        }
    }
}
