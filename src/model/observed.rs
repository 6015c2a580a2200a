//! What was read from outside, told apart from what could not be read.

use serde::Serialize;

/// The result of reading one thing.
///
/// There is no default and no `unwrap_or_default`: `Unknown` leads to holding a layer, never to removing something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed<T> {
    /// It was read completely.
    Present(T),
    /// The reader is certain that it does not exist.
    Absent,
    /// It could not be read, or nobody looked.
    Unknown(Unknown),
}

/// Why something is not known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Unknown {
    /// The kind of failure, PascalCase: `Forbidden`, `Timeout`, `NotCollected`, …
    pub reason: String,
    /// What the source said, one line.
    pub message: String,
}

/// The reason of what nobody looked at.
const NOT_COLLECTED: &str = "NotCollected";

impl Unknown {
    /// Nobody looked: the snapshot says nothing about it.
    pub fn not_collected() -> Self {
        Self { reason: NOT_COLLECTED.to_owned(), message: "the inventory says nothing about it".to_owned() }
    }
}

impl<T> Observed<T> {
    /// Why it is not known, if somebody tried to read it.
    pub fn unread(&self) -> Option<&Unknown> {
        match self {
            Self::Unknown(unknown) if unknown.reason != NOT_COLLECTED => Some(unknown),
            Self::Present(_) | Self::Absent | Self::Unknown(_) => None,
        }
    }

    /// The value, when there is one; for a caller to whom absent and unknown are the same.
    pub fn present(&self) -> Option<&T> {
        match self {
            Self::Present(value) => Some(value),
            Self::Absent | Self::Unknown(_) => None,
        }
    }
}
