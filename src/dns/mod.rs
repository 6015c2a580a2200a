//! Host names and the records made of them; pure.
//!
//! [`claims`] takes the names out of an inventory, [`policy`] decides which of them become records, [`snippet`] writes
//! and reads the records. [`ouroboros`] predicts what the controller of ouroboros would do where it writes the records,
//! and [`corefile`] reads, edits and judges the configuration of the DNS server.

pub mod claims;
pub mod corefile;
pub mod ouroboros;
pub mod policy;
pub mod snippet;
