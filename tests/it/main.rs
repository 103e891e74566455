//! The tests: the real binary as real processes, with a real Postgres, Redis, nginx and browser.
//!
//! Each test starts what it needs on ports of its own and takes it down again, so tests know nothing of each other
//! and any of them may kill any server. [`harness`] starts things, [`checker`] judges what arrived, the rest are tests,
//! one file per concept.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

mod architecture;
mod checker;
mod command_line;
mod docs;
#[cfg(feature = "embedded")]
mod embedded;
mod fairness;
mod fanouts;
mod faults;
mod harness;
mod health;
mod inbox;
mod ingest;
mod inlet;
mod input;
mod kinds;
mod layers;
mod page;
mod plans;
mod polling;
mod poolers;
mod postgres_bus;
mod preferences;
mod presence;
mod proxies;
mod publishing;
mod redis_cluster;
mod reload;
mod retention;
mod schema;
mod signals;
mod stream;
mod summary;
mod time;
mod tls;
mod topics;
mod ways_in;
mod web;
mod ws;

/// The checkout.
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The server.
fn tidings() -> PathBuf {
    env!("CARGO_BIN_EXE_tidings").into()
}
