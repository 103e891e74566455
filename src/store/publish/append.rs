//! The write of publishes: one statement and one transaction for any number of them.

use std::{
    collections::HashMap,
    iter::{Peekable, from_fn},
    sync::LazyLock,
    vec::IntoIter,
};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{
    QueryableByName,
    dsl::sql,
    prelude::*,
    result::QueryResult,
    sql_query,
    sql_types::{Array, BigInt, Binary, Bool, Double, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{
    broad::{self, Begun, Broad},
    general_append::{self, GenerallyAppended},
};
use crate::domain::{
    channel::Decision,
    cursor::{Epoch, Seq},
    notification::{NewNotification, Source},
};
use crate::store::{
    content,
    database::{clock, prepared::Prepared, shared::repeat, unavailable::Unavailable},
    handle::Store,
    log::streams::Head,
    schema::notifications,
};

/// One inbox row as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The stream's epoch.
    pub epoch: Epoch,
    /// The seq it took.
    pub seq: Seq,
    /// The user's unread count with it.
    pub unread: i64,
    /// The channels that it takes to this user.
    pub decision: Decision,
}

/// A publish that is now stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// By the database's clock.
    pub created_at: DateTime<Utc>,
    /// When it leaves inboxes.
    pub expires_at: DateTime<Utc>,
    /// One per recipient, in the order of `NewNotification::users`; none for a user who keeps it out of the inbox. Empty
    /// for a publish that is more than an item for each recipient.
    pub rows: Vec<Option<Placed>>,
    /// The heads of the inboxes whose rows are not in this answer.
    pub heads: Vec<Head>,
}

/// The outcome of one publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// Written now.
    Written(Written),
    /// Its idempotency key had been used with the same body before: this is the first one's id and number of recipients. The first
    /// may be an attempt of our own whose answer was lost.
    Repeated {
        /// The first one's id.
        id: Uuid,
        /// The first one's recipients.
        recipients: usize,
        /// Whether nothing of it has come or will come: it waited, and was called off, replaced, or over before its time.
        cancelled: bool,
    },
    /// Its idempotency key had been used with another body.
    KeyReused,
    /// Its tenant does not know the topic at this index of [`NewNotification::named_topics`].
    UnknownTopic(usize),
    /// Its `deliverAt` has passed.
    Past,
    /// Its tenant has as many fan-outs under way as it may.
    Crowded,
    /// The database does not take its values.
    Unstorable,
}

impl Store {
    /// Writes publishes in one transaction and answers in their order. A publish whose values the database refuses is
    /// written alone, so that the others succeed.
    ///
    /// # Errors
    /// When the database does not answer; a repeat with the same ids writes nothing twice.
    pub async fn append(&self, items: &[NewNotification]) -> Result<Vec<Appended>, Unavailable> {
        let keep = self.shared.retention.keep.as_secs_f64();
        let narrow = items.iter().all(|item| item.audience.is_empty() && item.is_plain());
        let outcome = if narrow {
            repeat!(self.shared, writer, conn => write_direct(conn, items, keep))
        } else {
            let most = self.shared.most_open_fanouts;
            repeat!(self.shared, writer, conn => conn.transaction(async |conn| write_all(conn, items, keep, most).await))
        };
        match outcome {
            Ok(outcome) => self.answers(items, outcome).await,
            Err(failure) if !failure.is_unstorable() => Err(Unavailable),
            Err(_) if items.len() == 1 => Ok(vec![Appended::Unstorable]),
            // The database does not name the refused item. Halves find it in few transactions.
            Err(_) => {
                let (first, second) = items.split_at(items.len() / 2);
                let mut answers = Box::pin(self.append(first)).await?;
                answers.extend(Box::pin(self.append(second)).await?);
                Ok(answers)
            }
        }
    }

    /// The outcome of each item: written now if it has rows or begins a fan-out, otherwise known from before.
    async fn answers(&self, items: &[NewNotification], outcome: Outcome) -> Result<Vec<Appended>, Unavailable> {
        let mut rows = outcome.rows.into_iter().peekable();
        let begun: HashMap<Uuid, Begun> = outcome.begun.into_iter().map(|begun| (begun.id, begun)).collect();
        let mut recorded: HashMap<Uuid, Written> =
            outcome.recorded.into_iter().map(|one| (one.id, Written::from(one))).collect();
        let written = |item: &NewNotification| {
            take_written(item, &mut rows)
                .or_else(|| recorded.remove(&item.id))
                .or_else(|| begun.get(&item.id).map(Written::from))
        };
        let written: Vec<Option<Written>> = items.iter().map(written).collect();
        debug_assert!(rows.peek().is_none(), "rows stand in the order of the items");
        let known: Vec<_> = items.iter().zip(&written).filter(|(_, now)| now.is_none()).map(|(item, _)| item).collect();
        let first_ones = match known.as_slice() {
            [] => Vec::new(),
            known => repeat!(self.shared, conn => first_ones(conn, known)).map_err(|_| Unavailable)?,
        };
        let answer = |(item, now): (&_, Option<Written>)| match now {
            Some(written) => Appended::Written(written),
            None => verdict(item, &first_ones, &outcome.refused),
        };
        Ok(items.iter().zip(written).map(answer).collect())
    }
}

