//! How a registry says by which way it lets somebody in: the header `WWW-Authenticate`.

use http::{HeaderMap, header::WWW_AUTHENTICATE};

/// One way in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// By a token from somewhere.
    Bearer {
        /// Where.
        realm: String,
        /// For whom, in words of the registry.
        service: Option<String>,
    },
    /// By name and password.
    Basic,
}

impl Challenge {
    /// The way that is gone: by a token if there is one, because then no password goes to the registry itself.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut found = None;
        for value in headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok()) {
            for (scheme, parameters) in challenges(value) {
                let parameter =
                    |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
                match (scheme.as_str(), parameter("realm")) {
                    ("bearer", Some(realm)) => return Some(Self::Bearer { realm, service: parameter("service") }),
                    ("basic", _) => found = Some(Self::Basic),
                    _ => (),
                }
            }
        }
        found
    }
}

/// Schemes with their parameters, in lower case but for the values. What is no challenge ends the list.
fn challenges(text: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut found: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let Some((word, after)) = split_word(rest) else { return found };
        let after_space = after.trim_start_matches([' ', '\t']);
        match (after_space.strip_prefix('='), found.last_mut()) {
            (Some(value), Some((_, parameters))) => {
                let Some((value, after)) = split_value(value.trim_start_matches([' ', '\t'])) else { return found };
                parameters.push((word.to_ascii_lowercase(), value));
                rest = after;
            }
            (Some(_), None) => return found,
            (None, _) => {
                found.push((word.to_ascii_lowercase(), Vec::new()));
                rest = after;
            }
        }
    }
}

fn split_word(text: &str) -> Option<(&str, &str)> {
    let is_inside = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~/".contains(c);
    let end = text.find(|c| !is_inside(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// A word, or a text in quotes in which `\` takes what follows as it is.
fn split_value(text: &str) -> Option<(String, &str)> {
    let Some(inside) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return Some((text[..end].to_owned(), &text[end..]));
    };
    let mut value = String::new();
    let mut characters = inside.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((value, &inside[at + 1..])),
            '\\' => value.push(characters.next()?.1),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_read_to_its_end(text in "[ ,=\"\\\\a-zA-Zé]{0,40}") {
            challenges(&text);
        }
    }

    fn of(values: &[&str]) -> Option<Challenge> {
        let headers = values.iter().map(|value| (WWW_AUTHENTICATE, value.parse().unwrap()));
        Challenge::of(&headers.collect())
    }

    #[test]
    fn a_token_is_preferred_wherever_it_stands() {
        let bearer = |realm: &str, service: Option<&str>| {
            Some(Challenge::Bearer { realm: realm.to_owned(), service: service.map(str::to_owned) })
        };
        let realm = "https://a.example/token";
        for (values, found) in [
            (&[r#"Bearer realm="https://a.example/token",service="a",scope="*""#][..], bearer(realm, Some("a"))),
            (&[r#"bearer service = "a" , Realm = "https://a.example/token""#], bearer(realm, Some("a"))),
            (&["Bearer realm=https://a.example/token"], bearer(realm, None)),
            (&[r#"Basic realm="Registry, of ours", Bearer realm="https://a.example/token""#], bearer(realm, None)),
            (&[r#"Basic realm="x""#, r#"Bearer realm="https://a.example/token""#], bearer(realm, None)),
            (&[r#"Negotiate, Bearer realm="a\"b\\c""#], bearer("a\"b\\c", None)),
            (&[r#"Basic realm="Bearer realm=https://a.example/token""#], Some(Challenge::Basic)),
            (&["Basic"], Some(Challenge::Basic)),
            (&["BASIC realm=x"], Some(Challenge::Basic)),
            (&[r#"Bearer service="a""#], None),
            (&["Bearer"], None),
            (&[r#"Bearer realm="open"#], None),
            (&[r#"realm="x", Bearer realm="y""#], None),
            (&["Digest realm=\"x\", nonce=\"abc==\""], None),
            (&["=,=,\"\""], None),
            (&[""], None),
            (&[], None),
        ] {
            assert_eq!(of(values), found, "{values:?}");
        }
    }
}
