//! What the steps of a run cost: `cargo bench`. It prints figures and judges nothing.
//!
//! What is in the core runs on one thread, so that the figures do not depend on the machine's number of processors.

mod claims;
mod core;
mod corefile;
mod fleet;
mod pages;
mod repository;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = core::benches, claims::benches, corefile::benches, pages::benches, repository::benches
}
criterion_main!(benches);