#[derive(QueryableByName)]
struct PlacedRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Nullable<Text>)]
    epoch: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    seq: Option<i64>,
    #[diesel(sql_type = Nullable<BigInt>)]
    unread: Option<i64>,
    #[diesel(sql_type = BigInt)]
    channels: i64,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    expires_at: DateTime<Utc>,
}

impl PlacedRow {
    fn into_placed(self) -> Option<Placed> {
        let decision = Decision::from_stored(self.channels);
        Some(Placed { epoch: self.epoch?.into(), seq: self.seq?, unread: self.unread?, decision })
    }
}

/// The result of one transaction.
#[derive(Default)]
struct Outcome {
    rows: Vec<PlacedRow>,
    recorded: Vec<GenerallyAppended>,
    begun: Vec<Begun>,
    /// The outcome of items that were not tried to be written.
    refused: HashMap<Uuid, Appended>,
}

impl From<&Begun> for Written {
    /// A publish that names no user.
    fn from(begun: &Begun) -> Self {
        Self { created_at: begun.created_at, expires_at: begun.expires_at, rows: Vec::new(), heads: Vec::new() }
    }
}

impl From<GenerallyAppended> for Written {
    fn from(recorded: GenerallyAppended) -> Self {
        let GenerallyAppended { created_at, expires_at, heads, .. } = recorded;
        Self { created_at, expires_at, rows: Vec::new(), heads }
    }
}

/// Takes the item's rows off the front; none when it was not written.
fn take_written(item: &NewNotification, rows: &mut Peekable<IntoIter<PlacedRow>>) -> Option<Written> {
    let PlacedRow { created_at, expires_at, .. } = *rows.peek()?;
    let placed: Vec<_> = from_fn(|| rows.next_if(|row| row.id == item.id)).map(PlacedRow::into_placed).collect();
    debug_assert!(placed.is_empty() || placed.len() == item.users.len(), "a row for each recipient");
    (!placed.is_empty()).then_some(Written { created_at, expires_at, rows: placed, heads: Vec::new() })
}

async fn write_direct(conn: &mut AsyncPgConnection, items: &[NewNotification], keep: f64) -> QueryResult<Outcome> {
    Ok(Outcome { rows: write(conn, items, keep).await?, ..Outcome::default() })
}

/// Writes items of which some begin a fan-out, or are more than an item for each recipient, but for those that must not be.
async fn write_all(
    conn: &mut AsyncPgConnection,
    items: &[NewNotification],
    keep: f64,
    most_open: i64,
) -> QueryResult<Outcome> {
    let mut refused = broad::refused(conn, items, most_open).await?;
    let time = clock::read(conn).await?;
    let grace = |source| if matches!(source, Source::Stream | Source::Sql) { LATE_ENTRY } else { TimeDelta::zero() };
    let is_past = |item: &&NewNotification| waits_for_past(item, time - grace(item.source));
    refused.extend(items.iter().filter(is_past).map(|item| (item.id, Appended::Past)));
    let mut good: Vec<_> = items.iter().filter(|item| !refused.contains_key(&item.id)).cloned().collect();
    let (mut rows, mut recorded) = (Vec::new(), Vec::new());
    // Keys come before streams in all that is written: so one that is more takes the others along.
    if good.iter().all(NewNotification::is_plain) {
        rows = write(conn, &good, keep).await?;
    } else {
        // The durable ways in may take their time: a publish that should have been delivered by now is not lost for that.
        good.iter_mut().filter(|item| waits_for_past(item, time)).for_each(|item| item.timing.deliver_at = None);
        recorded = general_append::append(conn, &good, keep).await?;
    }
    let broad: Vec<_> = good.iter().filter(|item| item.timing.deliver_at.is_none()).filter_map(Broad::of).collect();
    let begun = broad::begin(conn, &broad).await?;
    Ok(Outcome { rows, recorded, begun, refused })
}

