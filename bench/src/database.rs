//! The instances' database, where a scenario fills it in bulk or reads the result.
//!
//! Rows are written as the server's own statements write them; nothing here announces anything.

use anyhow::Context;
use chrono::{DateTime, Utc};
pub use tokio_postgres::Statement;
use tokio_postgres::{Client, NoTls, types::ToSql};
use uuid::Uuid;

/// Rows of one statement.
pub const BULK: usize = 10_000;

/// A connection.
pub struct Database(Client);

/// Notifications that are stored, one row for each, in columns.
#[derive(Debug, Default)]
pub struct Rows {
    pub ids: Vec<String>,
    pub users: Vec<String>,
    /// The seqs in the users' logs.
    pub seqs: Vec<i64>,
    pub titles: Vec<String>,
}

/// The values that all rows share.
#[derive(Debug, Clone)]
pub struct Common {
    /// The users' tenant.
    pub tenant: String,
    /// The notifications' data, as JSON.
    pub data: Option<String>,
    /// When they were published.
    pub created_at: DateTime<Utc>,
    /// When they expire.
    pub expires_at: DateTime<Utc>,
}

/// The state of the users' inboxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    pub items: i64,
    /// Notifications that they show, each counted once for each user.
    pub notifications: i64,
    /// Items that are overdue.
    pub overdue: i64,
    /// Changes of their inboxes.
    pub changes: i64,
}

/// Counters of the database since it was made. Each connection of the server adds its part about once a second while it
/// works, and the last part up to ten seconds after it fell idle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Activity {
    /// The database's clock, in seconds.
    pub at: f64,
    /// Transactions that were committed.
    pub transactions: i64,
    /// Rows that were read, from tables and from indexes.
    pub rows: i64,
}

impl Database {
    /// Connects, without TLS.
    ///
    /// # Errors
    /// When the URL is none, or the database does not answer.
    pub async fn connect(url: &str) -> anyhow::Result<Self> {
        // The parser's own error is not shown: it could quote the password.
        let config: tokio_postgres::Config =
            url.parse().map_err(|_| anyhow::anyhow!("--database-url is no postgres:// URL of use"))?;
        let connecting = config.connect(NoTls).await;
        let (client, connection) =
            connecting.context("cannot connect to the database, which is reached without TLS")?;
        tokio::spawn(connection);
        Ok(Self(client))
    }

    /// Prepares the statement of [`Self::publish`].
    ///
    /// # Errors
    /// When the database has no way in for SQL.
    pub async fn prepare_publish(&self) -> anyhow::Result<Statement> {
        let statement = "select tidings.publish($1::text::jsonb, $2)";
        self.0.prepare(statement).await.context("the database has no tidings.publish")
    }

    /// Publishes, in a transaction of its own.
    ///
    /// # Errors
    /// When the database does not take it.
    pub async fn publish(&self, statement: &Statement, tenant: &str, body: &str) -> anyhow::Result<()> {
        self.0.query_one(statement, &[&body, &tenant]).await.context("the database takes no publish")?;
        Ok(())
    }

    /// Makes users subscribers of a topic, which is made if missing, and announces nothing.
    ///
    /// # Errors
    /// When the database does not take them.
    pub async fn subscribe(&self, tenant: &str, topic: &str, users: &[String]) -> anyhow::Result<()> {
        let statement = "with made as (insert into topics (tenant, topic) values ($1, $2) on conflict do nothing) \
             insert into subscriptions (tenant, topic, user_id) select $1, $2, unnest($3::text[]) on conflict do nothing";
        for users in users.chunks(BULK) {
            self.run(statement, &[&tenant, &topic, &users]).await.context("the database takes no subscribers")?;
        }
        Ok(())
    }

    /// Writes the rows that a publish of each notification would have written, and leaves the heads of the users' streams
    /// unchanged. So the head check finds nothing to deliver, and a stream that falls behind its ring reads these rows as it
    /// reads any others.
    ///
    /// # Errors
    /// When the database does not take them.
    pub async fn store_ahead(&self, common: &Common, rows: &Rows) -> anyhow::Result<()> {
        let statement = "with asked as (select id::uuid, user_id, seq, title \
             from unnest($1::text[], $2::text[], $3::bigint[], $4::text[]) as given (id, user_id, seq, title)), \
             made as (insert into notifications \
             (id, tenant, kind, priority, title, data, source, fingerprint, recipients, created_at, expires_at) \
             select id, $5, 'bench', 1, title, $6::text::jsonb, 'http', '', 1, $7::text::timestamptz, $8::text::timestamptz \
             from asked) \
             insert into inbox (tenant, user_id, seq, changed_seq, notification_id) \
             select $5, user_id, seq, seq, id from asked";
        let Common { tenant, data, created_at, expires_at } = common;
        let (created_at, expires_at) = (created_at.to_rfc3339(), expires_at.to_rfc3339());
        let Rows { ids, users, seqs, titles } = rows;
        self.run(statement, &[ids, users, seqs, titles, tenant, data, &created_at, &expires_at])
            .await
            .context("the database takes no notifications")
    }

