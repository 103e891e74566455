//! The tests of the load generator: the real binary against real servers, which the harness of the server's tests starts.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};

#[allow(dead_code, unused_imports, reason = "the server's tests need the rest of it")]
#[path = "../../../tests/it/harness/mod.rs"]
mod harness;
mod peers;
mod scenarios;

/// The checkout.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
/// The load generator.
const BENCH: &str = env!("CARGO_BIN_EXE_tidings-bench");

/// The server. It is of another package, so Cargo builds it beside this one only when it is asked for both.
fn tidings() -> PathBuf {
    let server = Path::new(BENCH).with_file_name("tidings");
    assert!(server.exists(), "{} is missing: test with `cargo nextest run --workspace`", server.display());
    server
}
