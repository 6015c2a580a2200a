//! What a label of a host name may be.

use idna::{
    AsciiDenyList,
    uts46::{DnsLength, Hyphens, Uts46},
};

use crate::model::hostname::HostnameError;

/// Checks one label, in lower case.
pub(super) fn check(label: &str) -> Result<(), HostnameError> {
    let bytes = label.as_bytes();
    let inner = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-';
    if bytes.is_empty() || bytes.len() > 63 || !bytes.iter().all(inner) || bytes[0] == b'-' || bytes.ends_with(b"-") {
        return Err(HostnameError::Label);
    }
    match bytes.get(2..4) {
        Some(b"--") if !label.starts_with("xn--") => Err(HostnameError::ReservedLabel),
        Some(b"--") if !stands_for_a_name(label) => Err(HostnameError::NotIdna),
        _ => Ok(()),
    }
}

/// Whether an `xn--` label is the one way to write something that IDNA2008 lets into a name.
///
/// Without this, `xn--example-` would pass for another name than `example`, and nobody could tell which of two spellings
/// a browser asks for.
fn stands_for_a_name(label: &str) -> bool {
    let uts46 = Uts46::new();
    let (text, decoded) = uts46.to_unicode(label.as_bytes(), AsciiDenyList::STD3, Hyphens::Check);
    decoded.is_ok()
        && !text.is_ascii()
        && (0..).zip(text.chars()).all(|(index, character)| is_allowed(&uts46, &text, index, character))
        && uts46
            .to_ascii(text.as_bytes(), AsciiDenyList::STD3, Hyphens::Check, DnsLength::Verify)
            .is_ok_and(|again| again == label)
}

/// Whether IDNA2008 (RFC 5892) has a character in names. UTS 46, which the library follows, has symbols besides.
fn is_allowed(uts46: &Uts46, text: &str, index: usize, character: char) -> bool {
    let is_l = |index: Option<usize>| index.and_then(|index| text.chars().nth(index)) == Some('l');
    match character {
        // Appendix A.3 and A.7: the Catalan l·l, and the middle dot of Japanese, which must not stand among Latin alone.
        '\u{b7}' => is_l(index.checked_sub(1)) && is_l(index.checked_add(1)),
        '\u{30fb}' => text
            .chars()
            .any(|one| matches!(one, '\u{3005}'..='\u{3007}' | '\u{3041}'..='\u{30fa}' | '\u{4e00}'..='\u{9fff}')),
        // Joiners, whose rules the library knows.
        '-' | '\u{200c}' | '\u{200d}' => true,
        _ => character.is_alphanumeric() || is_mark(uts46, character),
    }
}

/// Whether a character is a combining mark: no label may begin with it, and any may go on with it.
fn is_mark(uts46: &Uts46, character: char) -> bool {
    let is_valid = |label: String| {
        uts46.to_ascii(label.as_bytes(), AsciiDenyList::STD3, Hyphens::Check, DnsLength::Verify).is_ok()
    };
    !is_valid(character.to_string()) && is_valid(format!("क{character}"))
}
