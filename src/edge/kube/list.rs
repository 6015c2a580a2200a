//! Lists that are complete, of one snapshot, or not there.

use std::collections::BTreeSet;

use crate::{
    config::inventory::{Collection, Kind, PageEnd, PageError},
    edge::kube::{
        api::Form,
        failure::{Cause, Failure},
        session::Session,
    },
};

/// Reads a whole list, from its first page to its last, and makes objects of it. A label selector makes it shorter.
///
/// The pages must be of one snapshot: a server that forgets it, mixes two, or gives an object twice makes the list begin
/// anew, and at last fail. A failure never gives a part.
pub(super) async fn list<T>(
    session: &Session,
    kind: Kind,
    path: &str,
    selector: Option<&str>,
    into: fn(Collection) -> Result<T, PageError>,
) -> Result<T, Failure> {
    let mut starts = 1;
    loop {
        let read = from_the_beginning(session, kind, path, selector).await;
        let made = read.and_then(|all| into(all).map_err(|error| Failure::new(Cause::Inconsistent, error.to_string())));
        match made {
            Ok(objects) => return Ok(objects),
            Err(failure) if failure.cause.spoils_the_list() && starts < session.limits.starts => starts += 1,
            Err(failure) if starts == 1 => return Err(failure),
            Err(failure) => return Err(failure.fix(&format_args!("the list was begun {starts} times"))),
        }
    }
}

async fn from_the_beginning(
    session: &Session,
    kind: Kind,
    path: &str,
    selector: Option<&str>,
) -> Result<Collection, Failure> {
    let limits = &session.limits;
    let mut collection = Collection::new(kind);
    let mut snapshot = Snapshot::default();
    let mut bytes = 0_u64;
    let mut body = Vec::new();
    let selector = selector.map(|selector| format!("&labelSelector={}", escaped(selector))).unwrap_or_default();
    let first = format!("{path}?limit={}{selector}", limits.page_size);
    let mut uri = first.clone();
    for page in 1..=limits.pages {
        let about = format!("page {page}");
        session.get_as(Form::of(kind), &uri, &mut body).await.map_err(|failure| failure.about(&about))?;
        bytes += body.len() as u64;
        if bytes > limits.list_bytes {
            let message = format!("all pages together are longer than {} MiB", limits.list_bytes >> 20);
            return Err(Failure::new(Cause::TooLarge, message).about(&about));
        }
        let end = collection.add(&body);
        let end = end.map_err(|error| Failure::new(Cause::Malformed, error.to_string()).about(&about))?;
        let next = snapshot.next(end, collection.len());
        match next.map_err(|message| Failure::new(Cause::Inconsistent, message).about(&about))? {
            Some(token) => uri = format!("{first}&continue={}", escaped(&token)),
            None => return Ok(collection),
        }
    }
    Err(Failure::new(Cause::TooLarge, format!("the list has more than {} pages", limits.pages)))
}

/// What all pages of a list must agree about.
#[derive(Default)]
struct Snapshot {
    /// Of the first page.
    resource_version: Option<String>,
    /// How many objects the list has, by the first page that says it.
    total: Option<u64>,
    /// How many objects are on a page before the last one.
    page: Option<usize>,
    tokens: BTreeSet<String>,
}

