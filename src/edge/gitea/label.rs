//! Labels of pull requests.

use http::Method;
use serde::Deserialize;
use serde_json::json;

use crate::edge::gitea::{Gitea, GiteaError, GiteaProblem, Written, request::AtMost};

/// The colour of a label that is made here: a plain blue.
const COLOUR: &str = "#1d76db";

#[derive(Deserialize)]
struct Label {
    id: u64,
    name: String,
}

impl Gitea<'_> {
    /// Makes a pull request have these labels, besides those that it has. Those that the repository does not know are made:
    /// servers take unknown names and do nothing with them.
    ///
    /// # Errors
    ///
    /// [`GiteaError`] when it may not have them afterwards.
    pub fn ensure_labels(&self, number: u64, wanted: &[String]) -> Result<Written, GiteaError> {
        let call = self.call(format!("set labels of the pull request {number}"));
        let path = call.path(&format!("/issues/{number}/labels"));
        let lacks = |labels: Option<AtMost<Label>>| {
            let has = labels.map_or_else(Vec::new, |labels| labels.0);
            wanted.iter().filter(move |name| !has.iter().any(|label| label.name == **name))
        };
        let missing: Vec<_> = lacks(call.get(&path)?).collect();
        if missing.is_empty() {
            return Ok(Written::Unchanged);
        }
        let mut known = Vec::new();
        call.list::<Label>(&call.path("/labels"), |label| label.id, |label| known.push(label))?;
        let mut ids = Vec::new();
        for name in missing {
            ids.push(match known.iter().find(|label| label.name == *name) {
                Some(label) => label.id,
                None => {
                    let body = json!({"name": name, "color": COLOUR});
                    call.put::<Label>(Method::POST, &call.path("/labels"), &body)?.id
                }
            });
        }
        let after = call.put(Method::POST, &path, &json!({"labels": ids}))?;
        match lacks(after).next() {
            None => Ok(Written::Updated),
            Some(name) => {
                let why = format!("the pull request still lacks the label `{}`", name.escape_debug());
                Err(call.failed(GiteaProblem::Incomplete { why }))
            }
        }
    }
}