/// How late an entry of the Redis stream may be delivered: the durable way in outlives outages, but not mistakes.
const LATE_ENTRY: TimeDelta = TimeDelta::days(7);

fn waits_for_past(item: &NewNotification, time: DateTime<Utc>) -> bool {
    item.timing.deliver_at.is_some_and(|deliver_at| deliver_at <= time)
}

/// Own parameters of `append.sql`.
const OWN: usize = 11;
static APPEND: LazyLock<String> = LazyLock::new(|| content::statement(include_str!("append.sql"), OWN));

/// Its plan reads no table but for look-ups of one row, so that the writers' connections may keep it.
async fn write(conn: &mut AsyncPgConnection, items: &[NewNotification], keep: f64) -> QueryResult<Vec<PlacedRow>> {
    let recipients = || items.iter().flat_map(|item| item.users.iter().map(move |user| (item.id, user.as_str())));
    let own = sql_query(APPEND.as_str())
        .into_boxed()
        .bind::<Array<SqlUuid>, _>(column(items, |item| item.id))
        .bind::<Array<Text>, _>(column(items, |item| item.tenant.as_str()))
        .bind::<Array<Text>, _>(column(items, |item| item.source.as_str()))
        .bind::<Array<Nullable<Text>>, _>(column(items, |item| item.idempotency_key.as_deref()))
        .bind::<Array<Binary>, _>(column(items, |item| item.fingerprint.as_slice()))
        .bind::<Array<Integer>, _>(column(items, |item| i32::try_from(item.users.len()).unwrap_or(i32::MAX)))
        .bind::<Array<Nullable<Timestamptz>>, _>(column(items, |item| item.expires_at))
        .bind::<Array<BigInt>, _>(column(items, |item| item.decision.stored()))
        .bind::<Array<SqlUuid>, _>(recipients().map(|(id, _)| id).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(recipients().map(|(_, user)| user).collect::<Vec<_>>())
        .bind::<Double, _>(keep);
    Prepared(content::bind(own, items)).load(conn).await
}

/// One value of each publish.
pub(super) fn column<'a, T>(items: &'a [NewNotification], value: impl Fn(&'a NewNotification) -> T) -> Vec<T> {
    items.iter().map(value).collect()
}

#[derive(Queryable)]
struct FirstOne {
    id: Uuid,
    tenant: String,
    idempotency_key: Option<String>,
    fingerprint: Vec<u8>,
    #[diesel(deserialize_as = i32)]
    recipients: usize,
    cancelled: bool,
}

/// Taken back, or scheduled and called off: the delivery of a scheduled one sets `created_at`, and until then it has a row of
/// `scheduled`.
const CANCELLED: &str = "notifications.retracted_at is not null or notifications.deliver_at is not null \
     and notifications.created_at < notifications.deliver_at \
     and not exists (select from scheduled where scheduled.notification_id = notifications.id)";

/// The notifications that were stored before, under the ids or the keys of items that were not written now.
async fn first_ones(conn: &mut AsyncPgConnection, known: &[&NewNotification]) -> QueryResult<Vec<FirstOne>> {
    let ids: Vec<_> = known.iter().map(|item| item.id).collect();
    let keys: Vec<_> = known.iter().filter_map(|item| item.idempotency_key.as_deref()).collect();
    let tenants: Vec<_> = known.iter().map(|item| item.tenant.as_str()).collect();
    notifications::table
        .filter(
            notifications::id
                .eq_any(ids)
                .or(notifications::tenant.eq_any(tenants).and(notifications::idempotency_key.eq_any(keys))),
        )
        .select((
            notifications::id,
            notifications::tenant,
            notifications::idempotency_key,
            notifications::fingerprint,
            notifications::recipients,
            sql::<Bool>(CANCELLED),
        ))
        .load(conn)
        .await
}

fn verdict(item: &NewNotification, first_ones: &[FirstOne], refused: &HashMap<Uuid, Appended>) -> Appended {
    let first = first_ones.iter().find(|first| {
        first.id == item.id
            || (item.idempotency_key.is_some()
                && first.idempotency_key == item.idempotency_key
                && first.tenant == item.tenant.as_str())
    });
    match first {
        Some(first) if first.fingerprint == item.fingerprint => {
            Appended::Repeated { id: first.id, recipients: first.recipients, cancelled: first.cancelled }
        }
        Some(_) => Appended::KeyReused,
        None => refused.get(&item.id).cloned().unwrap_or(Appended::Unstorable),
    }
}
