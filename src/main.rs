//! The program: words, folder and time in, exit code out.

#![expect(clippy::disallowed_methods, reason = "what the world gives is read here and passed in")]

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let here = std::env::current_dir().unwrap_or_default();
    bobbypin::cli::run(std::env::args_os(), here, jiff::Timestamp::now())
}
