//! Everything that is kept: Diesel lives here and nowhere else. One file per table or family of queries.
//!
//! Query functions take a connection and answer `QueryResult`; [`Store`] gives them a connection, repeats what may
//! be repeated, and turns the rest into [`Unavailable`].

mod access;
mod account;
mod activity;
mod agenda;
mod append;
mod bulk;
mod clock;
mod coalesce;
mod decided;
mod duties;
#[cfg(feature = "embedded")]
mod embedded;
mod failure;
mod fanouts;
mod inbox;
mod kinds;
mod members;
mod page;
mod place;
mod pool;
mod preferences;
mod prepared;
mod presence;
mod put;
mod record;
mod retention;
mod revocations;
mod roll;
mod rooms;
mod scheduled;
pub(crate) mod schema;
mod snooze;
mod state;
mod streams;
mod subscriptions;
mod summary;
mod survey;
mod tickets;
mod tls;
mod topic_kinds;
mod topics;
mod turns;

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

pub use access::TICKET_TTL;
pub use account::{AccountChange, Stamped};
pub use activity::Activity;
pub use agenda::{Agenda, Ticked};
pub use append::{Appended, Placed, Written};
pub use decided::{About, Decided};
pub use fanouts::{CHUNK, Chunk, FanoutProgress, Reached, Turn, Unreached};
pub use inbox::{InboxPage, LOOKED_THROUGH, ListQuery};
pub use members::Member;
pub use page::{Ask, Page, Position, Row};
pub use pool::PoolUse;
pub use presence::{Beat, Moved, Online, Present};
pub use retention::Swept;
pub use roll::Roll;
pub use rooms::Facts;
pub use scheduled::{NotAmended, Scheduled, Tally};
pub use state::{Changed, NotChanged};
pub use streams::Head;
pub use subscriptions::{Joining, SubscriptionChange};
pub use summary::{Callback, Callbacks, Summary};
pub use survey::Filter;
pub use topics::{KnownTopic, MyTopic};

use self::{
    failure::{Failure, Patience},
    turns::Turns,
};
use crate::{
    config::{DatabaseSettings, RetentionSettings, Settings},
    notification::{Tenant, UserKey},
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
    asks: coalesce::Asks,
}

struct Shared {
    pools: pool::Pools,
    /// Changes of one user: they lock the stream.
    users: Turns<UserKey>,
    /// Changes of a tenant's users: half of the connections at most do them, or wait for each other's locks.
    tenants: Turns<Tenant>,
    up: AtomicBool,
    retention: RetentionSettings,
    /// Most fan-outs of one tenant that are under way at the same time.
    most_open_fanouts: i64,
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
            Some(database) => Self::open_server(database, settings).await,
            None => Self::open_embedded(&settings.data_dir, settings).await,
        }
    }

    async fn open_server(database: &DatabaseSettings, settings: &Settings) -> anyhow::Result<Self> {
        if database.migrate {
            Self::migrate(database).await?;
        }
        let pools = pool::Pools::open(database, settings.publish.writers)?;
        Ok(Self::over(Shared {
            users: Turns::new("user_changes", 1),
            tenants: Turns::new("tenant_changes", pools.common_size() / 2),
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
        let embedded = embedded::Embedded::start(data_dir).await?;
        let database = embedded.settings();
        Self::migrate(&database).await?;
        let pools = pool::Pools::open(&database, 1)?;
        Ok(Self::over(Shared {
            users: Turns::new("user_changes", 1),
            tenants: Turns::new("tenant_changes", pools.common_size() / 2),
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
        self.shared.pools.usage()
    }

    /// Asks the database for a sign of life.
    ///
    /// # Errors
    /// When there is none.
    pub async fn ping(&self) -> Result<(), Unavailable> {
        self.shared.once(async |conn| streams::ping(conn).await).await
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
        Ok((self.users.take(key).await?, self.tenants.take(&key.tenant).await?))
    }

    async fn connection(&self) -> Result<pool::Connection, Failure> {
        self.pools.get().await
    }

    async fn writer(&self) -> Result<pool::Connection, Failure> {
        self.pools.get_writer().await
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
