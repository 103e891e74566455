//! Connections to Postgres: how they are made and pooled.

use std::{iter, time::Duration};

use anyhow::Context as _;
use deadpool::managed::{Hook, HookError, Metrics, PoolError, TimeoutType, Timeouts};
use diesel::{ConnectionError, ConnectionResult, result::QueryResult};
use diesel_async::{
    AsyncPgConnection, SimpleAsyncConnection,
    pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod, deadpool as diesel_deadpool},
};
use futures_util::FutureExt as _;

use super::{
    failure::Failure,
    generation,
    server::Server,
    tls::{self, Target},
};
use crate::config::DatabaseSettings;

type Pool = diesel_deadpool::Pool<AsyncPgConnection>;
pub(crate) type Connection = diesel_deadpool::Object<AsyncPgConnection>;

/// Longest wait for a connection of the pool, and for a new one.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a start waits for a server that is only just coming up.
const START_PATIENCE: Duration = Duration::from_secs(30);
/// Age at which a connection is replaced, give or take a tenth: after the address of the server has moved, old connections lead to the
/// old server as long as it lives.
const MAX_AGE: Duration = Duration::from_mins(10);
/// Fails on a server that takes no writes: a standby answers reads, from a past that may grow.
const MUST_WRITE: &str = "do $$ begin if current_setting('transaction_read_only')::bool then \
     raise exception using errcode = 'read_only_sql_transaction', message = 'the server takes no writes'; \
     end if; end $$";

/// Names are looked up in one schema: that of our tables. The default search path begins with the schema of the role's own name, which for
/// a role `tidings` is the one of the SQL functions; tables made there would be missed by other roles. Other applications may have tables
/// in further schemas of the path.
const ONE_SCHEMA: &str = "select set_config('search_path', quote_ident(coalesce(\
     (select n.nspname::text from pg_catalog.pg_class as c join pg_catalog.pg_namespace as n on n.oid = c.relnamespace \
     join pg_catalog.pg_attribute as a on a.attrelid = c.oid \
     where c.relname = 'streams' and a.attname = 'pruned_seq' and n.nspname = any (current_schemas(false)) \
     order by array_position(current_schemas(false), n.nspname) limit 1), \
     (select name::text from unnest(current_schemas(false)) as name where name <> 'tidings' limit 1), 'public')), false)";

/// How the pool is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUse {
    /// Connections open.
    pub open: usize,
    /// Of these, not in use.
    pub idle: usize,
    /// Tasks that wait for one.
    pub waiting: usize,
}

/// How a session plans its prepared statements.
#[derive(Debug, Clone, Copy)]
enum Plans {
    /// At each call: the planner must see the arrays' lengths, for a generic plan guesses ten rows and joins
    /// tables to them by nested loops.
    Custom,
    /// Once: the append reads no table but for look-ups of one row, so its plan is the same for any length. It is made when
    /// tables may still be small, so it must not rest on their being so.
    Kept,
}

/// The connections. Publishes are written on connections of their own, so that no publish waits behind reads.
pub(crate) struct Pools {
    common: Pool,
    /// None where there are too few connections to keep any apart.
    writers: Option<Pool>,
}

impl Pools {
    /// Opens as many connections as the settings allow, `writers` of them for publishes.
    pub(crate) fn open(server: &Server, database: &DatabaseSettings, writers: usize) -> anyhow::Result<Self> {
        let common = database.pool_size.saturating_sub(writers);
        if common == 0 {
            return Ok(Self { common: open(server, database, database.pool_size, Plans::Custom)?, writers: None });
        }
        let writers = open(server, database, writers, Plans::Kept)?;
        Ok(Self { common: open(server, database, common, Plans::Custom)?, writers: Some(writers) })
    }

    /// A connection for anything.
    pub(crate) async fn get(&self) -> Result<Connection, Failure> {
        take(&self.common).await
    }

    /// A connection for the append.
    pub(crate) async fn get_writer(&self) -> Result<Connection, Failure> {
        take(self.writers.as_ref().unwrap_or(&self.common)).await
    }

    /// Most connections for anything.
    pub(crate) fn common_size(&self) -> usize {
        self.common.status().max_size
    }

