//! The heartbeat of an instance: its streams, the changed connections of its users, and the users who were found to have joined or left.

use std::time::Duration;

use diesel::{
    QueryableByName,
    result::QueryResult,
    sql_query,
    sql_types::{Array, BigInt, Bool, Double, Integer, Nullable, Text, Uuid as SqlUuid},
};
use diesel_async::{AsyncConnection as _, AsyncPgConnection, RunQueryDsl as _, SimpleAsyncConnection as _};
use uuid::Uuid;

use crate::domain::{share::Share, user::UserKey};
use crate::store::{
    database::{stored, unavailable::Unavailable},
    handle::Store,
};

/// One instance at a time: a user who just reconnected to another instance is not found to have left. Released at the commit.
const LOCK: &str = "select pg_advisory_xact_lock(7461165)";
/// Most users that one heartbeat finds to have joined, and connections that it finds to be gone.
const FOUND: i64 = 5_000;

/// The result of a heartbeat.
#[derive(Debug, Default)]
pub struct Beat {
    /// The database did not know the instance, or no longer: the instance must send all its connections.
    pub fresh: bool,
    /// Users who joined, each of them once until they leave; empty unless this instance had the right to look for them.
    pub joined: Vec<UserKey>,
    /// Users who left.
    pub left: Vec<UserKey>,
    /// The streams of the instances that take new ones.
    pub share: Share,
}

impl Store {
    /// Writes the instance's heartbeat, the number of its streams if it takes new ones, and the changed numbers of its users' connections. Finds users who joined and left if
    /// this instance has the right to do so.
    ///
    /// # Errors
    /// When the database does not answer: then it may have taken the changes or not, and the next heartbeat must repeat them.
    pub async fn beat(
        &self,
        instance: Uuid,
        streams: Option<usize>,
        changed: &[(UserKey, i32)],
        grace: Duration,
    ) -> Result<Beat, Unavailable> {
        let run = async |conn: &mut AsyncPgConnection| {
            conn.transaction(async |conn| beat(conn, instance, streams, changed, grace).await).await
        };
        self.shared.once(run).await
    }
}

#[derive(QueryableByName)]
struct BeatRow {
    #[diesel(sql_type = Bool)]
    fresh: bool,
    #[diesel(sql_type = Nullable<Bool>)]
    free: Option<bool>,
    #[diesel(sql_type = BigInt)]
    instances: i64,
    #[diesel(sql_type = BigInt)]
    streams: i64,
}

#[derive(QueryableByName)]
struct FoundRow {
    #[diesel(sql_type = Text)]
    tenant: String,
    #[diesel(sql_type = Text)]
    user_id: String,
}

async fn beat(
    conn: &mut AsyncPgConnection,
    instance: Uuid,
    streams: Option<usize>,
    changed: &[(UserKey, i32)],
    grace: Duration,
) -> QueryResult<Beat> {
    debug_assert!(changed.iter().all(|(_, connections)| *connections >= 0), "{changed:?}");
    // In a statement of its own: the next ones then see all that was written under the lock before.
    conn.batch_execute(LOCK).await?;
    let BeatRow { fresh, free, instances, streams } = sql_query(include_str!("beat.sql"))
        .bind::<SqlUuid, _>(instance)
        .bind::<Array<Text>, _>(changed.iter().map(|(key, _)| key.tenant.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(changed.iter().map(|(key, _)| key.user.as_str()).collect::<Vec<_>>())
        .bind::<Array<Integer>, _>(changed.iter().map(|(_, connections)| *connections).collect::<Vec<_>>())
        .bind::<Double, _>(grace.as_secs_f64())
        .bind::<Nullable<Integer>, _>(streams.map(|streams| i32::try_from(streams).unwrap_or(i32::MAX)))
        .get_result(conn)
        .await?;
    let share = Share { instances: instances.unsigned_abs() as usize, streams: streams.unsigned_abs() as usize };
    let mut found = Beat { fresh, share, ..Beat::default() };
    // `free` is none if another instance has looked within the last second. It is false after an outage of the database, while the
    // other instances need time for their heartbeats.
    if free == Some(true) {
        found.left = users(leave(conn, grace).await?)?;
    }
    if free.is_some() {
        let joined: Vec<FoundRow> = sql_query(include_str!("join.sql")).bind::<BigInt, _>(FOUND).load(conn).await?;
        found.joined = users(joined)?;
    }
    Ok(found)
}

async fn leave(conn: &mut AsyncPgConnection, grace: Duration) -> QueryResult<Vec<FoundRow>> {
    sql_query(include_str!("leave.sql"))
        .bind::<Double, _>(grace.as_secs_f64())
        .bind::<BigInt, _>(FOUND)
        .load(conn)
        .await
}

fn users(rows: Vec<FoundRow>) -> QueryResult<Vec<UserKey>> {
    rows.iter().map(|row| stored::key(&row.tenant, &row.user_id)).collect()
}
