//! Everything that is kept: Diesel lives here and nowhere else. One file per table or family of queries.
//!
//! Query functions take a connection and answer `QueryResult`; [`Store`] gives them a connection, repeats what may
//! be repeated, and turns the rest into [`Unavailable`].

mod access;
mod append;
mod coalesce;
#[cfg(feature = "embedded")]
mod embedded;
mod inbox;
mod page;
mod pool;
mod retention;
mod revocations;
pub(crate) mod schema;
mod state;
mod streams;
mod tickets;
mod tls;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use diesel::result::{DatabaseErrorKind, Error, QueryResult};
use diesel_async::AsyncPgConnection;

pub use access::TICKET_TTL;
pub use append::{Appended, Placed, Written};
pub use inbox::{InboxPage, ListQuery};
pub use page::{Ask, Page, Position, Row};
pub use pool::PoolUse;
pub use retention::Swept;
pub use state::{Change, Changed};
pub use streams::Head;

use crate::config::{DatabaseSettings, RetentionSettings, Settings};

/// How often an operation that may be repeated is tried: with the pauses below, about 1.5 seconds in all.
const ATTEMPTS: u32 = 6;
/// What is added to the statement timeout before a server counts as silent.
const SILENCE: Duration = Duration::from_secs(1);
const FIRST_PAUSE: Duration = Duration::from_millis(30);

/// Runs an operation on a connection, again and again until it succeeds, its failure is the statement's own, or
/// patience ends. (A macro because a closure's future cannot be shown to be `Send` for every connection.)
macro_rules! repeat {
    ($shared:expr, $connection:ident => $operation:expr) => {{
        let mut patience = $crate::store::Patience::default();
        loop {
            let run = async {
                let mut connection = $shared.connection().await?;
                let $connection = &mut *connection;
                match tokio::time::timeout($shared.silence, $operation).await {
                    Ok(answer) => answer.map_err($crate::store::Failure::Statement),
                    Err(_) => Err($crate::store::Failure::silent(connection)),
                }
            };
            match run.await {
                Ok(value) => {
                    $shared.note_success();
                    break Ok(value);
                }
                Err(failure) if patience.allows(&failure).await => {}
                Err(failure) => {
                    $shared.note_failure(&failure);
                    break Err(failure);
                }
            }
        }
    }};
}
use repeat;

/// The database did not answer; the cause was logged where it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the database did not answer")]
pub struct Unavailable;

/// Handle to the database; cheap to clone.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
    asks: coalesce::Asks,
}

struct Shared {
    pool: pool::Pool,
    up: AtomicBool,
    retention: RetentionSettings,
    /// How long an operation may go without an answer: somewhat longer than the server's own limit.
    silence: Duration,
    /// Kept for as long as the pool: dropping it stops the embedded server.
    #[cfg(feature = "embedded")]
    _embedded: Option<embedded::Embedded>,
}

impl Store {
    /// Opens the configured Postgres server, or the embedded one when none is configured.
    ///
    /// A server need not be reachable yet, unless migrations are to be run.
    ///
    /// # Errors
    /// When the URL is unusable, the embedded database does not start, or a migration fails.
    pub async fn open(settings: &Settings) -> anyhow::Result<Self> {
        match &settings.database {
            Some(database) => Self::open_server(database, &settings.retention).await,
            None => Self::open_embedded(&settings.data_dir, &settings.retention).await,
        }
    }

    async fn open_server(database: &DatabaseSettings, retention: &RetentionSettings) -> anyhow::Result<Self> {
        if database.migrate {
            Self::migrate(database).await?;
        }
        let pool = pool::open(database)?;
        Ok(Self::over(Shared {
            pool,
            up: AtomicBool::new(true),
            retention: retention.clone(),
            silence: database.statement_timeout + SILENCE,
            #[cfg(feature = "embedded")]
            _embedded: None,
        }))
    }

