//! Rows of the table `tidings.inlet`, which the SQL functions of the schema `tidings` write within the transactions of applications.

use std::time::Duration;

use diesel::{
    QueryableByName,
    result::QueryResult,
    sql_query,
    sql_types::{Array, BigInt, Bool, Double, Nullable, SmallInt, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::store::{database::unavailable::Unavailable, handle::Store};

/// Dead letters kept.
const LETTERS: i64 = 10_000;

/// A row that this instance has claimed.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub struct InletRow {
    /// Its number.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// The tenant, as the caller wrote it; the functions have checked its form.
    #[diesel(sql_type = Text)]
    pub tenant: String,
    /// The message of a publish; none of a retraction.
    #[diesel(sql_type = Nullable<Text>)]
    pub message: Option<String>,
    /// The idempotency key that the publish has, or that of the one to retract.
    #[diesel(sql_type = Nullable<Text>)]
    pub key: Option<String>,
    /// How often it was claimed, this time included.
    #[diesel(sql_type = SmallInt)]
    pub claims: i16,
}

impl Store {
    /// Claims up to `most` rows, the oldest first, for as long as `lease`.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn claim_inlet(&self, most: i64, lease: Duration) -> Result<Vec<InletRow>, Unavailable> {
        self.shared.once(async |conn| claim(conn, most, lease).await).await
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

    /// Makes dead letters of rows that never can be stored, each with its reason.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn bury_inlet(&self, rows: &[(i64, String)]) -> Result<(), Unavailable> {
        let (ids, reasons): (Vec<i64>, Vec<&str>) = rows.iter().map(|(id, reason)| (*id, reason.as_str())).unzip();
        let bury = async |conn: &mut AsyncPgConnection| {
            let bury = sql_query(include_str!("bury.sql"));
            let bury = bury.bind::<Array<BigInt>, _>(&ids).bind::<Array<Text>, _>(&reasons).bind::<BigInt, _>(LETTERS);
            bury.execute(conn).await.map(drop)
        };
        self.shared.once(bury).await
    }

    /// Leaves rows to a later claim, after a pause. `counts` when the claim was an attempt that failed for the row itself.
    ///
    /// # Errors
    /// When the database does not answer: the lease ends by itself.
    pub async fn release_inlet(&self, ids: &[i64], pause: Duration, counts: bool) -> Result<(), Unavailable> {
        let release = async |conn: &mut AsyncPgConnection| {
            let release = sql_query(
                "update tidings.inlet set claimed_until = clock_timestamp() + make_interval(secs => $2), \
                 claims = claims - (not $3)::int where id = any ($1)",
            );
            let release = release.bind::<Array<BigInt>, _>(ids).bind::<Double, _>(pause.as_secs_f64());
            release.bind::<Bool, _>(counts).execute(conn).await.map(drop)
        };
        self.shared.once(release).await
    }
}

async fn claim(conn: &mut AsyncPgConnection, most: i64, lease: Duration) -> QueryResult<Vec<InletRow>> {
    let claim = sql_query(include_str!("claim.sql"));
    let claim = claim.bind::<BigInt, _>(most).bind::<Double, _>(lease.as_secs_f64());
    let mut rows: Vec<InletRow> = claim.load(conn).await?;
    rows.sort_unstable_by_key(|row| row.id);
    Ok(rows)
}
