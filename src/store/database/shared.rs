//! The connections as the rest of the store uses them: an operation runs on one of them, is repeated where that helps, and
//! fails as [`Unavailable`].

use std::{
    collections::BTreeSet,
    fmt::Display,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use diesel::result::{Error, QueryResult};
use diesel_async::AsyncPgConnection;

#[cfg(feature = "embedded")]
use super::embedded::Embedded;
use super::{
    failure::Failure,
    keyed_semaphore::KeyedSemaphore,
    migrations::Schema,
    pool::{self, Connection, Pools},
    server::Server,
    unavailable::Unavailable,
};
use crate::{
    config::{DatabaseSettings, RetentionSettings, Settings},
    domain::user::{Tenant, UserKey},
};

/// The time in addition to the statement timeout before a server counts as silent.
const SILENCE: Duration = Duration::from_secs(1);
/// Most errors of unreadable values that are remembered: beyond them each is logged whenever it occurs.
const UNREADABLE: usize = 1_000;

/// Runs an operation on a connection, again and again. It ends when the operation succeeds, when the failure is the statement's
/// own, or after the longest time. (A macro because a closure's future cannot be shown to be `Send` for every connection.)
macro_rules! repeat {
    ($shared:expr, $connection:ident => $operation:expr) => {
        $crate::store::database::shared::repeat!($shared, connection, $connection => $operation)
    };
    ($shared:expr, $open:ident, $connection:ident => $operation:expr) => {{
        let mut patience = $crate::store::database::failure::Patience::default();
        loop {
            let run = async {
                let mut connection = $shared.$open().await?;
                let $connection = &mut *connection;
                match tokio::time::timeout($shared.silence, $operation).await {
                    Ok(Ok(answer)) => Ok(answer),
                    Ok(Err(error)) => Err($crate::store::database::failure::Failure::of_statement(error, connection)),
                    Err(_) => Err($crate::store::database::failure::Failure::silent(connection)),
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
pub(crate) use repeat;

/// Connections, and the limits of their use.
pub(crate) struct Shared {
    pub(crate) pools: Pools,
    pub(crate) server: Server,
    pub(crate) schema: Schema,
    /// Changes of one user: they lock the stream.
    users: KeyedSemaphore<UserKey>,
    /// Changes of a tenant's users: half of the connections at most do them, or wait for each other's locks.
    pub(crate) tenants: KeyedSemaphore<Tenant>,
    up: AtomicBool,
    /// Errors of unreadable values that were logged.
    unreadable: Mutex<BTreeSet<String>>,
    pub(crate) retention: RetentionSettings,
    /// Most fan-outs of one tenant that are under way at the same time.
    pub(crate) most_open_fanouts: i64,
    /// How long an operation may go without an answer: somewhat longer than the server's own limit.
    pub(crate) silence: Duration,
    /// Kept for as long as the pool: dropping it stops the embedded server.
    #[cfg(feature = "embedded")]
    _embedded: Option<Embedded>,
}

impl Shared {
    /// Opens a server, of which `writers` connections are for publishes.
    pub(crate) fn open(database: &DatabaseSettings, writers: usize, settings: &Settings) -> anyhow::Result<Self> {
        let server = Server::of(database)?;
        let pools = Pools::open(&server, database, writers)?;
        Ok(Self {
            users: KeyedSemaphore::new("user_changes", 1),
            tenants: KeyedSemaphore::new("tenant_changes", pools.common_size() / 2),
            pools,
            server,
            schema: Schema::default(),
            up: AtomicBool::new(true),
            unreadable: Mutex::default(),
            retention: settings.retention.clone(),
            most_open_fanouts: i64::try_from(settings.publish.open_fanouts).unwrap_or(i64::MAX),
            silence: database.statement_timeout + SILENCE,
            #[cfg(feature = "embedded")]
            _embedded: None,
        })
    }

    /// The same, of a server inside this process.
    #[cfg(feature = "embedded")]
    pub(crate) fn open_embedded(embedded: Embedded, settings: &Settings) -> anyhow::Result<Self> {
        let shared = Self::open(&embedded.settings(), 1, settings)?;
        Ok(Self { _embedded: Some(embedded), ..shared })
    }

    /// Whether the last operation reached the database.
    pub(crate) fn is_up(&self) -> bool {
        self.up.load(Ordering::Relaxed)
    }

    /// Runs an operation on a connection, once.
    pub(crate) async fn once<T>(
        &self,
        operation: impl AsyncFnOnce(&mut AsyncPgConnection) -> QueryResult<T>,
    ) -> Result<T, Unavailable> {
        let run = async {
            let mut connection = self.connection().await?;
            match tokio::time::timeout(self.silence, operation(&mut connection)).await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(error)) => Err(Failure::of_statement(error, connection)),
                Err(_) => Err(Failure::silent(connection)),
            }
        };
        run.await.inspect(|_| self.note_success()).map_err(|failure| {
            self.note_failure(&failure);
            Unavailable
        })
    }

    /// Waits in the keyed semaphores of a user and its tenant.
    pub(crate) async fn permit_for(&self, key: &UserKey) -> Result<impl Sized + '_, Unavailable> {
        Ok((self.users.acquire(key).await?, self.tenants.acquire(&key.tenant).await?))
    }

    pub(crate) async fn connection(&self) -> Result<Connection, Failure> {
        self.admit(self.pools.get()).await
    }

    pub(crate) async fn writer(&self) -> Result<Connection, Failure> {
        self.admit(self.pools.get_writer()).await
    }

    /// A connection for an operation. On a schema that does not fit no operation begins, so none ends half done.
    async fn admit(&self, open: impl Future<Output = Result<Connection, Failure>>) -> Result<Connection, Failure> {
        let refusal = || self.schema.misfit().map_or(Ok(()), |misfit| Err(Failure::Misfit(misfit)));
        refusal()?;
        let connection = open.await?;
        if !self.schema.is_unknown() {
            return Ok(connection);
        }
        let connection = self.look_on(connection).await?;
        refusal().map(|()| connection)
    }

    /// Looks whether the database takes writes, and whether its schema fits.
    pub(crate) async fn look(&self) -> Result<(), Unavailable> {
        let run = async { self.look_on(self.pools.get().await?).await };
        run.await.map(|_| self.note_success()).map_err(|failure| {
            self.note_failure(&failure);
            Unavailable
        })
    }

    async fn look_on(&self, mut connection: Connection) -> Result<Connection, Failure> {
        let look = async {
            pool::must_write(&mut connection).await?;
            self.schema.look(&mut connection).await
        };
        match tokio::time::timeout(self.silence, look).await {
            Ok(Ok(())) => Ok(connection),
            Ok(Err(error)) => Err(Failure::of_statement(error, connection)),
            Err(_) => Err(Failure::silent(connection)),
        }
    }

    pub(crate) fn note_success(&self) {
        if !self.up.swap(true, Ordering::Relaxed) {
            ::log::info!("the database answers again");
        }
    }

    /// Logs that a stored value cannot be read: once, for it is read again and again.
    pub(crate) fn note_unreadable(&self, name: &str, error: &impl Display) {
        let text = format!("{name}: {error}");
        // Texts are whole after every line of code under this lock, even if it panics.
        let mut known = self.unreadable.lock().unwrap_or_else(PoisonError::into_inner);
        if !known.contains(&text) {
            ::log::error!("stored, but not readable: {text}");
            if known.len() < UNREADABLE {
                known.insert(text);
            }
        }
    }

    /// Logs a failure: a lost database once, a row that cannot be read once, a failing statement each time, for that is a defect.
    pub(crate) fn note_failure(&self, failure: &Failure) {
        if let Failure::Misfit(_) = failure {
            // The look that found it has logged it.
            return;
        }
        if failure.casts_doubt_on_schema() {
            self.schema.doubt();
        }
        if let Failure::Statement(Error::DeserializationError(cause)) = failure {
            self.note_unreadable("a row", cause);
        } else if !failure.is_outage() {
            ::log::error!("a statement failed: {failure}");
        } else if self.up.swap(false, Ordering::Relaxed) {
            ::log::error!("the database is away: {failure}");
        }
    }
}
