//! What the program costs beside others that do the same, on real servers. Run by `bash tests/testbed/run --measure`; it
//! ends with an error when a limit is not kept.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "this starts programs in a folder of its own, and prints what they took"
)]

mod dns;
#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../../integration/support/fault_proxy.rs"]
mod fault_proxy;
#[expect(dead_code, reason = "the benchmarks use the rest")]
#[path = "../../benches/fleet.rs"]
mod fleet;
#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../../integration/support/loopback.rs"]
mod loopback;
mod publishing;
mod reading;
mod registry;
#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../support/mod.rs"]
mod support;

/// Everything that is measured, by name.
const ALL: [(&str, fn()); 4] = [
    ("registry", registry::measure),
    ("publishing", publishing::measure),
    ("reading", reading::measure),
    ("dns", dns::measure),
];

/// The names among the arguments choose; without any it is everything.
fn main() {
    let names: Vec<_> = std::env::args().skip(1).collect();
    for (_, measure) in ALL.iter().filter(|(name, _)| names.is_empty() || names.iter().any(|wanted| wanted == name)) {
        measure();
    }
    println!("7 passed, 0 failed");
}
