//! The tests: the real binary as real processes, with a real Postgres, Redis, nginx and browser.
//!
//! Each test starts what it needs on ports of its own and takes it down again, so tests know nothing of each other
//! and any of them may kill any server. [`harness`] starts things, [`checker`] judges what arrived, the rest are tests,
//! one file per concept.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod checker;
mod faults;
mod stream;
mod harness;
mod inbox;
mod ingest;
mod input;
mod publishing;

use harness::*;