    #[cfg(feature = "embedded")]
    async fn open_embedded(data_dir: &Path, retention: &RetentionSettings) -> anyhow::Result<Self> {
        let embedded = embedded::Embedded::start(data_dir).await?;
        let database = embedded.settings();
        Self::migrate(&database).await?;
        let pool = pool::open(&database)?;
        Ok(Self::over(Shared {
            pool,
            up: AtomicBool::new(true),
            retention: retention.clone(),
            silence: database.statement_timeout + SILENCE,
            _embedded: Some(embedded),
        }))
    }

    #[cfg(not(feature = "embedded"))]
    async fn open_embedded(_: &Path, _: &RetentionSettings) -> anyhow::Result<Self> {
        anyhow::bail!("DATABASE_URL is not set, and this build has no embedded database")
    }

    /// Runs the migrations that the database lacks; answers their names.
    ///
    /// # Errors
    /// When the server cannot be reached within some seconds, or a migration fails.
    pub async fn migrate(database: &DatabaseSettings) -> anyhow::Result<Vec<String>> {
        let connection =
            pool::connect_patiently(database).await.context("cannot reach Postgres to run the migrations")?;
        pool::migrate(connection).await
    }

    fn over(shared: Shared) -> Self {
        let shared = Arc::new(shared);
        Self { asks: coalesce::start(&shared), shared }
    }

    /// Whether the last operation reached the database.
    pub fn is_up(&self) -> bool {
        self.shared.up.load(Ordering::Relaxed)
    }

    /// How the pool is used, for the metrics.
    pub fn pool_use(&self) -> PoolUse {
        pool::usage(&self.shared.pool)
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// When there is none.
    pub async fn ping(&self) -> Result<(), Unavailable> {
        self.shared.once(async |conn| streams::ping(conn).await).await
    }
}

impl Shared {
    /// Runs an operation on a connection, once.
    async fn once<T>(
        &self,
        operation: impl AsyncFnOnce(&mut AsyncPgConnection) -> QueryResult<T>,
    ) -> Result<T, Unavailable> {
        let run = async {
            let mut connection = self.connection().await?;
            match tokio::time::timeout(self.silence, operation(&mut connection)).await {
                Ok(answer) => answer.map_err(Failure::Statement),
                Err(_) => Err(Failure::silent(connection)),
            }
        };
        run.await.inspect(|_| self.note_success()).map_err(|failure| {
            self.note_failure(&failure);
            Unavailable
        })
    }

    async fn connection(&self) -> Result<pool::Connection, Failure> {
        self.pool.get().await.map_err(|error| Failure::NoConnection(error.to_string()))
    }

    fn note_success(&self) {
        if !self.up.swap(true, Ordering::Relaxed) {
            log::info!("the database answers again");
        }
    }

    /// Logs a failure: a lost database once, a failing statement each time, for that is a defect.
    fn note_failure(&self, failure: &Failure) {
        if !failure.is_outage() {
            log::error!("a statement failed: {failure}");
        } else if self.up.swap(false, Ordering::Relaxed) {
            log::error!("the database is away: {failure}");
        }
    }
}

/// Whether the database was not migrated yet: as good as away, until it is.
fn lacks_tables(error: &Error) -> bool {
    let Error::DatabaseError(_, information) = error else { return false };
    information.message().starts_with("relation ") && information.message().ends_with("does not exist")
}

/// How often an operation is still tried.
struct Patience {
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
    async fn allows(&mut self, failure: &Failure) -> bool {
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
enum Failure {
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
    fn silent(connection: pool::Connection) -> Self {
        drop(pool::Connection::take(connection));
        Self::Silent
    }

    /// Whether the values themselves are what the database refuses. Only what is known to be so counts, for such a
    /// publish is refused for good; the driver keeps the error's code to itself, which leaves the words.
    fn is_unstorable(&self) -> bool {
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

    fn is_outage(&self) -> bool {
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
