//! The `tidings` binary.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Gives memory of many short-lived buffers back sooner than the system's own: docs/performance.md has the figures.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    tidings::cli::main()
}
