//! `pin update --write-values`: pins in a file that a person wrote.

use std::path::Path;

use crate::{
    model::pins::Pins,
    pins::values::{EditError, Edited, with_pins},
};

/// Puts tag and digest of every pin into a file of values or releases, where its repository stands. The caller writes what
/// comes out, when [`Edited::changes`] has anything.
///
/// # Errors
///
/// [`EditError`]: then nothing is to be written.
pub fn write_values(path: &Path, text: &str, pins: &Pins) -> Result<Edited, EditError> {
    with_pins(&path.display().to_string(), text, pins)
}
