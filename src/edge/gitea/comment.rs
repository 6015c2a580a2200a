//! One comment on a pull request that is kept up to date in its place.

use http::Method;
use serde::Deserialize;
use serde_json::json;

use crate::edge::gitea::{
    Gitea, GiteaError, Written,
    pull::is_same_text,
    server::{User, has_login},
};

#[derive(Deserialize)]
struct Comment {
    id: u64,
    #[serde(default)]
    body: String,
    #[serde(default)]
    user: Option<User>,
}

impl Gitea<'_> {
    /// Makes a pull request have one comment of ours with this text.
    ///
    /// It is found again by its first line, which is `marker`: something that is not shown, as
    /// `<!-- bobbypin:plan -->`. A comment of somebody else with that line is left alone, as far as it can be known who we
    /// are ([`Gitea::login`]).
    ///
    /// # Errors
    ///
    /// [`GiteaError`] when it may not be there afterwards.
    pub fn comment(&self, number: u64, marker: &str, body: &str) -> Result<Written, GiteaError> {
        let ours = self.login()?;
        let call = self.call(format!("comment on the pull request {number}"));
        let text = format!("{marker}\n{body}");
        let comments = call.path(&format!("/issues/{number}/comments"));
        let mut found: Option<Comment> = None;
        call.list::<Comment>(
            &comments,
            |comment| comment.id,
            |comment| {
                let has_marker = comment.body.lines().next().is_some_and(|line| line.trim_end() == marker);
                let is_ours = match (&ours, &comment.user) {
                    (Some(ours), Some(user)) => has_login(std::slice::from_ref(ours), &user.login),
                    (Some(_), None) => false,
                    (None, _) => true,
                };
                if has_marker && is_ours && found.as_ref().is_none_or(|found| comment.id < found.id) {
                    found = Some(comment);
                }
            },
        )?;
        let content = json!({"body": text});
        match found {
            None => call.send(Method::POST, &comments, Some(&content)).map(|_| Written::Created),
            Some(found) if is_same_text(&found.body, &text) => Ok(Written::Unchanged),
            Some(found) => {
                let path = call.path(&format!("/issues/comments/{}", found.id));
                call.send(Method::PATCH, &path, Some(&content)).map(|_| Written::Updated)
            }
        }
    }
}
