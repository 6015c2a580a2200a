//! Whether Go takes a text for a regular expression, as CoreDNS asks it.
//!
//! Read from `regexp/syntax` of Go 1.26. Nothing is matched here: what counts is whether CoreDNS loads a file in which the
//! expression stands, and how many groups a replacement may name.

/// What Go says to an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expression {
    /// It takes it.
    Valid {
        /// The groups that are numbered.
        groups: usize,
    },
    /// It refuses it.
    Invalid,
    /// Parts of it are not looked into here: classes of Unicode, and numbers of repetitions that multiply.
    Unknown,
}

/// Longer ones are refused by CoreDNS.
pub(super) const MAX_BYTES: usize = 10_000;
/// The longest that is looked into; above it the limits of Go for the size of what it compiles may count.
const LOOKED_INTO: usize = 1000;
/// The most that `{n}` may ask for.
const MOST_REPEATS: i64 = 1000;

/// Why an expression is not [`Expression::Valid`].
enum Stop {
    Invalid,
    Unknown,
}

/// Judges an expression.
pub fn expression(text: &str) -> Expression {
    if text.len() > MAX_BYTES {
        return Expression::Invalid;
    }
    if text.len() > LOOKED_INTO {
        return Expression::Unknown;
    }
    let mut reader = Reader { rest: text, groups: 0, repeats: 1 };
    match reader.read() {
        Ok(()) => Expression::Valid { groups: reader.groups },
        Err(Stop::Invalid) => Expression::Invalid,
        Err(Stop::Unknown) => Expression::Unknown,
    }
}

struct Reader<'t> {
    rest: &'t str,
    groups: usize,
    /// What the numbers of all repetitions come to when they stand inside each other.
    repeats: i64,
}