    pub(crate) fn usage(&self) -> PoolUse {
        let mut usage = PoolUse { open: 0, idle: 0, waiting: 0 };
        for pool in iter::once(&self.common).chain(&self.writers) {
            let status = pool.status();
            usage.open += status.size;
            usage.idle += status.available;
            usage.waiting += status.waiting;
        }
        usage
    }
}

async fn take(pool: &Pool) -> Result<Connection, Failure> {
    pool.get().await.map_err(|error| match error {
        PoolError::Timeout(TimeoutType::Wait) => Failure::NoConnection(format!(
            "all {} of a pool were in use for {CONNECT_TIMEOUT:?}",
            pool.status().max_size
        )),
        error => Failure::NoConnection(error.to_string()),
    })
}

fn open(server: &Server, database: &DatabaseSettings, size: usize, plans: Plans) -> anyhow::Result<Pool> {
    let server = server.clone();
    let statement_timeout = database.statement_timeout;
    let mut config = ManagerConfig::default();
    config.recycling_method = RecyclingMethod::Fast;
    config.custom_setup = Box::new(move |_| establish(server.target(), statement_timeout, plans).boxed());
    let manager = AsyncDieselConnectionManager::new_with_config(String::new(), config);
    let timeouts =
        Timeouts { wait: Some(CONNECT_TIMEOUT), create: Some(CONNECT_TIMEOUT), recycle: Some(CONNECT_TIMEOUT) };
    let young = Hook::sync_fn(|_: &mut AsyncPgConnection, metrics: &Metrics| {
        if metrics.age() < MAX_AGE.mul_f64(rand::random_range(0.9..1.1)) {
            Ok(())
        } else {
            Err(HookError::message("too old"))
        }
    });
    let pool = Pool::builder(manager).max_size(size).timeouts(timeouts).pre_recycle(young);
    Ok(pool.runtime(deadpool::Runtime::Tokio1).build()?)
}

/// Fails on a server that takes no writes.
pub(crate) async fn must_write(connection: &mut AsyncPgConnection) -> QueryResult<()> {
    connection.batch_execute(MUST_WRITE).await
}

async fn establish(target: Target, statement_timeout: Duration, plans: Plans) -> ConnectionResult<AsyncPgConnection> {
    let mut connection = tls::connect(&target).await?;
    let planning = match plans {
        Plans::Custom => "set plan_cache_mode = 'force_custom_plan'",
        Plans::Kept => "set plan_cache_mode = 'force_generic_plan'; set enable_seqscan = off",
    };
    // Everything that statements here rest on, whatever the defaults of the database and the role are. A compiled plan would pay off
    // after more time than any statement takes. A wait for a lock ends with the statement.
    let session = format!(
        "{MUST_WRITE}; {ONE_SCHEMA}; set statement_timeout = {}; set lock_timeout = 0; set idle_in_transaction_session_timeout = '30s'; \
         set default_transaction_isolation = 'read committed'; set default_transaction_deferrable = off; \
         set transform_null_equals = off; set timezone = 'UTC'; set jit = off; {planning}",
        statement_timeout.as_millis()
    );
    connection.batch_execute(&session).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
    generation::recognize(&mut connection).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}

/// A connection outside of the pools whose commits wait for no disk.
pub(crate) async fn establish_sender(
    target: Target,
    statement_timeout: Duration,
) -> ConnectionResult<AsyncPgConnection> {
    let mut connection = establish(target, statement_timeout, Plans::Custom).await?;
    let session = connection.batch_execute("set synchronous_commit = off").await;
    session.map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}

/// Connects, waiting for a server that is starting; migrations may run long, so there is no statement timeout.
pub(crate) async fn connect_patiently(database: &DatabaseSettings) -> anyhow::Result<AsyncPgConnection> {
    let target = Server::of(database)?.target();
    let deadline = tokio::time::Instant::now() + START_PATIENCE;
    loop {
        match tls::connect(&target).await {
            Ok(mut connection) => {
                connection.batch_execute(ONE_SCHEMA).await.context("cannot choose the schema")?;
                return Ok(connection);
            }
            Err(error) if tokio::time::Instant::now() > deadline => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(300)).await,
        }
    }
}
