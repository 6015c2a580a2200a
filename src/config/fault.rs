//! What a conversion finds wrong, before it is known where in the file that stands.

use std::fmt;

use crate::{
    config::{check::Located, problem::Problem, raw::Metadata},
    model::name::Name,
};

/// One thing that is wrong with the meaning of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The JSON pointer of the value, which may be absent from the file.
    pub(super) pointer: String,
    /// What is wrong.
    pub(super) message: String,
    /// What to type instead.
    pub(super) hint: Option<String>,
}

/// Everything that is wrong so far. A conversion goes on after a fault, to find the others too.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    /// Notes a fault.
    pub(super) fn add(&mut self, pointer: impl Into<String>, message: impl Into<String>) {
        self.0.push(Fault { pointer: pointer.into(), message: message.into(), hint: None });
    }

    /// Notes a fault, and what to type instead.
    pub(super) fn add_with_hint(
        &mut self,
        pointer: impl Into<String>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.0.push(Fault { pointer: pointer.into(), message: message.into(), hint: Some(hint.into()) });
    }

    /// Keeps a value, or notes why there is none.
    pub(super) fn take<T, E: fmt::Display>(&mut self, pointer: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.add(pointer, error.to_string())).ok()
    }

    /// Keeps the value of a key that may be left out: `None` only when it is given and wrong.
    pub(super) fn take_optional<T, E: fmt::Display>(
        &mut self,
        pointer: &str,
        text: Option<&str>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<Option<T>> {
        match text {
            Some(text) => self.take(pointer, parse(text)).map(Some),
            None => Some(None),
        }
    }

    /// Keeps the values of a list when all are right, and notes every one that is not.
    pub(super) fn take_list<T, E: fmt::Display>(
        &mut self,
        pointer: &str,
        texts: &[String],
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<Vec<T>> {
        let values: Vec<_> = texts
            .iter()
            .enumerate()
            .map(|(index, text)| self.take(&format!("{pointer}/{index}"), parse(text)))
            .collect();
        values.into_iter().collect()
    }

    /// Checks that a file of a cluster's folder names that cluster.
    pub(super) fn check_name(&mut self, metadata: &Metadata, cluster: &Name) {
        if metadata.name != cluster.as_str() {
            let message = format!("`{}` is not the name of the folder, `{cluster}`", metadata.name.escape_debug());
            self.add_with_hint("/metadata/name", message, format!("name: {cluster}"));
        }
    }

    /// Gives the whole when nothing is wrong with it.
    pub(super) fn finish<T>(self, whole: Option<T>) -> Result<T, Vec<Fault>> {
        if self.0.is_empty() { Ok(whole.expect("a part is missing only where a fault was noted")) } else { Err(self.0) }
    }
}

/// Converts a file that could be read, and says where in it the faults are.
pub(super) fn convert<R, T>(
    located: &Located<R>,
    conversion: impl FnOnce(&R) -> Result<T, Vec<Fault>>,
) -> Result<T, Vec<Problem>> {
    conversion(&located.value).map_err(|faults| {
        let mut problems: Vec<_> =
            faults.into_iter().map(|fault| located.problem(&fault.pointer, fault.message, fault.hint)).collect();
        problems.sort();
        // Both sides of an entry may be wrong in the same way.
        problems.dedup();
        problems
    })
}
