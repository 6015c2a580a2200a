//! Pages in good order that are not true, and what is to be seen of a list then.

use crate::live_faults::rows::{
    INCONSISTENT, MALFORMED, Place, Row,
    Seen::{Unknown, Whole},
    at, lie,
};

/// Pages in good order that are not true.
pub(super) const LIES: &[Row] = &[
    lie("no items", |page| page.instead_of_items = Some("null".to_owned()), Whole, INCONSISTENT),
    lie("items of no kind", |page| page.instead_of_items = Some("{}".to_owned()), Whole, MALFORMED),
    lie("an item that is nothing", |page| page.items[0] = "null".to_owned(), Whole, Unknown("Malformed", "item 0")),
    lie("an item without a name", |page| page.items[0] = "{}".to_owned(), Whole, Unknown("Malformed", "item 0")),
    lie(
        "another kind among the items",
        |page| page.items[0].insert_str(1, r#""kind":"Pod","apiVersion":"v1","#),
        Whole,
        Unknown("Malformed", "item 0"),
    ),
    lie(
        "items twice",
        |page| page.instead_of_items = Some(format!("[],\"items\":[{}]", page.items.join(","))),
        Whole,
        Unknown("Malformed", "twice"),
    ),
    lie("words behind the page", |page| page.tail = "\u{feff}ok", Whole, MALFORMED),
    at(
        Place::BeforeOthers,
        lie(
            "the token of this page again",
            |page| {
                page.token = Some(format!("{}.again", page.offset));
                page.remaining = None;
            },
            Whole,
            Unknown("Inconsistent", "for the second time"),
        ),
    ),
    at(
        Place::BeforeOthers,
        lie(
            "new tokens for the same page without end",
            |page| {
                page.token = Some(format!("{}.{}", page.offset, page.serial));
                page.remaining = None;
            },
            Whole,
            Unknown("TooLarge", ""),
        ),
    ),
    at(
        Place::BeforeOthers,
        lie(
            "empty pages without end",
            |page| {
                page.items.clear();
                page.token = Some(format!("{}.{}", page.offset, page.serial));
                page.remaining = None;
            },
            Whole,
            Unknown("TooLarge", ""),
        ),
    ),
    at(
        Place::AfterOthers,
        lie(
            "another version",
            |page| page.version = Some("4712".to_owned()),
            Whole,
            Unknown("Inconsistent", "the first page is of version 4711, this one of 4712"),
        ),
    ),
    at(Place::BeforeOthers, lie("no version", |page| page.version = None, Whole, INCONSISTENT)),
    lie("more remain than do", |page| page.remaining = Some(page.remaining.unwrap_or(0) + 1), Whole, INCONSISTENT),
    lie("more remain than there are numbers", |page| page.remaining = Some(usize::MAX), Whole, INCONSISTENT),
    at(
        Place::BeforeOthers,
        lie("fewer remain than do", |page| page.remaining = page.remaining.map(|count| count - 1), Whole, INCONSISTENT),
    ),
    at(
        Place::BeforeOthers,
        lie(
            "no token, and more remain",
            |page| page.token = None,
            Whole,
            Unknown("Inconsistent", "the last page says that"),
        ),
    ),
    at(
        Place::AfterOthers,
        lie(
            "the page before, again",
            |page| page.items = page.all.range(page.offset - page.limit, page.items.len()),
            Whole,
            Unknown("Inconsistent", "twice"),
        ),
    ),
    at(
        Place::BeforeOthers,
        lie(
            "an object of the next page too",
            |page| {
                let next = page.all.range(page.offset + page.limit, 1);
                page.items.splice(..1, next);
            },
            Whole,
            Unknown("Inconsistent", "twice"),
        ),
    ),
    at(
        Place::AfterOthers,
        lie(
            "an object of the page before too",
            |page| {
                let mut earlier = page.all.range(page.offset - 1, 1);
                page.items.append(&mut earlier);
            },
            Whole,
            INCONSISTENT,
        ),
    ),
    lie(
        "an object twice on the page",
        |page| page.items.push(page.items[0].clone()),
        Whole,
        Unknown("Inconsistent", ""),
    ),
    lie(
        "an object less",
        |page| {
            page.items.pop();
        },
        Whole,
        INCONSISTENT,
    ),
    lie(
        "an object more",
        |page| {
            let more = page.items[0].replace("shop-", "late-");
            page.items.push(more);
        },
        Whole,
        INCONSISTENT,
    ),
];
