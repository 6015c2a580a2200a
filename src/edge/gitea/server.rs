//! What the server is, and who we are to it.

use serde::Deserialize;

use crate::edge::gitea::{Gitea, GiteaError};

/// Which program answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Software {
    /// Gitea, or something that says the same of itself.
    Gitea,
    /// Forgejo.
    Forgejo,
}

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Which program.
    pub software: Software,
    /// The version in its own words: `1.26.0`, `11.0.1+gitea-1.22.0`.
    pub text: String,
    /// Its first two numbers; `None` when it does not begin with such.
    pub number: Option<(u32, u32)>,
}

impl Gitea<'_> {
    /// Asks which program answers, in which version.
    ///
    /// # Errors
    ///
    /// [`GiteaError`] when there is no such answer, which is so for every server that is neither.
    pub fn version(&self) -> Result<Version, GiteaError> {
        #[derive(Deserialize)]
        struct Answer {
            version: String,
        }
        let call = self.call("read the version of the server");
        let answer: Answer = call.get("/version")?;
        Ok(version_of(&call.clean(&answer.version)))
    }

    /// Whose credentials these are. `None` when they are not for finding out: that takes the scope `read:user`.
    ///
    /// # Errors
    ///
    /// [`GiteaError`] for everything but a missing permission.
    pub fn login(&self) -> Result<Option<String>, GiteaError> {
        match self.call("read the name of the user").get::<User>("/user") {
            Ok(user) => Ok(Some(user.login)),
            Err(error) if error.status() == Some(403) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Somebody.
#[derive(Deserialize)]
pub(super) struct User {
    pub(super) login: String,
}

/// The names of these.
pub(super) fn logins(users: Option<Vec<User>>) -> Vec<String> {
    users.unwrap_or_default().into_iter().map(|user| user.login).collect()
}

/// Whether a list has a name. Servers do not tell upper from lower case in names.
pub(super) fn has_login(logins: &[String], wanted: &str) -> bool {
    logins.iter().any(|login| login.eq_ignore_ascii_case(wanted))
}

fn version_of(text: &str) -> Version {
    let is_forgejo = text.contains("+gitea-") || text.contains("forgejo");
    let mut numbers = text.split('.').map(|part| part.parse().ok());
    let number = numbers.next().flatten().zip(numbers.next().flatten());
    let software = if is_forgejo { Software::Forgejo } else { Software::Gitea };
    Version { software, text: text.to_owned(), number }
}
