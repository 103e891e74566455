//! The handle to the database. Rooms above add the operations of their tables to it; here are those of the connection and of
//! the log.

use std::{path::Path, sync::Arc};

use anyhow::Context as _;

use super::{
    database::{
        generation::{self, Witness},
        migrations::{self, Misfit},
        pool::{self, PoolUse},
        pooler,
        server::ServerChange,
        shared::Shared,
        unavailable::Unavailable,
    },
    log::{
        coalesce::{self, Asks},
        page::{Ask, Page},
        streams::{self, Durability, Head},
    },
};
use crate::{
    config::{DatabaseSettings, Settings},
    domain::{cursor::Cursor, user::UserKey},
};

/// Handle to the database; cheap to clone.
#[derive(Clone)]
pub struct Store {
    pub(crate) shared: Arc<Shared>,
    asks: Asks,
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
        pooler::refuse(database).await?;
        if database.migrate {
            Self::migrate(database).await?;
        }
        Ok(Self::over(Shared::open(database, settings.publish.writers, settings)?))
    }

    #[cfg(feature = "embedded")]
    async fn open_embedded(data_dir: &Path, settings: &Settings) -> anyhow::Result<Self> {
        let embedded = super::database::embedded::Embedded::start(data_dir).await?;
        Self::migrate(&embedded.settings()).await?;
        Ok(Self::over(Shared::open_embedded(embedded, settings)?))
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
        pooler::refuse(database).await?;
        migrations::run(connection).await
    }

    fn over(shared: Shared) -> Self {
        let shared = Arc::new(shared);
        Self { asks: coalesce::start(&shared), shared }
    }

    /// Ends when there is a pooler in front of the server that gives each transaction another session.
    pub async fn pooler(&self) {
        pooler::found(&self.shared.server).await;
    }

    /// Whether the last operation reached the database.
    pub fn is_up(&self) -> bool {
        self.shared.is_up()
    }

    /// How the pool is used, for the metrics.
    pub fn pool_use(&self) -> PoolUse {
        self.shared.pools.usage()
    }

    /// What settings that were read again change about the server, and the step that takes it over.
    ///
    /// # Errors
    /// When the URL, or the certificates that it names, cannot be used.
    pub fn prepare_reload(&self, database: &DatabaseSettings) -> anyhow::Result<(ServerChange, impl FnOnce() + use<>)> {
        self.shared.server.prepare(database)
    }

    /// Why the schema of the database does not fit this binary; none while nobody knows.
    pub fn misfit(&self) -> Option<Misfit> {
        self.shared.schema.misfit()
    }

    /// Waits until the schema is known not to fit.
    pub async fn unfit(&self) {
        self.shared.schema.until(false).await;
    }

    /// Waits until the schema is not known not to fit.
    pub async fn fit(&self) {
        self.shared.schema.until(true).await;
    }

    /// Asks the database for a sign of life, whether its schema fits, and where its commits are safe.
    ///
    /// # Errors
    /// When there is no sign of life, or the schema does not fit.
    pub async fn ping(&self) -> Result<Durability, Unavailable> {
        self.shared.look().await?;
        self.shared.once(async |conn| streams::ping(conn).await).await
    }

    /// The heads of streams, by one query; a user without a stream is left out.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn heads(&self, keys: &[UserKey]) -> Result<Vec<Head>, Unavailable> {
        self.shared.once(async |conn| streams::heads(conn, keys).await).await
    }

    /// The user's unread count; 0 for an unknown user.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn unread(&self, key: &UserKey) -> Result<i64, Unavailable> {
        self.shared.once(async |conn| streams::unread(conn, key).await).await
    }

    /// Recounts some inboxes: how many of their streams have a count that is wrong. Very large ones are left out.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn drift(&self, sample: &[UserKey]) -> Result<i64, Unavailable> {
        self.shared.once(async |conn| streams::drift(conn, sample).await).await
    }

    /// Raises the generation if the database lacks the change of a cursor of its own epoch: it forgot what it had acknowledged. True when
    /// all cursors were reset.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn accuse(&self, key: &UserKey, cursor: &Cursor, witness: Witness) -> Result<bool, Unavailable> {
        self.shared.once(async |conn| generation::accuse(conn, key, cursor, witness).await).await
    }

    /// Raises the generation of a database that was restored: all clients are reset. Answers the new one.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn note_restored(&self) -> Result<i64, Unavailable> {
        self.shared.once(async |conn| generation::raise(conn).await).await
    }

    /// The head of a stream and the changes after a position.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn page(&self, ask: Ask) -> Result<Arc<Page>, Unavailable> {
        coalesce::page(&self.asks, ask).await
    }
}
