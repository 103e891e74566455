//! The command line: one file per subcommand, each with its arguments and `run`.

pub mod access;
pub mod bench;
pub mod publish;
pub mod tail;

/// An error that the user can mend: wrong arguments or settings.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Mistake(pub String);
