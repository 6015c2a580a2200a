//! Host names and the records made of them; pure.
//!
//! [`claims`] takes the names out of an inventory, [`policy`] decides which of them become records, [`snippet`] writes
//! and reads the records. [`ouroboros`] predicts what the controller of ouroboros would do where it writes the records,
//! and [`corefile`] looks for what a record form needs of the DNS server's configuration.

pub mod claims;
pub mod corefile;
pub mod ouroboros;
pub mod policy;
pub mod snippet;
