//! What was read from outside, told apart from what could not be read.

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
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unknown {
    /// The kind of failure, PascalCase: `Forbidden`, `Timeout`, `NotCollected`, …
    pub reason: String,
    /// What the source said, one line.
    pub message: String,
}

impl Unknown {
    /// Nobody looked: the snapshot says nothing about it.
    pub fn not_collected() -> Self {
        Self { reason: "NotCollected".to_owned(), message: "the inventory says nothing about it".to_owned() }
    }
}

impl<T> Observed<T> {
    /// The value, when there is one; for a caller to whom absent and unknown are the same.
    pub fn present(&self) -> Option<&T> {
        match self {
            Self::Present(value) => Some(value),
            Self::Absent | Self::Unknown(_) => None,
        }
    }
}
