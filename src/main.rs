//! The `tidings` binary.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Packs small streams closer than the system's own and gives short-lived buffers back sooner: docs/performance.md.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    // In huge pages, much of which a stream never touches, a stream would cost twice the memory. If they cannot be disabled, it does.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    tidings::cli::main()
}
