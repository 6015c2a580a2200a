//! Host names and the records made of them; pure.
//!
//! [`claims`] takes the names out of an inventory, [`policy`] decides which of them become records, and [`hazards`] tells
//! what the fix does not reach. [`snippet`], [`hosts_file`] and [`block`] write and read the records in their three forms,
//! and [`precondition`] says what the DNS server must be told before they count. [`ouroboros`] predicts what the controller
//! of ouroboros would do where it writes the records, and [`corefile`] reads, edits and judges the configuration of the DNS
//! server.

pub mod block;
pub mod claims;
pub mod corefile;
pub mod hazards;
pub mod hosts_file;
pub mod ouroboros;
pub mod policy;
pub mod precondition;
pub mod snippet;
