//! Why operations fail, and how often they are tried again.

use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error};

use super::pool;

/// How often an operation that may be repeated is tried: with the pauses below, about 1.5 seconds in all.
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(30);

/// Whether the database was not migrated yet: as good as away, until it is.
fn lacks_tables(error: &Error) -> bool {
    let Error::DatabaseError(_, information) = error else { return false };
    information.message().starts_with("relation ") && information.message().ends_with("does not exist")
}

/// How often an operation is still tried.
pub(crate) struct Patience {
    attempts: u32,
    pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { attempts: ATTEMPTS, pause: FIRST_PAUSE }
    }
}

impl Patience {
    /// Waits for the next attempt; false when there is none.
    pub(crate) async fn allows(&mut self, failure: &Failure) -> bool {
        self.attempts = failure.attempts_left().min(self.attempts - 1);
        if self.attempts == 0 {
            return false;
        }
        tokio::time::sleep(self.pause.mul_f64(rand::random_range(0.5..1.5))).await;
        self.pause *= 2;
        true
    }
}

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error("no connection: {0}")]
    NoConnection(String),
    /// The server enforces the statement timeout; one that does not even do that hangs.
    #[error("no answer within the statement timeout")]
    Silent,
    #[error("{0}{hint}", hint = if lacks_tables(.0) { " (run `tidings migrate`)" } else { "" })]
    Statement(Error),
}

impl Failure {
    /// A connection whose answer was given up must not serve anybody else: it may still come.
    pub(crate) fn silent(connection: pool::Connection) -> Self {
        drop(pool::Connection::take(connection));
        Self::Silent
    }

    /// Whether the values themselves are what the database refuses. Only what is known to be so counts, for such a
    /// publish is refused for good; the driver keeps the error's code to itself, which leaves the words.
    pub(crate) fn is_unstorable(&self) -> bool {
        const WORDS: [&str; 6] = [
            "invalid byte sequence",
            "unsupported Unicode escape",
            "invalid input syntax",
            "out of range",
            "overflows",
            "too long to represent",
        ];
        match self {
            Self::Statement(Error::DatabaseError(DatabaseErrorKind::Unknown, information)) => {
                WORDS.iter().any(|words| information.message().contains(words))
            }
            Self::Statement(Error::DatabaseError(kind, _)) => {
                matches!(kind, DatabaseErrorKind::CheckViolation | DatabaseErrorKind::NotNullViolation)
            }
            Self::Statement(Error::SerializationError(_)) => true,
            _ => false,
        }
    }

    /// How many more attempts this is worth: many where it will pass, none where it cannot, one where nobody knows.
    fn attempts_left(&self) -> u32 {
        match self {
            Self::Silent => 0,
            _ if self.is_outage() => ATTEMPTS,
            Self::Statement(
                Error::DatabaseError(DatabaseErrorKind::SerializationFailure, _)
                | Error::BrokenTransactionManager
                | Error::RollbackErrorOnCommit { .. },
            ) => ATTEMPTS,
            Self::Statement(Error::DatabaseError(DatabaseErrorKind::Unknown, information)) => {
                if information.message().contains("deadlock") { ATTEMPTS } else { 1 }
            }
            _ => 0,
        }
    }

    pub(crate) fn is_outage(&self) -> bool {
        match self {
            Self::NoConnection(_) | Self::Silent => true,
            Self::Statement(error) if lacks_tables(error) => true,
            Self::Statement(Error::DatabaseError(kind, information)) => {
                matches!(kind, DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection)
                    || information.message().contains("terminating connection")
                    || information.message().contains("shutting down")
                    || information.message().contains("starting up")
            }
            Self::Statement(_) => false,
        }
    }
}
