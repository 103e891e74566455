//! Why operations fail, and how often they are tried again.

use std::time::Duration;

use diesel::result::{DatabaseErrorKind, Error};
use tokio_postgres::error::SqlState;

use super::{migrations::Misfit, pool, sqlstate};

/// How often an operation that may be repeated is tried: with the pauses below, about 1.5 seconds in all.
const ATTEMPTS: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(30);

/// The meaning of an error for the operation, by its SQLSTATE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Meaning {
    /// The server is away, or serves no operation now.
    Outage,
    /// Other transactions were in the way.
    Conflict,
    /// The database does not take the values.
    Unstorable,
    /// The statement breaks a rule of the schema: each attempt would.
    Refused,
    /// None of these. The last attempt logs it with its code.
    Unknown,
}

/// The classes of SQLSTATE that are decided as a whole.
const CONNECTION_EXCEPTION: &str = "08";
const OPERATOR_INTERVENTION: &str = "57P";
const DATA_EXCEPTION: &str = "22";
const INTEGRITY_CONSTRAINT_VIOLATION: &str = "23";
/// Connections, memory or disk space.
const INSUFFICIENT_RESOURCES: &str = "53";

impl From<&Error> for Meaning {
    fn from(error: &Error) -> Self {
        match (error, sqlstate::of(error)) {
            (_, Some(code)) => Self::from(&code),
            (
                Error::DatabaseError(DatabaseErrorKind::UnableToSendCommand | DatabaseErrorKind::ClosedConnection, _),
                _,
            ) => Self::Outage,
            (Error::BrokenTransactionManager | Error::RollbackErrorOnCommit { .. }, _) => Self::Conflict,
            (Error::SerializationError(_), _) => Self::Unstorable,
            (Error::DatabaseError(..), None) => Self::Unknown,
            _ => Self::Refused,
        }
    }
}

impl From<&SqlState> for Meaning {
    fn from(code: &SqlState) -> Self {
        match *code {
            SqlState::T_R_SERIALIZATION_FAILURE | SqlState::T_R_DEADLOCK_DETECTED | SqlState::LOCK_NOT_AVAILABLE => {
                Self::Conflict
            }
            // Of a server that stops, starts, fails over, or ends this session.
            SqlState::ADMIN_SHUTDOWN
            | SqlState::CRASH_SHUTDOWN
            | SqlState::CANNOT_CONNECT_NOW
            | SqlState::DATABASE_DROPPED
            | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
            | SqlState::IDLE_SESSION_TIMEOUT
            | SqlState::READ_ONLY_SQL_TRANSACTION => Self::Outage,
            // Codes outside of class 22 that come of values. Such a publish is refused for good, so a code of a doubtful cause is none of
            // them.
            SqlState::PROGRAM_LIMIT_EXCEEDED | SqlState::CHECK_VIOLATION | SqlState::NOT_NULL_VIOLATION => {
                Self::Unstorable
            }
            _ => match code.code().get(..2) {
                Some(CONNECTION_EXCEPTION | INSUFFICIENT_RESOURCES) => Self::Outage,
                Some(DATA_EXCEPTION) => Self::Unstorable,
                Some(INTEGRITY_CONSTRAINT_VIOLATION) => Self::Refused,
                _ => Self::Unknown,
            },
        }
    }
}

/// Whether the connection itself is of no more use after the error: the server has gone, goes, or has become a standby.
fn spoils_connection(error: &Error) -> bool {
    sqlstate::of(error).is_some_and(|code| {
        let code = code.code();
        code == SqlState::READ_ONLY_SQL_TRANSACTION.code()
            || code.starts_with(OPERATOR_INTERVENTION)
            || code.starts_with(CONNECTION_EXCEPTION)
    })
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
    /// Nothing was tried.
    #[error("{0}")]
    Misfit(Misfit),
    #[error("{0}")]
    Statement(Error),
}

impl Failure {
    /// The failure of a statement. After an error that spoils the connection, that one leaves the pool: it would answer the next
    /// operation with the same.
    pub(crate) fn of_statement(error: Error, connection: pool::Connection) -> Self {
        if spoils_connection(&error) {
            drop(pool::Connection::take(connection));
        }
        Self::Statement(error)
    }

    /// A connection without an answer leaves the pool: the answer may still come, and the next operation would read it.
    pub(crate) fn silent(connection: pool::Connection) -> Self {
        drop(pool::Connection::take(connection));
        Self::Silent
    }

    /// Whether the database refuses the values themselves.
    pub(crate) fn is_unstorable(&self) -> bool {
        self.meaning() == Meaning::Unstorable
    }

    pub(crate) fn is_outage(&self) -> bool {
        self.meaning() == Meaning::Outage
    }

    /// Whether the schema may have changed: the database is away, or lacks what a statement names.
    pub(crate) fn casts_doubt_on_schema(&self) -> bool {
        let Self::Statement(error) = self else { return self.is_outage() };
        let lacks = [SqlState::UNDEFINED_TABLE, SqlState::UNDEFINED_COLUMN, SqlState::UNDEFINED_FUNCTION];
        self.is_outage() || sqlstate::of(error).is_some_and(|code| lacks.contains(&code))
    }

    /// How many more attempts this is worth: many where the cause passes, none where it cannot, one where the code says nothing.
    fn attempts_left(&self) -> u32 {
        match self {
            Self::Silent | Self::Misfit(_) => 0,
            _ => match self.meaning() {
                Meaning::Outage | Meaning::Conflict => ATTEMPTS,
                Meaning::Unknown => 1,
                Meaning::Unstorable | Meaning::Refused => 0,
            },
        }
    }

    fn meaning(&self) -> Meaning {
        match self {
            Self::NoConnection(_) | Self::Silent => Meaning::Outage,
            Self::Misfit(_) => Meaning::Refused,
            Self::Statement(error) => error.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(message: &str) -> Failure {
        Failure::Statement(Error::DatabaseError(DatabaseErrorKind::Unknown, Box::new(message.to_owned())))
    }

    #[test]
    fn the_code_decides_and_never_the_words() {
        for (code, meaning) in [
            ("40001", Meaning::Conflict),
            ("40P01", Meaning::Conflict),
            ("57P01", Meaning::Outage),
            ("57P03", Meaning::Outage),
            ("42P01", Meaning::Unknown),
            ("08006", Meaning::Outage),
            ("53100", Meaning::Outage),
            ("22P05", Meaning::Unstorable),
            ("23514", Meaning::Unstorable),
            ("22012", Meaning::Unstorable),
            ("22021", Meaning::Unstorable),
            ("2201X", Meaning::Unstorable),
            ("23505", Meaning::Refused),
            ("57014", Meaning::Unknown),
            ("XX000", Meaning::Unknown),
        ] {
            assert_eq!(failure(&format!("{code}: Wörter")).meaning(), meaning, "{code}");
        }
        for words in ["deadlock detected", "terminating connection due to administrator command", "value out of range"]
        {
            assert_eq!(failure(words).meaning(), Meaning::Unknown, "{words}");
        }
    }

    #[test]
    fn attempts_are_many_for_passing_failures_and_none_for_others() {
        for (message, attempts) in [("40P01: x", ATTEMPTS), ("57P01: x", ATTEMPTS), ("XX000: x", 1), ("23505: x", 0)] {
            assert_eq!(failure(message).attempts_left(), attempts, "{message}");
        }
        assert_eq!(Failure::Silent.attempts_left(), 0);
    }
}
