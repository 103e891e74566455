//! The actions, as a product owner would list them. Each action checks, stores and announces.
//!
//! No action knows HTTP or Redis commands.

pub mod explain;
pub mod inbox;
pub mod kinds;
pub mod preferences;
pub mod presence;
pub mod publish;
pub mod refresh;
pub mod retract;
pub mod revocations;
pub mod signals;
mod to_completion;
pub mod topics;

/// The present in microseconds since 1970, the unit of announcements and signals.
fn micros_now() -> u64 {
    let micros = chrono::Utc::now().timestamp_micros();
    debug_assert!(micros > 0, "the clock of this machine is set before 1970");
    micros.unsigned_abs()
}
