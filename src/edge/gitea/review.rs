//! Who reviews a pull request.

use std::collections::BTreeSet;

use http::Method;
use serde::Deserialize;
use serde_json::json;

use crate::edge::gitea::{
    Gitea, GiteaError, Written,
    request::Call,
    server::{User, has_login},
};

#[derive(Deserialize)]
struct Review {
    id: u64,
    /// Nobody when it is that of a team.
    #[serde(default)]
    user: Option<User>,
    #[serde(default)]
    state: String,
}

impl Gitea<'_> {
    /// Who has reviewed a pull request, in order of name, each once: approved, refused or commented on it.
    ///
    /// # Errors
    ///
    /// [`GiteaError`] when that cannot be found out.
    pub fn reviewed_by(&self, number: u64) -> Result<Vec<String>, GiteaError> {
        self.call(format!("read the reviews of the pull request {number}")).reviewed_by(number)
    }

    /// Asks for a review by everybody who neither was asked nor has reviewed already.
    ///
    /// # Errors
    ///
    /// [`GiteaError`] when not everybody may have been asked.
    pub fn request_reviewers(&self, number: u64, wanted: &[String]) -> Result<Written, GiteaError> {
        if wanted.is_empty() {
            return Ok(Written::Unchanged);
        }
        let call = self.call(format!("ask for reviews of the pull request {number}"));
        let asked = call.pull_request_of(number)?.requested_reviewers;
        let mut missing: Vec<_> = wanted.iter().filter(|name| !has_login(&asked, name)).collect();
        if !missing.is_empty() {
            let reviewed = call.reviewed_by(number)?;
            missing.retain(|name| !has_login(&reviewed, name));
        }
        if missing.is_empty() {
            return Ok(Written::Unchanged);
        }
        let path = call.path(&format!("/pulls/{number}/requested_reviewers"));
        call.send(Method::POST, &path, Some(&json!({"reviewers": missing})))?;
        Ok(Written::Updated)
    }
}

impl Call<'_> {
    fn reviewed_by(&self, number: u64) -> Result<Vec<String>, GiteaError> {
        let mut found = BTreeSet::new();
        self.list::<Review>(
            &self.path(&format!("/pulls/{number}/reviews")),
            |review| review.id,
            |review| {
                // The others are requests, and reviews that nobody has sent off yet.
                if matches!(review.state.as_str(), "APPROVED" | "REQUEST_CHANGES" | "COMMENT") {
                    found.extend(review.user.map(|user| user.login));
                }
            },
        )?;
        Ok(found.into_iter().collect())
    }
}
