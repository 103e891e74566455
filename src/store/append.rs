//! The write of publishes: one statement, one transaction, whatever their number.

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName,
    prelude::*,
    result::QueryResult,
    sql_query,
    sql_types::{
        Array, BigInt, Binary, Double, Integer, Jsonb, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid,
    },
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::{Store, Unavailable, repeat, schema::notifications};
use crate::notification::{Epoch, NewNotification, Seq};

/// One inbox row as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The stream's epoch.
    pub epoch: Epoch,
    /// The seq it took.
    pub seq: Seq,
    /// The user's unread count with it.
    pub unread: i64,
}

/// A publish that is now stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// By the database's clock.
    pub created_at: DateTime<Utc>,
    /// When it leaves inboxes.
    pub expires_at: DateTime<Utc>,
    /// One per recipient, in the order of `NewNotification::users`.
    pub rows: Vec<Placed>,
}

/// What became of one publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Appended {
    /// Written now.
    Written(Written),
    /// Its idempotency key had been used with the same body before (perhaps by an attempt of our own whose answer
    /// was lost): this is the first one's id and number of recipients.
    Repeated {
        /// The first one's id.
        id: Uuid,
        /// The first one's recipients.
        recipients: usize,
    },
    /// Its idempotency key had been used with another body.
    KeyReused,
    /// The database does not take its values.
    Unstorable,
}

impl Store {
    /// Writes publishes in one transaction and answers in their order. A publish whose values the database refuses is
    /// set apart, so that it takes nobody else with it.
    ///
    /// # Errors
    /// When the database does not answer; a repeat with the same ids writes nothing twice.
    pub async fn append(&self, items: &[NewNotification]) -> Result<Vec<Appended>, Unavailable> {
        let keep = self.shared.retention.keep.as_secs_f64();
        match repeat!(self.shared, conn => append(conn, items, keep)) {
            Ok(answers) => Ok(answers),
            Err(failure) if !failure.is_unstorable() => Err(Unavailable),
            Err(_) if items.len() == 1 => Ok(vec![Appended::Unstorable]),
            Err(_) => {
                let (first, second) = items.split_at(items.len() / 2);
                let mut answers = Box::pin(self.append(first)).await?;
                answers.extend(Box::pin(self.append(second)).await?);
                Ok(answers)
            }
        }
    }
}

#[derive(QueryableByName)]
struct PlacedRow {
    #[diesel(sql_type = SqlUuid)]
    id: Uuid,
    #[diesel(sql_type = Text)]
    epoch: String,
    #[diesel(sql_type = BigInt)]
    seq: i64,
    #[diesel(sql_type = BigInt)]
    unread: i64,
    #[diesel(sql_type = Timestamptz)]
    created_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    expires_at: DateTime<Utc>,
}

async fn append(conn: &mut AsyncPgConnection, items: &[NewNotification], keep: f64) -> QueryResult<Vec<Appended>> {
    let rows = write(conn, items, keep).await?;
    let mut rows = rows.into_iter().peekable();
    let mut answers = Vec::with_capacity(items.len());
    let mut known = Vec::new();
    for (place, item) in items.iter().enumerate() {
        let Some(first) = rows.next_if(|row| row.id == item.id) else {
            known.push(place);
            answers.push(Appended::Unstorable);
            continue;
        };
        let (created_at, expires_at) = (first.created_at, first.expires_at);
        let mut placed = vec![first.into()];
        while let Some(row) = rows.next_if(|row| row.id == item.id) {
            placed.push(row.into());
        }
        answers.push(Appended::Written(Written { created_at, expires_at, rows: placed }));
    }
    if !known.is_empty() {
        let first_ones = first_ones(conn, items, &known).await?;
        for place in known {
            answers[place] = verdict(&items[place], &first_ones);
        }
    }
    Ok(answers)
}

impl From<PlacedRow> for Placed {
    fn from(row: PlacedRow) -> Self {
        Self { epoch: row.epoch.into(), seq: row.seq, unread: row.unread }
    }
}

async fn write(conn: &mut AsyncPgConnection, items: &[NewNotification], keep: f64) -> QueryResult<Vec<PlacedRow>> {
    fn column<T>(items: &[NewNotification], value: impl Fn(&NewNotification) -> T) -> Vec<T> {
        items.iter().map(value).collect()
    }
    let recipients = || items.iter().flat_map(|item| item.users.iter().map(move |user| (item.id, user)));
    let query = sql_query(include_str!("append.sql"))
        .bind::<Array<SqlUuid>, _>(column(items, |item| item.id))
        .bind::<Array<Text>, _>(column(items, |item| item.tenant.as_str().to_owned()))
        .bind::<Array<Text>, _>(column(items, |item| item.content.kind.clone()))
        .bind::<Array<Nullable<Text>>, _>(column(items, |item| item.content.category.clone()))
        .bind::<Array<SmallInt>, _>(column(items, |item| item.content.priority.rank()))
        .bind::<Array<Text>, _>(column(items, |item| item.content.title.clone()))
        .bind::<Array<Nullable<Text>>, _>(column(items, |item| item.content.message.clone()))
        .bind::<Array<Nullable<Jsonb>>, _>(column(items, |item| item.content.data.clone()))
        .bind::<Array<Nullable<Text>>, _>(column(items, |item| item.content.action_url.clone()))
        .bind::<Array<Text>, _>(column(items, |item| item.source.as_str()))
        .bind::<Array<Nullable<Text>>, _>(column(items, |item| item.idempotency_key.clone()))
        .bind::<Array<Binary>, _>(column(items, |item| item.fingerprint.to_vec()))
        .bind::<Array<Integer>, _>(column(items, |item| i32::try_from(item.users.len()).unwrap_or(i32::MAX)))
        .bind::<Array<Nullable<Timestamptz>>, _>(column(items, |item| item.expires_at))
        .bind::<Array<SqlUuid>, _>(recipients().map(|(id, _)| id).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(recipients().map(|(_, user)| user.as_str()).collect::<Vec<_>>())
        .bind::<Double, _>(keep);
    query.load(conn).await
}

#[derive(Queryable)]
struct FirstOne {
    id: Uuid,
    tenant: String,
    idempotency_key: Option<String>,
    fingerprint: Vec<u8>,
    recipients: i32,
}

/// What was stored before under the ids or the keys of those that were not written now.
async fn first_ones(
    conn: &mut AsyncPgConnection,
    items: &[NewNotification],
    known: &[usize],
) -> QueryResult<Vec<FirstOne>> {
    let ids: Vec<_> = known.iter().map(|&place| items[place].id).collect();
    let keys: Vec<_> = known.iter().filter_map(|&place| items[place].idempotency_key.as_deref()).collect();
    let tenants: Vec<_> = known.iter().map(|&place| items[place].tenant.as_str()).collect();
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
        ))
        .load(conn)
        .await
}

fn verdict(item: &NewNotification, first_ones: &[FirstOne]) -> Appended {
    let first = first_ones.iter().find(|first| {
        first.id == item.id
            || (item.idempotency_key.is_some()
                && first.idempotency_key == item.idempotency_key
                && first.tenant == item.tenant.as_str())
    });
    match first {
        Some(first) if first.fingerprint == item.fingerprint => {
            Appended::Repeated { id: first.id, recipients: usize::try_from(first.recipients).unwrap_or(0) }
        }
        Some(_) => Appended::KeyReused,
        None => Appended::Unstorable,
    }
}
