//! The difference as a comment on a pull request, which is kept up to date in its place.

use crate::{
    diff::print::{self, escape},
    edge::{
        git::Access,
        gitea::{Address, Gitea, GiteaError, Written},
        http::{HttpClient, HttpError},
    },
    model::name::Name,
    ops::decide::Decided,
    plan::Decision,
};

/// The most bytes that a comment has. Servers take more; people do not.
const BUDGET: usize = 60_000;

/// The most bytes that the list of what to look at has.
const CAUTIONS: usize = 16_000;

/// The most characters that a foreign text has.
const CHARACTERS: usize = 400;

/// Why there may be no comment.
#[derive(Debug, thiserror::Error)]
pub enum CommentError {
    /// Nobody's comment would it be.
    #[error("there is no token to comment with")]
    NoCredentials,
    /// No connection can be made from this machine.
    #[error("cannot comment on the pull request {number}")]
    Http {
        /// Its number.
        number: u64,
        /// Why.
        source: HttpError,
    },
    /// The server did not do it.
    #[error(transparent)]
    Gitea(#[from] GiteaError),
}

impl CommentError {
    /// What the user can do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoCredentials => Some("set BOBBYPIN_GITEA_TOKEN; it takes the scope `write:issue`".to_owned()),
            Self::Http { source, .. } => source.problem.hint().map(str::to_owned),
            Self::Gitea(error) => error.hint(),
        }
    }
}

/// Makes a pull request have one comment that says what the decisions would change.
///
/// Runs over the same choice of clusters (none: all) share the comment; others have one of their own. Nothing is written
/// when it is there already.
///
/// # Errors
///
/// [`CommentError`] when it may not be there afterwards.
pub fn comment(
    access: &Access,
    address: &Address,
    number: u64,
    clusters: &[Name],
    decided: &Decided,
) -> Result<Written, CommentError> {
    let credentials = access.credentials.as_ref().ok_or(CommentError::NoCredentials)?;
    let http = HttpClient::new(access.authorities.as_deref());
    let http = http.map_err(|source| CommentError::Http { number, source })?;
    let gitea = Gitea::new(&http, address, credentials, access.time());
    Ok(gitea.comment(number, &marker(clusters), &text(decided))?)
}

/// The first line, which nobody sees.
fn marker(clusters: &[Name]) -> String {
    let mut names: Vec<_> = clusters.iter().map(|name| format!(" {name}")).collect();
    names.sort();
    names.dedup();
    format!("<!-- bobbypin:diff{} -->", names.concat())
}

/// What is left out comes first: a difference that is short because something could not be read must not look like one
/// that is whole.
fn text(decided: &Decided) -> String {
    let mut text = String::new();
    let lines = cautions(decided);
    for (index, line) in lines.iter().enumerate() {
        if text.len() + line.len() > CAUTIONS {
            text.push_str(&format!("\nNot shown for lack of room: {} more.\n", lines.len() - index));
            break;
        }
        text.push_str(line);
    }
    if !text.is_empty() {
        text = format!("**Cautions**\n\n{text}\n");
    }
    let room = BUDGET.saturating_sub(text.len());
    text + &print::markdown(&decided.changes, room)
}

/// What is held and what could not be read, as the lines of a list.
fn cautions(decided: &Decided) -> Vec<String> {
    let layers = decided.plans.iter().flat_map(|plan| plan.layers.iter().map(move |layer| (plan, layer)));
    let held = layers.filter_map(|(plan, layer)| match &layer.decision {
        Decision::Hold { reason, .. } => {
            let place = code(&format!("{} {}", plan.name, layer.layer));
            Some(format!("- **held** {place}: {} ({})\n", code(&reason.message), reason.code))
        }
        Decision::Deliver { .. } | Decision::Remove { .. } => None,
    });
    let unread = decided.unread.iter().map(|unread| {
        let cluster = unread.cluster.as_ref().map_or(String::new(), |name| format!(" {}", code(name.as_str())));
        let (sources, why) = (code(&unread.sources.join(", ")), code(&unread.unknown.message));
        format!("- **not read**{cluster}: {sources}: {why}\n")
    });
    held.chain(unread).collect()
}

/// Foreign text as inline code, in which it is no tag, no mention and no order.
fn code(text: &str) -> String {
    if text.chars().count() <= CHARACTERS {
        return escape::code(text);
    }
    escape::code(&text.chars().take(CHARACTERS - 1).chain(['…']).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_over_the_same_clusters_share_a_comment_whatever_their_order() {
        let names = |names: &[&str]| names.iter().map(|name| Name::parse(name).unwrap()).collect::<Vec<_>>();
        assert_eq!(marker(&[]), "<!-- bobbypin:diff -->");
        assert_eq!(marker(&names(&["north", "edge", "north"])), "<!-- bobbypin:diff edge north -->");
        assert_eq!(marker(&names(&["edge", "north"])), marker(&names(&["north", "edge"])));
        assert_ne!(marker(&names(&["edge"])), marker(&[]));
    }
}
