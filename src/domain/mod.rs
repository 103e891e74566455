//! The words of the domain: parsed once at an edge, trusted afterwards.
//!
//! Nothing here does IO, and nothing here imports another module of this crate.

pub mod audience;
pub mod channel;
pub mod cursor;
pub mod kinds;
pub mod local_time;
pub(crate) mod lock;
pub mod notification;
pub mod precondition;
pub mod preferences;
pub mod preferences_in_force;
pub mod priority;
pub mod problem;
pub(crate) mod rate_limit;
pub mod search_words;
pub mod share;
pub mod signal;
pub mod text;
pub mod timing;
pub mod topic;
pub mod user;
pub mod zones;

#[cfg(test)]
mod tests;
