//! What the database has done so far, by its own count.

use diesel::{
    QueryableByName,
    result::QueryResult,
    sql_query,
    sql_types::{BigInt, Double},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

/// Counters of this database since it was made. Each connection of the server adds its part about once a second while it
/// works, and the last part up to ten seconds after it fell idle.
#[derive(Debug, Clone, Copy, PartialEq, QueryableByName)]
pub struct Activity {
    /// The database's clock, in seconds.
    #[diesel(sql_type = Double)]
    pub at: f64,
    /// Transactions that were committed.
    #[diesel(sql_type = BigInt)]
    pub transactions: i64,
    /// Rows that were read, from tables and from indexes.
    #[diesel(sql_type = BigInt)]
    pub rows: i64,
}

/// Reads the counters.
pub(crate) async fn read(conn: &mut AsyncPgConnection) -> QueryResult<Activity> {
    let query = "select extract(epoch from clock_timestamp())::float8 as at, xact_commit as transactions, \
        tup_returned as rows from pg_stat_database where datname = current_database()";
    sql_query(query).get_result(conn).await
}
