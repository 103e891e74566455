//! Rows of the table `tidings.inlet`, which the SQL functions of the schema `tidings` write within the transactions of applications.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName,
    result::QueryResult,
    sql_query,
    sql_types::{Array, BigInt, Bool, Double, Nullable, SmallInt, Text, Timestamptz},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::store::{database::unavailable::Unavailable, handle::Store};

/// Dead letters kept.
const LETTERS: i64 = 10_000;
/// Pause of a row that is released: half its age, within these bounds. So a tenant whose rows wait for long leaves
/// the claims to others.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// A row claimed more often than this is not tried again: it may be the reason why its instances die.
const CLAIMS: i16 = 10;

/// Which rows are claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claiming {
    /// Rows that were claimed once at most. Their messages may have so many bytes together.
    Fresh {
        /// Most rows.
        rows: i64,
        /// Most bytes.
        bytes: i64,
    },
    /// One row that was claimed before and had no end: it may be the reason, so it is claimed alone.
    Doubtful,
}

/// A row that this instance has claimed.
#[derive(Debug, Clone, PartialEq, QueryableByName)]
pub struct InletRow {
    /// Its number.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// The tenant, as the caller wrote it; the functions have checked its form.
    #[diesel(sql_type = Text)]
    pub tenant: String,
    /// The message of a publish; none of a retraction, nor of a row that [`InletRow::is_given_up`].
    #[diesel(sql_type = Nullable<Text>)]
    pub message: Option<String>,
    /// Whether it takes a publish back.
    #[diesel(sql_type = Bool)]
    pub retracts: bool,
    /// The idempotency key that the publish has, or that of the one to retract.
    #[diesel(sql_type = Nullable<Text>)]
    pub key: Option<String>,
    /// How often it was claimed, this time included.
    #[diesel(sql_type = SmallInt)]
    claims: i16,
    /// The end of the claim, by which this claim is told from a later one.
    #[diesel(sql_type = Timestamptz)]
    claimed_until: DateTime<Utc>,
    /// Seconds since it was written.
    #[diesel(sql_type = Double)]
    pub age: f64,
}

impl InletRow {
    /// Whether it was claimed so often that it is not tried again.
    pub fn is_given_up(&self) -> bool {
        self.claims > CLAIMS
    }
}

impl Store {
    /// Claims rows, the oldest first, for as long as `lease`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_inlet(&self, which: Claiming, lease: Duration) -> Result<Vec<InletRow>, Unavailable> {
        self.shared.once(async |conn| claim(conn, which, lease).await).await
    }

    /// Removes rows whose publishes are stored.
    ///
    /// # Errors
    /// When the database does not answer: the rows are claimed again, and their keys show that they are stored.
    pub async fn finish_inlet(&self, ids: &[i64]) -> Result<(), Unavailable> {
        let finish = async |conn: &mut AsyncPgConnection| {
            let delete = sql_query("delete from tidings.inlet where id = any ($1)").bind::<Array<BigInt>, _>(ids);
            delete.execute(conn).await.map(drop)
        };
        self.shared.once(finish).await
    }

    /// Makes dead letters of rows that never can be stored, each with its reason. Rows that another has claimed since are left to it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn bury_inlet(&self, rows: &[(&InletRow, String)]) -> Result<(), Unavailable> {
        let ids: Vec<i64> = rows.iter().map(|(row, _)| row.id).collect();
        let claims: Vec<DateTime<Utc>> = rows.iter().map(|(row, _)| row.claimed_until).collect();
        let reasons: Vec<&str> = rows.iter().map(|(_, reason)| reason.as_str()).collect();
        let bury = async |conn: &mut AsyncPgConnection| {
            sql_query(include_str!("bury.sql"))
                .bind::<Array<BigInt>, _>(&ids)
                .bind::<Array<Timestamptz>, _>(&claims)
                .bind::<Array<Text>, _>(&reasons)
                .bind::<BigInt, _>(LETTERS)
                .execute(conn)
                .await
                .map(drop)
        };
        self.shared.once(bury).await
    }

    /// Leaves rows to a later claim, after a pause. `counts` when the claim was an attempt that failed for the row itself. Rows that
    /// another has claimed since are left to it.
    ///
    /// # Errors
    /// When the database does not answer: the lease ends by itself.
    pub async fn release_inlet(&self, rows: &[&InletRow], counts: bool) -> Result<(), Unavailable> {
        let ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
        let claims: Vec<DateTime<Utc>> = rows.iter().map(|row| row.claimed_until).collect();
        let (shortest, longest) = PAUSES;
        let release = async |conn: &mut AsyncPgConnection| {
            sql_query(include_str!("release.sql"))
                .bind::<Array<BigInt>, _>(&ids)
                .bind::<Array<Timestamptz>, _>(&claims)
                .bind::<Double, _>(shortest.as_secs_f64())
                .bind::<Double, _>(longest.as_secs_f64())
                .bind::<Bool, _>(counts)
                .execute(conn)
                .await
                .map(drop)
        };
        self.shared.once(release).await
    }
}

async fn claim(conn: &mut AsyncPgConnection, which: Claiming, lease: Duration) -> QueryResult<Vec<InletRow>> {
    let (statement, rows, bytes) = match which {
        Claiming::Fresh { rows, bytes } => (format!(include_str!("claim.sql"), claims = "< 2"), rows, bytes),
        Claiming::Doubtful => (format!(include_str!("claim.sql"), claims = ">= 2"), 1, 1),
    };
    let mut rows: Vec<InletRow> = sql_query(statement)
        .bind::<BigInt, _>(rows)
        .bind::<Double, _>(lease.as_secs_f64())
        .bind::<BigInt, _>(bytes)
        .bind::<SmallInt, _>(CLAIMS)
        .load(conn)
        .await?;
    rows.sort_unstable_by_key(|row| row.id);
    Ok(rows)
}