    /// Schedules a publish for each of these users, the first at `from`, each a tenth of a second after the one before.
    ///
    /// # Errors
    /// When the database does not take them.
    pub async fn schedule(&self, tenant: &str, users: &[String], from: DateTime<Utc>) -> anyhow::Result<()> {
        let statement = "with asked as (select id::uuid, user_id, $4::text::timestamptz + index * interval '0.1 seconds' as at \
             from unnest($2::text[], $3::text[]) with ordinality as given (id, user_id, index)), \
             made as (insert into notifications (id, tenant, kind, priority, title, source, fingerprint, recipients, \
             deliver_at, expires_at) select id, $1, 'bench', 1, 'Waiting', 'http', '', 1, at, at + interval '90 days' \
             from asked) \
             insert into scheduled (notification_id, tenant, deliver_at, users, topics, everyone, fixed_expiry) \
             select id, $1, at, array[user_id], '{}', false, false from asked";
        let ids: Vec<String> = users.iter().map(|_| Uuid::now_v7().to_string()).collect();
        self.run(statement, &[&tenant, &ids, &users, &from.to_rfc3339()])
            .await
            .context("the database takes no scheduled publishes")
    }

    /// Vacuums and analyses these tables now, as the database would by itself some time after many inserts.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tidy(&self, tables: &str) -> anyhow::Result<()> {
        self.0.batch_execute(&format!("vacuum (analyze) {tables}")).await.context("the database does not tidy up")
    }

    /// Makes a checkpoint now, so that none falls into the measuring.
    ///
    /// # Errors
    /// When the database does not answer, or this user may not ask for it.
    pub async fn checkpoint(&self) -> anyhow::Result<()> {
        self.0.batch_execute("checkpoint").await.context("the database makes no checkpoint")
    }

    /// How many changes these users' inboxes have had; users without a stream have had none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn changes(&self, tenant: &str, users: &[String]) -> anyhow::Result<i64> {
        let query =
            "select coalesce(sum(head_seq), 0)::bigint from streams where tenant = $1 and user_id = any($2::text[])";
        let row = self.0.query_one(query, &[&tenant, &users]).await.context("the database counts no changes")?;
        Ok(row.try_get(0)?)
    }

    /// Counts the items of the users' inboxes; users without a stream have none.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tally(&self, tenant: &str, users: &[String]) -> anyhow::Result<Tally> {
        let query = "select coalesce(sum(held.items), 0)::bigint, coalesce(sum(held.notifications), 0)::bigint, \
             coalesce(sum(held.overdue), 0)::bigint, coalesce(sum(stream.head_seq), 0)::bigint \
             from unnest($2::text[]) as asked (user_id) \
             cross join lateral (select head_seq from streams as s where s.tenant = $1 and s.user_id = asked.user_id limit 1) as stream \
             cross join lateral (select count(*) as items, count(distinct notification_id) as notifications, \
             count(*) filter (where due_state = 2) as overdue from inbox as i \
             where i.tenant = $1 and i.user_id = asked.user_id) as held";
        let row = self.0.query_one(query, &[&tenant, &users]).await.context("the database counts no items")?;
        Ok(Tally {
            items: row.try_get(0)?,
            notifications: row.try_get(1)?,
            overdue: row.try_get(2)?,
            changes: row.try_get(3)?,
        })
    }

    /// Reads the counters.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn activity(&self) -> anyhow::Result<Activity> {
        let query = "select extract(epoch from clock_timestamp())::float8, xact_commit, tup_returned \
             from pg_stat_database where datname = current_database()";
        let row = self.0.query_one(query, &[]).await.context("cannot read the database's counters")?;
        Ok(Activity { at: row.try_get(0)?, transactions: row.try_get(1)?, rows: row.try_get(2)? })
    }

    async fn run(&self, statement: &str, values: &[&(dyn ToSql + Sync)]) -> Result<(), tokio_postgres::Error> {
        self.0.execute(statement, values).await.map(drop)
    }
}
