//! What the program costs beside others that do the same, on real servers. Run by `bash tests/testbed/run --measure`; it
//! ends with an error when a limit is not kept.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "this starts programs in a folder of its own, and prints what they took"
)]

#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../../integration/support/fault_proxy.rs"]
mod fault_proxy;
#[expect(dead_code, reason = "the benchmarks use the rest")]
#[path = "../../benches/fleet.rs"]
mod fleet;
mod publishing;
mod reading;
#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../support/mod.rs"]
mod support;

fn main() {
    publishing::measure();
    reading::measure();
    println!("4 passed, 0 failed");
}
