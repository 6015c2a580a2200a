//! How to publish: the settings of the whole repository.

/// `bobbypin.yaml`, kind `Repository`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryConfig {
    /// Where to publish: the name of a remote, a path or a `file://` URL. `None`: the remote `origin` when there is one,
    /// else the repository itself.
    pub remote: Option<String>,
    /// The branch that Flux reads.
    pub branch: String,
    /// Who signs the commits as author and committer.
    pub author: Author,
}

/// A person or program, as Git names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// Without `<`, `>` and line breaks.
    pub name: String,
    /// Without `<`, `>` and white space.
    pub email: String,
}

impl Default for RepositoryConfig {
    fn default() -> Self {
        Self {
            remote: None,
            branch: "main".to_owned(),
            author: Author { name: "bobbypin".to_owned(), email: "bobbypin@localhost.invalid".to_owned() },
        }
    }
}
