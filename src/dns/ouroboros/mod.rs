//! What ouroboros will do, defects included.
//!
//! Read from ouroboros 0.8.1; the rules are the same in every version since 0.7.0. Nothing here is an example to follow:
//! where this program writes records itself, [`crate::dns::policy`] and [`crate::dns::corefile`] decide. A prediction is
//! of use only when it is as wrong as the real thing.
//!
//! [`filters`] and [`sources`] tell which names the controller takes, [`names`] and [`cluster_domain`] where it sends
//! them, and [`corefile`], [`import`] and [`external_dns`] what it writes in each of its modes. The test
//! `ouroboros_agreement` compares all of them with answers of the real program.

pub mod cluster_domain;
pub mod corefile;
pub mod external_dns;
pub mod filters;
pub mod import;
pub mod names;
pub mod sources;

pub use names::proxy_name;
pub use sources::redirected;
