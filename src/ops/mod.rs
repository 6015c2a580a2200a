//! What the program does, one verb per file. Every command and the demo use these functions and no others.

pub mod collect;
pub mod decide;
pub mod doctor;
pub mod init;
pub mod load;
pub mod reconcile;
pub mod trust;
