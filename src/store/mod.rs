//! Everything that is kept: Diesel lives here and nowhere else. One file per table or family of queries.
//!
//! Query functions take a connection and answer `QueryResult`; [`Store`] gives them a connection, repeats what may
//! be repeated, and turns the rest into [`Unavailable`].

mod access;
mod content;
mod database;
mod fanouts;
mod inbox;
mod log;
mod presence;
mod publish;
pub(crate) mod schema;
mod settings;
mod timed;
mod topics;

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::Context as _;
use diesel::result::QueryResult;
use diesel_async::AsyncPgConnection;

pub use self::access::TICKET_TTL;
pub use self::database::activity::Activity;
pub use self::database::pool::PoolUse;
pub use self::fanouts::{CHUNK, Chunk, FanoutProgress, Reached, Turn, Unreached};
pub use self::inbox::filter_scan::Filter;
pub use self::inbox::list::{InboxPage, ListQuery, SCAN_LIMIT};
pub use self::inbox::state::{Changed, NotChanged};
pub use self::inbox::summary::{Callback, Callbacks, Summary};
pub use self::log::account_log::{AccountChange, Stamped};
pub use self::log::page::{Ask, Page, Position, Row};
pub use self::log::retention::Swept;
pub use self::log::streams::Head;
pub use self::presence::{Beat, Moved, Online, Present};
pub use self::publish::append::{Appended, Placed, Written};
pub use self::publish::decided::{About, Decided};
pub use self::timed::due_work::{DueWork, Ticked};
pub use self::timed::scheduled::{NotAmended, Scheduled, Tally};
pub use self::topics::facts::Facts;
pub use self::topics::known::{KnownTopic, MyTopic};
pub use self::topics::members::Member;
pub use self::topics::membership_change::MembershipChange;
pub use self::topics::subscriptions::{Joining, SubscriptionChange};

use self::database::{
    failure::{Failure, Patience},
    keyed_semaphore::KeyedSemaphore,
};
use crate::{
    config::{DatabaseSettings, RetentionSettings, Settings},
    domain::user::{Tenant, UserKey},
};

/// What is added to the statement timeout before a server counts as silent.
const SILENCE: Duration = Duration::from_secs(1);

/// Runs an operation on a connection, again and again until it succeeds, its failure is the statement's own, or
/// patience ends. (A macro because a closure's future cannot be shown to be `Send` for every connection.)
macro_rules! repeat {
    ($shared:expr, $connection:ident => $operation:expr) => {
        $crate::store::repeat!($shared, connection, $connection => $operation)
    };
    ($shared:expr, $open:ident, $connection:ident => $operation:expr) => {{
        let mut patience = $crate::store::Patience::default();
        loop {
            let run = async {
                let mut connection = $shared.$open().await?;
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
    asks: log::coalesce::Asks,
}

struct Shared {
    pools: database::pool::Pools,
    /// Changes of one user: they lock the stream.
    users: KeyedSemaphore<UserKey>,
    /// Changes of a tenant's users: half of the connections at most do them, or wait for each other's locks.
    tenants: KeyedSemaphore<Tenant>,
    up: AtomicBool,
    retention: RetentionSettings,
    /// Most fan-outs of one tenant that are under way at the same time.
    most_open_fanouts: i64,
    /// How long an operation may go without an answer: somewhat longer than the server's own limit.
    silence: Duration,
    /// Kept for as long as the pool: dropping it stops the embedded server.
    #[cfg(feature = "embedded")]
    _embedded: Option<database::embedded::Embedded>,
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
            Some(database) => Self::open_server(database, settings).await,
            None => Self::open_embedded(&settings.data_dir, settings).await,
        }
    }

    async fn open_server(database: &DatabaseSettings, settings: &Settings) -> anyhow::Result<Self> {
        if database.migrate {
            Self::migrate(database).await?;
        }
        let pools = database::pool::Pools::open(database, settings.publish.writers)?;
        Ok(Self::over(Shared {
            users: KeyedSemaphore::new("user_changes", 1),
            tenants: KeyedSemaphore::new("tenant_changes", pools.common_size() / 2),
            pools,
            up: AtomicBool::new(true),
            retention: settings.retention.clone(),
            most_open_fanouts: most_open_fanouts(settings),
            silence: database.statement_timeout + SILENCE,
            #[cfg(feature = "embedded")]
            _embedded: None,
        }))
    }

    #[cfg(feature = "embedded")]
    async fn open_embedded(data_dir: &Path, settings: &Settings) -> anyhow::Result<Self> {
        let embedded = database::embedded::Embedded::start(data_dir).await?;
        let database = embedded.settings();
        Self::migrate(&database).await?;
        let pools = database::pool::Pools::open(&database, 1)?;
        Ok(Self::over(Shared {
            users: KeyedSemaphore::new("user_changes", 1),
            tenants: KeyedSemaphore::new("tenant_changes", pools.common_size() / 2),
            pools,
            up: AtomicBool::new(true),
            retention: settings.retention.clone(),
            most_open_fanouts: most_open_fanouts(settings),
            silence: database.statement_timeout + SILENCE,
            _embedded: Some(embedded),
        }))
    }

    #[cfg(not(feature = "embedded"))]
    async fn open_embedded(_: &Path, _: &Settings) -> anyhow::Result<Self> {
        anyhow::bail!("DATABASE_URL is not set, and this build has no embedded database")
    }

    /// Runs the migrations that the database lacks; answers their names.
    ///
    /// # Errors
    /// When the server cannot be reached within some seconds, or a migration fails.
    pub async fn migrate(database: &DatabaseSettings) -> anyhow::Result<Vec<String>> {
        let connection =
            database::pool::connect_patiently(database).await.context("cannot reach Postgres to run the migrations")?;
        database::pool::migrate(connection).await
    }

    fn over(shared: Shared) -> Self {
        let shared = Arc::new(shared);
        Self { asks: log::coalesce::start(&shared), shared }
    }

    /// Whether the last operation reached the database.
    pub fn is_up(&self) -> bool {
        self.shared.up.load(Ordering::Relaxed)
    }

    /// How the pool is used, for the metrics.
    pub fn pool_use(&self) -> PoolUse {
        self.shared.pools.usage()
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// When there is none.
    pub async fn ping(&self) -> Result<(), Unavailable> {
        self.shared.once(async |conn| log::streams::ping(conn).await).await
    }
}

fn most_open_fanouts(settings: &Settings) -> i64 {
    i64::try_from(settings.publish.open_fanouts).unwrap_or(i64::MAX)
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

    /// A turn at a change of one user.
    async fn turn_of(&self, key: &UserKey) -> Result<impl Sized + '_, Unavailable> {
        Ok((self.users.acquire(key).await?, self.tenants.acquire(&key.tenant).await?))
    }

    async fn connection(&self) -> Result<database::pool::Connection, Failure> {
        self.pools.get().await
    }

    async fn writer(&self) -> Result<database::pool::Connection, Failure> {
        self.pools.get_writer().await
    }

    fn note_success(&self) {
        if !self.up.swap(true, Ordering::Relaxed) {
            ::log::info!("the database answers again");
        }
    }

    /// Logs a failure: a lost database once, a failing statement each time, for that is a defect.
    fn note_failure(&self, failure: &Failure) {
        if !failure.is_outage() {
            ::log::error!("a statement failed: {failure}");
        } else if self.up.swap(false, Ordering::Relaxed) {
            ::log::error!("the database is away: {failure}");
        }
    }
}
