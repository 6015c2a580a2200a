//! The DNS part alone: what is wrong with a Corefile, which host gets a record and why not, and the records themselves.

pub mod hosts;
pub mod lint;
mod manifests;
pub mod records;
#[cfg(test)]
mod tests;