/// What stands before a place, as far as it counts for a repetition.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing that can be repeated.
    Nothing,
    /// Something that can.
    Something,
    /// A repetition.
    Repetition,
    /// Flags, which repeat whatever stands before them.
    Flags,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Option<char> {
        let character = self.rest.chars().next()?;
        self.rest = &self.rest[character.len_utf8()..];
        Some(character)
    }

    fn skip(&mut self, start: &str) -> bool {
        self.rest.strip_prefix(start).map(|rest| self.rest = rest).is_some()
    }

    fn read(&mut self) -> Result<(), Stop> {
        let mut depth = 0_usize;
        let mut before = Before::Nothing;
        while !self.rest.is_empty() {
            if self.rest.starts_with('{')
                && let Some(times) = self.counted()
            {
                self.repeat(&mut before)?;
                self.repeats = self.repeats.saturating_mul(times?.max(1));
                if self.repeats > MOST_REPEATS {
                    return Err(Stop::Unknown);
                }
                continue;
            }
            match self.next() {
                Some('(') if self.skip("?") => before = self.special_group(&mut depth)?,
                Some('(') => {
                    self.groups += 1;
                    depth += 1;
                    before = Before::Nothing;
                }
                Some(')') => {
                    depth = depth.checked_sub(1).ok_or(Stop::Invalid)?;
                    before = Before::Something;
                }
                Some('|') => before = Before::Nothing,
                Some('*' | '+' | '?') => self.repeat(&mut before)?,
                Some('[') => {
                    self.class()?;
                    before = Before::Something;
                }
                Some('\\') => {
                    self.escape(false)?;
                    before = Before::Something;
                }
                _ => before = Before::Something,
            }
            if depth > 900 {
                return Err(Stop::Unknown);
            }
        }
        if depth == 0 { Ok(()) } else { Err(Stop::Invalid) }
    }

    fn repeat(&mut self, before: &mut Before) -> Result<(), Stop> {
        match before {
            Before::Nothing | Before::Repetition => return Err(Stop::Invalid),
            Before::Flags => return Err(Stop::Unknown),
            Before::Something => {}
        }
        self.skip("?");
        *before = Before::Repetition;
        Ok(())
    }

    /// Reads `{n}`, `{n,}` or `{n,m}`, or nothing: then the brace is a letter like others.
    fn counted(&mut self) -> Option<Result<i64, Stop>> {
        let (inside, rest) = self.rest.strip_prefix('{')?.split_once('}')?;
        let number = |text: &str| {
            let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            (is_number && (text.len() == 1 || !text.starts_with('0'))).then(|| text.parse().unwrap_or(i64::MAX))
        };
        let (least, most) = match inside.split_once(',') {
            None => (number(inside)?, number(inside)?),
            Some((least, "")) => (number(least)?, number(least)?),
            Some((least, most)) => (number(least)?, number(most)?),
        };
        self.rest = rest;
        Some(if least > MOST_REPEATS || most > MOST_REPEATS || least > most { Err(Stop::Invalid) } else { Ok(most) })
    }

    /// Reads on behind `(?`.
    fn special_group(&mut self, depth: &mut usize) -> Result<Before, Stop> {
        if self.skip("P<") || self.skip("<") {
            let (name, rest) = self.rest.split_once('>').ok_or(Stop::Invalid)?;
            let is_word = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !is_word {
                return Err(Stop::Invalid);
            }
            self.rest = rest;
            self.groups += 1;
            *depth += 1;
            return Ok(Before::Nothing);
        }
        let (mut is_negative, mut has_flag) = (false, false);
        loop {
            match self.next() {
                Some('i' | 'm' | 's' | 'U') => has_flag = true,
                Some('-') if !is_negative => (is_negative, has_flag) = (true, false),
                Some(end @ (':' | ')')) if has_flag || !is_negative => {
                    *depth += usize::from(end == ':');
                    return Ok(if end == ':' { Before::Nothing } else { Before::Flags });
                }
                _ => return Err(Stop::Invalid),
            }
        }
    }

    /// Reads on behind `[`.
    fn class(&mut self) -> Result<(), Stop> {
        self.skip("^");
        let mut is_first = true;
        loop {
            if self.rest.is_empty() {
                return Err(Stop::Invalid);
            }
            if !is_first && self.skip("]") {
                return Ok(());
            }
            is_first = false;
            if self.rest.starts_with("[:")
                && let Some((name, rest)) = self.rest[2..].split_once(":]")
            {
                const NAMES: [&str; 14] = [
                    "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
                    "upper", "word", "xdigit",
                ];
                if !NAMES.contains(&name.strip_prefix('^').unwrap_or(name)) {
                    return Err(Stop::Invalid);
                }
                self.rest = rest;
                continue;
            }
            let Some(low) = self.class_letter()? else { continue };
            if self.rest.starts_with('-') && !self.rest.starts_with("-]") && self.rest.len() > 1 {
                self.skip("-");
                // A class of letters is no end of a range.
                let high = self.class_letter()?.ok_or(Stop::Invalid)?;
                if high < low {
                    return Err(Stop::Invalid);
                }
            }
        }
    }

    /// One letter of a class; nothing for a class of letters such as `\d`.
    fn class_letter(&mut self) -> Result<Option<char>, Stop> {
        match self.next() {
            Some('\\') => self.escape(true),
            Some(character) => Ok(Some(character)),
            None => Err(Stop::Invalid),
        }
    }

    /// Reads on behind a backslash.
    fn escape(&mut self, in_class: bool) -> Result<Option<char>, Stop> {
        match self.next() {
            Some('d' | 'D' | 's' | 'S' | 'w' | 'W') => Ok(None),
            Some('A' | 'b' | 'B' | 'z') if !in_class => Ok(None),
            Some('Q') if !in_class => Err(Stop::Unknown),
            Some('p' | 'P' | 'x' | '0'..='7') => Err(Stop::Unknown),
            Some('a') => Ok(Some('\u{7}')),
            Some('f') => Ok(Some('\u{c}')),
            Some('n') => Ok(Some('\n')),
            Some('r') => Ok(Some('\r')),
            Some('t') => Ok(Some('\t')),
            Some('v') => Ok(Some('\u{b}')),
            Some(sign) if sign.is_ascii() && !sign.is_ascii_alphanumeric() => Ok(Some(sign)),
            _ => Err(Stop::Invalid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_judged_as_go_judges_them() {
        for (text, groups) in [
            ("", 0),
            ("a.example.org.", 0),
            ("^(.*)\\.(a|b)$", 2),
            ("(?P<x>a)(?:b)(?i:c)(?s)", 1),
            ("[a-z0-9-]+[]x][^-a][[:alpha:]_][\\d-]", 0),
            ("a{2}b{1,}c{0,3}d*?e{", 0),
            ("a{01}{", 0),
            ("^*|$+|()*", 1),
            ("(?<a>b)(?<a>c)", 2),
            ("\\.\\_\\-\\bx\\z", 0),
            ("}]{,3}", 0),
        ] {
            assert_eq!(expression(text), Expression::Valid { groups }, "{text}");
        }
        for text in [
            "(",
            ")",
            "a)",
            "*",
            "(*)",
            "a|+",
            "a**",
            "a*??",
            "a{2}{3}",
            "{1}.example.org.",
            "a{1001}",
            "a{3,2}",
            "[",
            "[]",
            "[z-a]",
            "[a-\\d]",
            "[[:no:]]",
            "\\",
            "\\y",
            "\\8",
            "(?",
            "(?x)",
            "(?i-)",
            "(?P<>a)",
            "(?=a)",
            "\\é",
        ] {
            assert_eq!(expression(text), Expression::Invalid, "{text}");
        }
        for text in ["\\pL", "\\x41", "\\1", "(a{100}){100}", "a(?i)*", "\\Qa\\E"] {
            assert_eq!(expression(text), Expression::Unknown, "{text}");
        }
        assert_eq!(expression(&"a".repeat(MAX_BYTES + 1)), Expression::Invalid);
    }
}
