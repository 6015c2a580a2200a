//! Which bytes the references mean, and what a registry's answers say about that; pure.
//!
//! [`artifact`] reads a manifest; [`seen`] is what was found of a pin in its registry. [`ledger`] decides what becomes of
//! the pins of a cluster, with the images that [`chart`] reads from the chart that [`said_by`] finds; [`judge`] says how a pin
//! stands. [`references`] finds what files name, [`keep`] makes lists of it for those who delete and copy, and [`reap`] says
//! what a cleaner without such a list breaks. [`mirror`] leads to mirrors and back, [`signature`] tells who signed something, and
//! [`values`] writes pins into files of people.

pub mod artifact;
pub mod chart;
pub mod judge;
pub mod keep;
pub mod ledger;
mod marked;
pub mod mirror;
pub mod reap;
pub mod references;
pub mod said_by;
pub mod seen;
pub mod signature;
pub mod values;
