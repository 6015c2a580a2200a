//! What the program does, one verb per file. Every command and the demo use these functions and no others.

pub mod collect;
pub mod comment;
pub mod decide;
pub mod dns;
pub mod doctor;
pub mod init;
pub mod load;
pub mod pin;
pub mod pull_request;
pub mod reconcile;
pub mod rollout;
pub mod selection;
pub mod trust;
