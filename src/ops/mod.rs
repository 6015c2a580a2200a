//! What the program does, one verb per file. Every command and the demo use these functions and no others.

pub mod decide;
pub mod init;
pub mod load;
pub mod reconcile;
