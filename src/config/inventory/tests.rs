//! What a snapshot or a list becomes.
