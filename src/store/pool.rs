//! Connections to Postgres: how they are made, pooled and migrated.

use std::{str::FromStr, time::Duration};

use anyhow::Context as _;
use deadpool::managed::Timeouts;
use diesel::{ConnectionError, ConnectionResult};
use diesel_async::{
    AsyncMigrationHarness, AsyncPgConnection, SimpleAsyncConnection,
    pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod, deadpool as diesel_deadpool},
};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};
use futures_util::FutureExt as _;
use secrecy::ExposeSecret as _;

use super::tls::{self, Target};
use crate::config::DatabaseSettings;

pub(super) type Pool = diesel_deadpool::Pool<AsyncPgConnection>;
pub(super) type Connection = diesel_deadpool::Object<AsyncPgConnection>;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");
/// Longest wait for a connection of the pool, and for a new one.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a start waits for a server that is only just coming up.
const START_PATIENCE: Duration = Duration::from_secs(30);

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

pub(super) fn open(database: &DatabaseSettings) -> anyhow::Result<Pool> {
    let target = Target::from_str(database.url.expose_secret()).context("DATABASE_URL")?;
    let statement_timeout = database.statement_timeout;
    let mut config = ManagerConfig::default();
    config.recycling_method = RecyclingMethod::Fast;
    config.custom_setup = Box::new(move |_| establish(target.clone(), statement_timeout).boxed());
    let manager = AsyncDieselConnectionManager::new_with_config(String::new(), config);
    let timeouts =
        Timeouts { wait: Some(CONNECT_TIMEOUT), create: Some(CONNECT_TIMEOUT), recycle: Some(CONNECT_TIMEOUT) };
    Ok(Pool::builder(manager)
        .max_size(database.pool_size)
        .timeouts(timeouts)
        .runtime(deadpool::Runtime::Tokio1)
        .build()?)
}

pub(super) fn usage(pool: &Pool) -> PoolUse {
    let status = pool.status();
    PoolUse { open: status.size, idle: status.available, waiting: status.waiting }
}

async fn establish(target: Target, statement_timeout: Duration) -> ConnectionResult<AsyncPgConnection> {
    let mut connection = tls::connect(&target).await?;
    // The planner must see the arrays' lengths: a generic plan guesses ten rows and joins them by nested loops.
    let session = format!(
        "set statement_timeout = {}; set idle_in_transaction_session_timeout = '30s'; set plan_cache_mode = 'force_custom_plan'",
        statement_timeout.as_millis()
    );
    connection.batch_execute(&session).await.map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(connection)
}

/// Connects, waiting for a server that is starting; migrations may run long, so there is no statement timeout.
pub(super) async fn connect_patiently(database: &DatabaseSettings) -> anyhow::Result<AsyncPgConnection> {
    let target = Target::from_str(database.url.expose_secret()).context("DATABASE_URL")?;
    let deadline = tokio::time::Instant::now() + START_PATIENCE;
    loop {
        match tls::connect(&target).await {
            Ok(connection) => return Ok(connection),
            Err(error) if tokio::time::Instant::now() > deadline => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(300)).await,
        }
    }
}

/// Runs what is pending under an advisory lock, so that instances that start together take turns.
pub(super) async fn migrate(mut connection: AsyncPgConnection) -> anyhow::Result<Vec<String>> {
    connection.batch_execute("select pg_advisory_lock(7461164)").await.context("cannot lock the migrations")?;
    let mut harness = AsyncMigrationHarness::new(connection);
    let run = harness
        .run_pending_migrations(MIGRATIONS)
        .map_err(|error| anyhow::anyhow!("a migration failed: {error}"))?
        .iter()
        .map(ToString::to_string)
        .collect();
    harness.into_inner().batch_execute("select pg_advisory_unlock(7461164)").await?;
    Ok(run)
}
