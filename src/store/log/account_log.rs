//! Changes of a user's account: of a subscription or of the preferences. Each takes a seq of the user's log like any other
//! change. Of each name only the newest is kept, because a client that reconnects needs only the newest state.

use chrono::DateTime;
use diesel::{
    QueryableByName,
    data_types::PgTimestamp,
    prelude::*,
    result::QueryResult,
    sql_query,
    sql_types::{Array, BigInt, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::domain::{
    cursor::{Cursor, Seq},
    topic::{MutedUntil, Subscription, Topic},
    user::{Tenant, UserId, UserKey},
};
use crate::store::schema::account_changes;

/// The name of changes of the user's settings.
pub(crate) const SETTINGS: &str = "settings";
/// The prefix of a topic in the name of changes of its subscription; `page.sql` knows it too.
const TOPIC: &str = "topic:";
/// Microseconds from 1970 to 2000, from which Postgres counts.
const POSTGRES_EPOCH: i64 = 946_684_800_000_000;

/// The subject of a change of the account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountChange {
    /// The settings.
    Settings,
    /// A subscription, in its newest state.
    Subscription(Subscription),
}

/// The position of a change of the account in the user's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamped {
    /// The stream's position after it.
    pub cursor: Cursor,
    /// The user's unread count, which it does not move.
    pub unread: i64,
}

impl AccountChange {
    /// Of a stored change and the subscription that was found beside it; none for a name that is never written.
    pub(crate) fn of(name: &str, subscribed: bool, muted_until: Option<PgTimestamp>) -> Option<Self> {
        if name == SETTINGS {
            return Some(Self::Settings);
        }
        let topic = name.strip_prefix(TOPIC)?.parse().ok()?;
        let muted_until = muted_until.map(muted_of_stored);
        Some(Self::Subscription(Subscription { topic, subscribed, muted_until }))
    }
}

/// The name of changes of a topic's subscription.
pub(crate) fn of_topic(topic: &Topic) -> String {
    format!("{TOPIC}{topic}")
}

/// As stored: `infinity` is forever.
pub(crate) fn stored_of_muted(until: MutedUntil) -> PgTimestamp {
    PgTimestamp(match until {
        MutedUntil::Time(time) => time.timestamp_micros() - POSTGRES_EPOCH,
        MutedUntil::Forever => i64::MAX,
    })
}

/// A time beyond all times that can be written means forever.
pub(crate) fn muted_of_stored(PgTimestamp(micros): PgTimestamp) -> MutedUntil {
    let time = micros.checked_add(POSTGRES_EPOCH).and_then(DateTime::from_timestamp_micros);
    time.map_or(MutedUntil::Forever, MutedUntil::Time)
}

#[derive(QueryableByName)]
struct StampedRow {
    #[diesel(sql_type = Text)]
    epoch: String,
    #[diesel(sql_type = BigInt)]
    head_seq: Seq,
    #[diesel(sql_type = BigInt)]
    unread: i64,
}

impl From<StampedRow> for Stamped {
    fn from(row: StampedRow) -> Self {
        Self { cursor: Cursor { epoch: row.epoch.into(), seq: row.head_seq }, unread: row.unread }
    }
}

/// Takes the next seq of the user's stream for a change of this name, within the caller's transaction, which holds the
/// stream's lock from then on.
pub(crate) async fn stamp(conn: &mut AsyncPgConnection, key: &UserKey, name: &str) -> QueryResult<Stamped> {
    let stamped = stamp_all(conn, &key.tenant, std::slice::from_ref(&key.user), name).await?;
    stamped.into_iter().next().ok_or(diesel::result::Error::NotFound)
}

/// The same for many users, in the order of their ids and each of them once; answers in the same order.
pub(crate) async fn stamp_all(
    conn: &mut AsyncPgConnection,
    tenant: &Tenant,
    users: &[UserId],
    name: &str,
) -> QueryResult<Vec<Stamped>> {
    debug_assert!(users.is_sorted_by(|a, b| a < b), "answers come in the order of the ids");
    let rows: Vec<StampedRow> = sql_query(include_str!("account_log.sql"))
        .bind::<Text, _>(tenant.as_str())
        .bind::<Array<Text>, _>(users.iter().map(UserId::as_str).collect::<Vec<_>>())
        .bind::<Text, _>(name)
        .load(conn)
        .await?;
    debug_assert_eq!(rows.len(), users.len(), "callers pair the answers with the users");
    Ok(rows.into_iter().map(Stamped::from).collect())
}

/// Forgets changes that no cursor can ask for any more.
pub(crate) async fn forget(conn: &mut AsyncPgConnection, tenant: &str, user: &str, until: Seq) -> QueryResult<()> {
    let mine =
        account_changes::table.filter(account_changes::tenant.eq(tenant)).filter(account_changes::user_id.eq(user));
    diesel::delete(mine.filter(account_changes::changed_seq.le(until))).execute(conn).await.map(drop)
}

#[cfg(test)]
mod tests {
    use chrono::Utc;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_time_survives_being_stored(micros in -62_000_000_000_000_000_i64..253_000_000_000_000_000) {
            let time = DateTime::<Utc>::from_timestamp_micros(micros).unwrap();
            prop_assert_eq!(muted_of_stored(stored_of_muted(MutedUntil::Time(time))), MutedUntil::Time(time));
        }
    }

    #[test]
    fn forever_is_the_infinity_of_the_database() {
        assert_eq!(stored_of_muted(MutedUntil::Forever), PgTimestamp(i64::MAX));
        assert_eq!(muted_of_stored(PgTimestamp(i64::MAX)), MutedUntil::Forever);
    }

    #[test]
    fn an_unknown_name_is_no_change() {
        assert_eq!(AccountChange::of("settings", false, None), Some(AccountChange::Settings));
        for name in ["", "topic:", "topic", "topic:a b", "other"] {
            assert_eq!(AccountChange::of(name, true, None), None, "{name}");
        }
    }
}
