//! The grouping of notifications in the inboxes of their recipients. Most become an item of their own. Others become the newest part
//! of an item that is there already, by their thread or because too many of their kind came within a window.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName,
    prelude::*,
    result::QueryResult,
    sql_query,
    sql_types::{Array, BigInt, Integer, Nullable, SmallInt, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::insert_at_head::{HeadInsert, Inserted, insert_at_head};
use crate::domain::{
    channel::{Channel, Decision},
    cursor::Seq,
};
use crate::store::{database::stored::unreadable, schema::withheld};

/// A recipient, with the channels of a notification.
#[derive(Debug, Clone, QueryableByName)]
pub(crate) struct Recipient {
    #[diesel(sql_type = SqlUuid)]
    pub id: Uuid,
    #[diesel(sql_type = Text)]
    pub tenant: String,
    #[diesel(sql_type = Text)]
    pub user_id: String,
    #[diesel(sql_type = SmallInt)]
    pub reason: i16,
    #[diesel(sql_type = Nullable<SmallInt>)]
    pub topic: Option<i16>,
    #[diesel(sql_type = BigInt)]
    pub channels: i64,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Nullable<Text>)]
    thread_key: Option<String>,
    #[diesel(sql_type = Nullable<SmallInt>)]
    burst_most: Option<i16>,
    #[diesel(sql_type = Nullable<Integer>)]
    burst_seconds: Option<i32>,
    #[diesel(sql_type = Nullable<Timestamptz>)]
    due_at: Option<DateTime<Utc>>,
    /// Set if the notification is due: the state in `duties`.
    #[diesel(sql_type = Nullable<SmallInt>)]
    due_state: Option<i16>,
}

impl Recipient {
    fn reaches_inbox(&self) -> bool {
        self.decision().takes(Channel::Inbox)
    }

    fn decision(&self) -> Decision {
        Decision::from_stored(self.channels)
    }

    fn owner(&self) -> Owner {
        (self.tenant.clone(), self.user_id.clone())
    }
}

type Owner = (String, String);

/// Items that were inserted, and their recipients.
#[derive(Default)]
pub(crate) struct Grouped {
    pub recipients: Vec<Recipient>,
    pub inserted: Vec<Inserted>,
}

/// The named recipients of publishes, and the decision for each. Streams must be locked.
pub(crate) async fn recipients(
    conn: &mut AsyncPgConnection,
    ids: &[Uuid],
    users: &[&str],
) -> QueryResult<Vec<Recipient>> {
    sql_query(include_str!("recipients.sql"))
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Array<Text>, _>(users)
        .load(conn)
        .await
}

/// Inserts notifications under the locks of all the streams, each as an item of its own or into the item of its group.
/// Returns the items that are now on top of an inbox.
pub(crate) async fn group(conn: &mut AsyncPgConnection, recipients: Vec<Recipient>) -> QueryResult<Grouped> {
    let (recipients, unwanted): (Vec<_>, Vec<_>) = recipients.into_iter().partition(Recipient::reaches_inbox);
    withhold(conn, &unwanted).await?;
    let keys = item_keys(conn, &recipients).await?;
    let known = known_items(conn, &recipients, &keys).await?;
    let Folding { inserts, recipients, folded } = fold(recipients, keys, known);
    remember(conn, &folded).await?;
    let inserted = insert_at_head(conn, &inserts).await?;
    debug_assert_eq!(recipients.len(), inserted.len(), "an item for each recipient");
    Ok(Grouped { recipients, inserted })
}

/// Notes the users whose preferences keep a notification out of the inbox.
async fn withhold(conn: &mut AsyncPgConnection, unwanted: &[Recipient]) -> QueryResult<()> {
    if unwanted.is_empty() {
        return Ok(());
    }
    let row = |each: &Recipient| {
        (
            withheld::notification_id.eq(each.id),
            withheld::tenant.eq(each.tenant.clone()),
            withheld::user_id.eq(each.user_id.clone()),
            withheld::decision.eq(each.decision().first_layout()),
            withheld::channels.eq(each.channels),
        )
    };
    let rows: Vec<_> = unwanted.iter().map(row).collect();
    diesel::insert_into(withheld::table).values(rows).on_conflict_do_nothing().execute(conn).await.map(drop)
}

