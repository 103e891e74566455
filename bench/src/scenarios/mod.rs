//! The scenarios: a file for each, with its flags and its run.

pub mod churn;
pub mod deliver;
pub mod drain;
pub mod fanout;
pub mod idle;
pub mod mixed;
pub mod presence;
pub mod publish;
pub mod schedule;
pub mod signals;
pub mod storm;

/// Streams that may be opening at the same time when their opening is not measured.
const CALM: usize = 256;