impl Snapshot {
    /// Takes the end of a page, after which there are `read` objects. Gives what the next page is asked for with.
    fn next(&mut self, end: PageEnd, read: usize) -> Result<Option<String>, String> {
        let first = self.resource_version.get_or_insert_with(|| end.resource_version.clone());
        if *first != end.resource_version {
            return Err(format!("the first page is of version {first}, this one of {}", end.resource_version));
        }
        let token = end.continues;
        if token.is_some() && first.is_empty() {
            return Err("there are more pages, and this one does not say of which version it is".to_owned());
        }
        // Who knows how many objects remain leaves none out, and so fills all pages but the last one alike.
        if token.is_some() && end.remaining.is_some() {
            let page = *self.page.get_or_insert(end.items);
            if page != end.items || page == 0 {
                return Err(format!("it holds {} objects, the first page {page}, and more remain", end.items));
            }
        }
        let remaining = end.remaining.unwrap_or(0);
        let total = (read as u64).checked_add(remaining);
        let total = total.ok_or_else(|| format!("it says that {remaining} objects remain, more than there can be"))?;
        if token.is_none() && remaining > 0 {
            return Err(format!("the last page says that {remaining} objects remain"));
        }
        // A filtered list does not say how much remains.
        if token.is_none() || end.remaining.is_some() {
            match self.total {
                Some(said) if said != total => {
                    return Err(format!("an earlier page says that there are {said} objects, and there are {total}"));
                }
                Some(_) => (),
                None => self.total = Some(total),
            }
        }
        match token {
            Some(token) if !self.tokens.insert(token.clone()) => {
                Err("the server gives a continue token for the second time".to_owned())
            }
            token => Ok(token),
        }
    }
}

/// A text as the value in a query.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(resource_version: &str, continues: Option<&str>, remaining: Option<u64>, items: usize) -> PageEnd {
        PageEnd {
            resource_version: resource_version.to_owned(),
            continues: continues.map(str::to_owned),
            remaining,
            items,
        }
    }

    fn verdict(pages: &[PageEnd]) -> Result<(), String> {
        let mut snapshot = Snapshot::default();
        let mut read = 0;
        for page in pages {
            read += page.items;
            snapshot.next(page.clone(), read)?;
        }
        Ok(())
    }

    #[test]
    fn pages_that_can_be_of_one_snapshot_are_taken() {
        for pages in [
            vec![page("7", None, None, 0)],
            // Some servers give everything at once and say nothing about it.
            vec![page("", None, None, 9)],
            vec![page("7", Some("a"), Some(5), 4), page("7", Some("b"), Some(1), 4), page("7", None, None, 1)],
            vec![page("7", None, Some(0), 4)],
            // A filtered list does not say how much remains, and may have pages of any size.
            vec![page("7", Some("a"), None, 4), page("7", Some("b"), None, 0), page("7", None, None, 9)],
        ] {
            assert_eq!(verdict(&pages), Ok(()), "{pages:?}");
        }
    }

    #[test]
    fn pages_that_cannot_be_of_one_snapshot_are_refused_and_told_why() {
        let refused = [
            vec![page("", Some("a"), None, 4), page("", None, None, 4)],
            vec![page("7", Some("a"), None, 4), page("8", None, None, 4)],
            vec![page("7", Some("a"), None, 4), page("7", Some("a"), None, 4)],
            vec![page("7", Some("a"), Some(5), 4), page("7", None, None, 4)],
            vec![page("7", Some("a"), Some(5), 4), page("7", None, None, 6)],
            vec![page("7", Some("a"), Some(5), 3), page("7", Some("b"), Some(1), 4)],
            vec![page("7", Some("a"), Some(5), 0), page("7", None, None, 5)],
            vec![page("7", None, Some(1), 4)],
            vec![page("7", Some("a"), Some(u64::MAX), 4)],
        ];
        let told: Vec<_> = refused.iter().map(|pages| verdict(pages).unwrap_err()).collect();
        insta::assert_snapshot!(told.join("\n"), @"
        there are more pages, and this one does not say of which version it is
        the first page is of version 7, this one of 8
        the server gives a continue token for the second time
        an earlier page says that there are 9 objects, and there are 8
        an earlier page says that there are 9 objects, and there are 10
        it holds 4 objects, the first page 3, and more remain
        it holds 0 objects, the first page 0, and more remain
        the last page says that 1 objects remain
        it says that 18446744073709551615 objects remain, more than there can be
        ");
    }

    #[test]
    fn a_token_is_one_value_in_a_query() {
        assert_eq!(escaped("a-Z_0.9~"), "a-Z_0.9~");
        assert_eq!(escaped("a+/=&?# \u{e9}"), "a%2B%2F%3D%26%3F%23%20%C3%A9");
    }
}