/// The key that each shares with others that become one item; none for an item of its own. The two sorts of keys cannot be equal:
/// their first characters differ.
async fn item_keys(conn: &mut AsyncPgConnection, recipients: &[Recipient]) -> QueryResult<Vec<Option<String>>> {
    let mut windows = count_bursts(conn, recipients).await?;
    let key = |each: &Recipient| {
        if let Some(thread) = &each.thread_key {
            return Some(format!("t:{thread}"));
        }
        let most = each.burst_most?;
        let window = windows.get_mut(&(each.owner(), each.kind.clone()))?;
        window.before += 1;
        (window.before > i32::from(most)).then(|| format!("b:{}:{}", each.kind, window.ends_at.timestamp_micros()))
    };
    Ok(recipients.iter().map(key).collect())
}

/// A window of a user's items of one kind.
struct Window {
    ends_at: DateTime<Utc>,
    /// Items that came before those at hand.
    before: i32,
}

/// Counts items of kinds that have a bound, in the windows of their users. A window that is over is replaced by a new one.
async fn count_bursts(
    conn: &mut AsyncPgConnection,
    recipients: &[Recipient],
) -> QueryResult<HashMap<(Owner, String), Window>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        tenant: String,
        #[diesel(sql_type = Text)]
        user_id: String,
        #[diesel(sql_type = Text)]
        kind: String,
        #[diesel(sql_type = Timestamptz)]
        ends_at: DateTime<Utc>,
        #[diesel(sql_type = Integer)]
        items: i32,
    }
    let mut counts: HashMap<(Owner, String), (i32, i32)> = HashMap::new();
    for (each, seconds) in recipients.iter().filter_map(|each| Some((each, each.burst_seconds?))) {
        counts.entry((each.owner(), each.kind.clone())).or_insert((seconds, 0)).1 += 1;
    }
    if counts.is_empty() {
        return Ok(HashMap::new());
    }
    let column = |part: fn(&(Owner, String)) -> &str| counts.keys().map(part).collect::<Vec<_>>();
    let rows: Vec<Row> = sql_query(
        "insert into bursts as b (tenant, user_id, kind, ends_at, items) \
         select tenant, user_id, kind, clock_time() + make_interval(secs => seconds), items \
         from unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::int[]) as asked (tenant, user_id, kind, seconds, items) \
         on conflict (tenant, user_id, kind) do update set \
         items = case when b.ends_at > clock_time() then b.items else 0 end + excluded.items, \
         ends_at = case when b.ends_at > clock_time() then b.ends_at else excluded.ends_at end \
         returning tenant, user_id, kind, ends_at, items",
    )
    .bind::<Array<Text>, _>(column(|((tenant, _), _)| tenant))
    .bind::<Array<Text>, _>(column(|((_, user), _)| user))
    .bind::<Array<Text>, _>(column(|(_, kind)| kind))
    .bind::<Array<Integer>, _>(counts.values().map(|(seconds, _)| *seconds).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(counts.values().map(|(_, items)| *items).collect::<Vec<_>>())
    .load(conn)
    .await?;
    let window = |row: Row| {
        let key = ((row.tenant, row.user_id), row.kind);
        let (_, now) = counts.get(&key).ok_or_else(|| unreadable("a window of a kind that was not counted"))?;
        Ok((key, Window { ends_at: row.ends_at, before: row.items - now }))
    };
    rows.into_iter().map(window).collect()
}

/// An item that is in an inbox already.
#[derive(Debug, Clone, QueryableByName)]
struct Known {
    #[diesel(sql_type = BigInt)]
    index: i64,
    #[diesel(sql_type = BigInt)]
    seq: Seq,
    #[diesel(sql_type = SqlUuid)]
    notification_id: Uuid,
    #[diesel(sql_type = Nullable<SqlUuid>)]
    item_id: Option<Uuid>,
    #[diesel(sql_type = Nullable<Integer>)]
    folded: Option<i32>,
}

type ItemKey = (Owner, String);

