//! What this program predicts of CoreDNS against CoreDNS itself: whether it loads a Corefile, what it answers, and what it
//! does when a file changes.

pub(crate) mod answers;
mod reloads;
mod verdicts;
