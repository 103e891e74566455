//! Messages between instances by LISTEN and NOTIFY, and the table `last_values`: the newest value of each subject of a topic, for
//! those who come late. What the messages say is the bus's business.

use std::{sync::Arc, time::Duration};

use diesel::{
    QueryableByName,
    result::QueryResult,
    sql_query,
    sql_types::{Array, BigInt, Integer, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use tokio_util::sync::CancellationToken;

use crate::{
    config::DatabaseSettings,
    domain::signal::TopicKey,
    store::{
        database::{pool, server::Server, shared::Shared, stored, tls, unavailable::Unavailable},
        handle::Store,
    },
};

/// The channel that every instance listens on.
const CHANNEL: &str = "tidings";
/// The channel that `tidings.publish` wakes instances on.
const INLET_CHANNEL: &str = "tidings_inlet";

/// Opens connections that send and listen; cheap to clone.
#[derive(Clone)]
pub struct Relay {
    shared: Arc<Shared>,
    server: Server,
    statement_timeout: Duration,
}

/// Why a message was not sent, or why nothing is listened to.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotRelayed(String);

/// A value that is kept and sent in one step.
pub struct Keeping {
    /// The topic whose value it is.
    pub topic: TopicKey,
    /// The subject within the topic.
    pub subject: String,
    /// The message before its time.
    pub before: String,
    /// The value: the message behind its time.
    pub value: String,
    /// The instance, the first word of each payload.
    pub origin: Arc<str>,
    /// Most bytes of a piece of the message.
    pub piece: usize,
}

/// A value that was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastValue {
    /// The topic.
    pub topic: TopicKey,
    /// When it was sent, microseconds since 1970; later than the value's before.
    pub sent_at: u64,
    /// The value.
    pub value: String,
}

/// A connection that sends.
pub struct RelaySender(AsyncPgConnection);

/// A connection that listens, until this is dropped.
pub struct RelayListener {
    lost: CancellationToken,
    _client: tokio_postgres::Client,
}

impl Store {
    /// The way between instances that use this server.
    pub fn relay(&self, database: &DatabaseSettings) -> Relay {
        let (shared, server) = (self.shared.clone(), self.shared.server.clone());
        Relay { shared, server, statement_timeout: database.statement_timeout }
    }
}

impl Relay {
    /// Opens a connection that sends. Its commits wait for no disk: a message is worth nothing after a crash of the server.
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn sender(&self) -> Result<RelaySender, NotRelayed> {
        let connection = pool::establish_sender(self.server.target(), self.statement_timeout).await;
        connection.map(RelaySender).map_err(|error| NotRelayed(error.to_string()))
    }

    /// Listens; `take` gets every payload, in the order of the commits, on the connection's own task.
    ///
    /// # Errors
    /// When the server does not take the connection, or cannot listen: a standby cannot.
    pub async fn listen(&self, take: impl Fn(&str) + Send + 'static) -> Result<RelayListener, NotRelayed> {
        self.listen_on(CHANNEL, take).await
    }

    /// Listens for calls of `tidings.publish` that ask to be served at once.
    ///
    /// # Errors
    /// When the server does not take the connection, or cannot listen.
    pub async fn listen_inlet(&self, wake: impl Fn() + Send + 'static) -> Result<RelayListener, NotRelayed> {
        self.listen_on(INLET_CHANNEL, move |_| wake()).await
    }

    async fn listen_on(
        &self,
        channel: &str,
        take: impl Fn(&str) + Send + 'static,
    ) -> Result<RelayListener, NotRelayed> {
        let lost = CancellationToken::new();
        let ended = lost.clone();
        let client = tls::listen(&self.server.target(), channel, take, move || ended.cancel()).await;
        client.map(|client| RelayListener { lost, _client: client }).map_err(NotRelayed)
    }

    /// The values of these topics that are not older than `kept_for`, the newest `most` of each topic.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn last_values(
        &self,
        topics: &[TopicKey],
        kept_for: Duration,
        most: usize,
    ) -> Result<Vec<LastValue>, Unavailable> {
        self.shared.once(async |conn| last_values(conn, topics, kept_for, most).await).await
    }
}

impl RelayListener {
    /// Ends when the connection has.
    pub async fn lost(&self) {
        self.lost.cancelled().await;
    }
}

impl RelaySender {
    /// Sends payloads in one transaction, so that they come one after the other.
    ///
    /// # Errors
    /// When the server does not take them.
    pub async fn notify(&mut self, payloads: &[String]) -> Result<(), NotRelayed> {
        sql_query("select count(pg_notify($1, payload)) from unnest($2) as payload")
            .bind::<Text, _>(CHANNEL)
            .bind::<Array<Text>, _>(payloads)
            .execute(&mut self.0)
            .await
            .map(drop)
            .map_err(not_relayed)
    }

    /// Keeps a value and sends it, in one statement: the row's lock is held until the message has its turn, so the value that comes
    /// last is the one that is kept.
    ///
    /// # Errors
    /// When the server does not take it.
    pub async fn keep_and_notify(&mut self, keeping: &Keeping) -> Result<(), NotRelayed> {
        sql_query(include_str!("keep.sql"))
            .bind::<Text, _>(keeping.topic.tenant.as_str())
            .bind::<Text, _>(keeping.topic.topic.as_str())
            .bind::<Text, _>(&keeping.subject)
            .bind::<Text, _>(&keeping.value)
            .bind::<Text, _>(&keeping.before)
            .bind::<Text, _>(&*keeping.origin)
            // A character has four bytes at most.
            .bind::<Integer, _>(i32::try_from(keeping.piece / 4).unwrap_or(i32::MAX))
            .bind::<Text, _>(CHANNEL)
            .execute(&mut self.0)
            .await
            .map(drop)
            .map_err(not_relayed)
    }

    /// Removes values older than `kept_for`, and all but the newest `most` of each topic.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn forget_values(&mut self, kept_for: Duration, most: usize) -> Result<(), NotRelayed> {
        sql_query(include_str!("forget.sql"))
            .bind::<BigInt, _>(micros(kept_for))
            .bind::<BigInt, _>(most as i64)
            .execute(&mut self.0)
            .await
            .map(drop)
            .map_err(not_relayed)
    }
}

fn not_relayed(error: diesel::result::Error) -> NotRelayed {
    NotRelayed(error.to_string())
}

#[derive(QueryableByName)]
struct LastRow {
    /// The topic's ordinal among those asked for.
    #[diesel(sql_type = BigInt)]
    topic: i64,
    #[diesel(sql_type = BigInt)]
    sent_at: i64,
    #[diesel(sql_type = Text)]
    value: String,
}

async fn last_values(
    conn: &mut AsyncPgConnection,
    topics: &[TopicKey],
    kept_for: Duration,
    most: usize,
) -> QueryResult<Vec<LastValue>> {
    let rows: Vec<LastRow> = sql_query(include_str!("last.sql"))
        .bind::<Array<Text>, _>(topics.iter().map(|topic| topic.tenant.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(topics.iter().map(|topic| topic.topic.as_str()).collect::<Vec<_>>())
        .bind::<BigInt, _>(micros(kept_for))
        .bind::<BigInt, _>(most as i64)
        .load(conn)
        .await?;
    let value = |row: LastRow| {
        let sent_at = u64::try_from(row.sent_at).map_err(stored::unreadable)?;
        Ok(LastValue { topic: stored::nth(topics, row.topic)?.clone(), sent_at, value: row.value })
    };
    rows.into_iter().map(value).collect()
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}