/// The items with these keys that are there already.
async fn known_items(
    conn: &mut AsyncPgConnection,
    recipients: &[Recipient],
    keys: &[Option<String>],
) -> QueryResult<HashMap<ItemKey, Known>> {
    debug_assert_eq!(recipients.len(), keys.len(), "a key, or none, for each recipient");
    let asked: Vec<(&Recipient, &String)> =
        recipients.iter().zip(keys).filter_map(|(each, key)| Some((each, key.as_ref()?))).collect();
    if asked.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<Known> = sql_query(
        "select asked.index, item.* from unnest($1::text[], $2::text[], $3::text[]) with ordinality \
         as asked (tenant, user_id, thread_key, index) cross join lateral (select seq, notification_id, item_id, folded \
         from inbox as i where i.tenant = asked.tenant and i.user_id = asked.user_id and i.thread_key = asked.thread_key \
         limit 1) as item",
    )
    .bind::<Array<Text>, _>(asked.iter().map(|(each, _)| each.tenant.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(asked.iter().map(|(each, _)| each.user_id.as_str()).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(asked.iter().map(|(_, key)| key.as_str()).collect::<Vec<_>>())
    .load(conn)
    .await?;
    let with_key = |row: Known| {
        let index = usize::try_from(row.index - 1).map_err(unreadable)?;
        let (each, key) = asked.get(index).ok_or_else(|| unreadable("an item of a key that was not asked for"))?;
        Ok(((each.owner(), (*key).clone()), row))
    };
    rows.into_iter().map(with_key).collect()
}

/// A notification that is part of an item which shows a later one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Folded {
    notification_id: Uuid,
    owner: Owner,
    item_id: Uuid,
}

/// The outcome of the notifications of these recipients.
#[derive(Default)]
struct Folding {
    inserts: Vec<HeadInsert>,
    /// Whom each of those is for.
    recipients: Vec<Recipient>,
    folded: Vec<Folded>,
}

/// Makes one item of all that have a key in common: its newest notification shows, under the name of the first.
fn fold(recipients: Vec<Recipient>, keys: Vec<Option<String>>, known: HashMap<ItemKey, Known>) -> Folding {
    debug_assert_eq!(recipients.len(), keys.len(), "a key, or none, for each recipient");
    let mut folding = Folding::default();
    let mut indices: HashMap<ItemKey, usize> = HashMap::new();
    for (each, key) in recipients.into_iter().zip(keys) {
        let item_key = key.map(|key| (each.owner(), key));
        let index = item_key.as_ref().and_then(|key| indices.get(key)).copied();
        if let Some(index) = index {
            folding.replace(index, each);
            continue;
        }
        let item = item_key.as_ref().and_then(|key| known.get(key));
        let index = folding.add(&each, item_key.as_ref().map(|(_, key)| key.clone()), item);
        folding.recipients.push(each);
        indices.extend(item_key.map(|key| (key, index)));
    }
    folding
}

impl Folding {
    /// Adds an item, or the newest notification of one that is known.
    fn add(&mut self, each: &Recipient, thread_key: Option<String>, known: Option<&Known>) -> usize {
        let name = known.map(|known| known.item_id.unwrap_or(known.notification_id));
        if let (Some(known), Some(item_id)) = (known, name) {
            self.folded.push(Folded { notification_id: known.notification_id, owner: each.owner(), item_id });
        }
        let open = each.due_state.is_none_or(|state| state <= 2);
        self.inserts.push(HeadInsert {
            tenant: each.tenant.clone(),
            user_id: each.user_id.clone(),
            seq: known.map(|known| known.seq),
            notification_id: each.id,
            item_id: name,
            thread_key,
            folded: known.map(|known| known.folded.unwrap_or(1) + 1),
            reason: each.reason,
            topic: each.topic,
            channels: each.channels,
            due_at: each.due_at.filter(|_| open),
            due_state: each.due_state,
            read_at: None,
        });
        self.inserts.len() - 1
    }

    /// Replaces an earlier notification, which is not written yet, by a later one.
    fn replace(&mut self, index: usize, each: Recipient) {
        debug_assert_eq!(self.inserts.len(), self.recipients.len(), "an item for each recipient");
        let (Some(item), Some(before)) = (self.inserts.get_mut(index), self.recipients.get_mut(index)) else {
            debug_assert!(false, "an item at {index} of {}", self.inserts.len());
            return;
        };
        let item_id = item.item_id.unwrap_or(item.notification_id);
        self.folded.push(Folded { notification_id: item.notification_id, owner: each.owner(), item_id });
        item.item_id = Some(item_id);
        item.folded = Some(item.folded.unwrap_or(1) + 1);
        item.notification_id = each.id;
        (item.reason, item.topic, item.channels) = (each.reason, each.topic, each.channels);
        *before = each;
    }
}

/// Notes which notifications became part of an item of others, so that no user gets them a second time.
async fn remember(conn: &mut AsyncPgConnection, parts: &[Folded]) -> QueryResult<()> {
    use crate::store::schema::folded;

    if parts.is_empty() {
        return Ok(());
    }
    let row = |part: &Folded| {
        (
            folded::notification_id.eq(part.notification_id),
            folded::tenant.eq(part.owner.0.clone()),
            folded::user_id.eq(part.owner.1.clone()),
            folded::item_id.eq(part.item_id),
        )
    };
    let rows: Vec<_> = parts.iter().map(row).collect();
    diesel::insert_into(folded::table).values(rows).on_conflict_do_nothing().execute(conn).await.map(drop)
}
