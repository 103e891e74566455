//! What may be done, as a product owner would list it. Each action checks, stores and announces.
//!
//! No action knows HTTP or Redis commands.

pub mod explain;
pub mod inbox;
pub mod kinds;
pub mod preferences;
pub mod presence;
pub mod publish;
pub mod refresh;
pub mod revocations;
pub mod signals;
mod to_completion;
pub mod topics;
