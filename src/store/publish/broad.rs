//! Publishes to topics and to everyone begin a fan-out, in the transaction that writes their notifications.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use diesel::{
    QueryableByName,
    result::QueryResult,
    sql_query,
    sql_types::{Array, BigInt, Bool, Integer, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use crate::{
    domain::{notification::NewNotification, topic::Topic, user::UserId},
    store::{database::stored, publish::append::Appended},
};

/// A fan-out that this transaction begins.
#[derive(Debug, QueryableByName)]
pub(crate) struct Begun {
    #[diesel(sql_type = SqlUuid)]
    pub(crate) id: Uuid,
    #[diesel(sql_type = Timestamptz)]
    pub(crate) created_at: DateTime<Utc>,
    #[diesel(sql_type = Timestamptz)]
    pub(crate) expires_at: DateTime<Utc>,
}

/// A notification for more users than those that it names.
#[derive(Debug)]
pub(crate) struct Broad<'a> {
    pub(crate) id: Uuid,
    pub(crate) topics: Vec<&'a str>,
    pub(crate) everyone: bool,
    pub(crate) actor: Option<&'a str>,
}

impl<'a> Broad<'a> {
    /// None for one that is for named users alone.
    pub(crate) fn of(item: &'a NewNotification) -> Option<Self> {
        let audience = &item.audience;
        (!audience.is_empty()).then(|| Self {
            id: item.id,
            topics: audience.topics.iter().map(Topic::as_str).collect(),
            everyone: audience.everyone,
            actor: audience.actor.as_ref().map(UserId::as_str),
        })
    }
}

/// Begins the fan-outs of those notifications that were written by this transaction.
pub(crate) async fn begin(conn: &mut AsyncPgConnection, broad: &[Broad<'_>]) -> QueryResult<Vec<Begun>> {
    if broad.is_empty() {
        return Ok(Vec::new());
    }
    // A row under this id was written by this publish: now, or by an attempt whose answer was lost.
    sql_query(
        "with asked as (select * from unnest($1::uuid[], $2::text[], $3::bool[], $4::text[]) \
         as asked (id, topics, everyone, actor)), \
         begun as (insert into fanouts (notification_id, tenant, everyone, actor) \
         select n.id, n.tenant, asked.everyone, asked.actor from asked cross join lateral \
         (select id, tenant from notifications where notifications.id = asked.id limit 1) as n \
         on conflict do nothing returning notification_id) \
         update notifications set topics = nullif(string_to_array(asked.topics, ' '), '{}') \
         from begun join asked on asked.id = begun.notification_id where notifications.id = begun.notification_id \
         returning notifications.id, notifications.created_at, notifications.expires_at",
    )
    .bind::<Array<SqlUuid>, _>(broad.iter().map(|item| item.id).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(broad.iter().map(|item| item.topics.join(" ")).collect::<Vec<_>>())
    .bind::<Array<Bool>, _>(broad.iter().map(|item| item.everyone).collect::<Vec<_>>())
    .bind::<Array<Nullable<Text>>, _>(broad.iter().map(|item| item.actor).collect::<Vec<_>>())
    .load(conn)
    .await
}

/// Items that must not begin a fan-out: one of their topics is unknown, or their tenant has too many fan-outs under way.
pub(crate) async fn refused(
    conn: &mut AsyncPgConnection,
    items: &[NewNotification],
    most_open: i64,
) -> QueryResult<HashMap<Uuid, Appended>> {
    let crowded = crowded(conn, items, most_open).await?;
    let is_crowded = |item: &&NewNotification| !item.audience.is_empty() && crowded.contains(item.tenant.as_str());
    let mut refused: HashMap<_, _> = items.iter().filter(is_crowded).map(|item| (item.id, Appended::Crowded)).collect();
    let unknown = unknown_topics(conn, items).await?;
    refused.extend(unknown.into_iter().map(|(id, index)| (id, Appended::UnknownTopic(index))));
    Ok(refused)
}

#[derive(QueryableByName)]
struct Crowded {
    #[diesel(sql_type = Text)]
    tenant: String,
}

/// The tenants whose limit of open fan-outs is reached.
async fn crowded(
    conn: &mut AsyncPgConnection,
    items: &[NewNotification],
    most_open: i64,
) -> QueryResult<HashSet<String>> {
    let broad = items.iter().filter(|item| !item.audience.is_empty());
    let tenants: HashSet<&str> = broad.map(|item| item.tenant.as_str()).collect();
    let rows: Vec<Crowded> = sql_query(
        "select tenant from unnest($1::text[]) as asked (tenant) cross join lateral (select count(*) as open from \
         (select from fanouts as f where f.tenant = asked.tenant and f.finished_at is null limit $2) as those) as counted \
         where open >= $2",
    )
    .bind::<Array<Text>, _>(tenants.into_iter().collect::<Vec<_>>())
    .bind::<BigInt, _>(most_open)
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(|row| row.tenant).collect())
}

#[derive(QueryableByName)]
struct Unknown {
    #[diesel(sql_type = Integer)]
    item: i32,
    #[diesel(sql_type = Integer)]
    topic: i32,
}

/// The first topic of each item that its tenant does not know, as its index in the item's list.
async fn unknown_topics(conn: &mut AsyncPgConnection, items: &[NewNotification]) -> QueryResult<HashMap<Uuid, usize>> {
    let (mut ordinals, mut tenants, mut names) = (Vec::new(), Vec::new(), Vec::new());
    for (item_ordinal, item) in (1_i32..).zip(items) {
        for (topic_ordinal, (_, topic)) in (1_i32..).zip(item.named_topics()) {
            ordinals.push((item_ordinal, topic_ordinal));
            tenants.push(item.tenant.as_str());
            names.push(topic.as_str());
        }
    }
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let unknown: Vec<Unknown> = sql_query(
        "select asked.item, min(asked.topic) as topic \
         from unnest($1::int[], $2::int[], $3::text[], $4::text[]) as asked (item, topic, tenant, name) \
         left join lateral (select true as is_there from topics as t \
         where t.tenant = asked.tenant and t.topic = asked.name limit 1) as known on true \
         where known.is_there is null group by asked.item",
    )
    .bind::<Array<Integer>, _>(ordinals.iter().map(|(item, _)| *item).collect::<Vec<_>>())
    .bind::<Array<Integer>, _>(ordinals.iter().map(|(_, topic)| *topic).collect::<Vec<_>>())
    .bind::<Array<Text>, _>(tenants)
    .bind::<Array<Text>, _>(names)
    .load(conn)
    .await?;
    let unknown_topic = |row: Unknown| Ok((stored::nth(items, row.item)?.id, stored::index(row.topic)?));
    unknown.into_iter().map(unknown_topic).collect()
}
