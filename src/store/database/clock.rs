//! The database's time. Instances have clocks of their own, so every time that is stored or compared is this one.

use chrono::{DateTime, Utc};
use diesel::{define_sql_function, result::QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

define_sql_function! {
    /// The time of the transaction's beginning.
    fn clock_time() -> Timestamptz;
}

/// The same, as a value.
pub(crate) async fn read(conn: &mut AsyncPgConnection) -> QueryResult<DateTime<Utc>> {
    diesel::select(clock_time()).get_result(conn).await
}
