//! The one error of the store's operations.

/// The database did not answer; the cause was logged where it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the database did not answer")]
pub struct Unavailable;
