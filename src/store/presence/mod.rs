//! Presence: heartbeats of instances, the connections of users, and the users who were found to have joined or left.
//!
//! A user is present while connected anywhere, or gone for less than the grace; a connection counts as gone since its end,
//! or since the last heartbeat of its instance. Every time here is the database's.

mod beat;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::{
    prelude::*,
    sql_query,
    sql_types::{Array, BigInt, Text, Timestamptz},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

pub use self::beat::Beat;
use crate::domain::{
    signal::TopicKey,
    user::{Tenant, UserId, UserKey},
};
use crate::store::{
    database::{stored, unavailable::Unavailable},
    handle::Store,
    schema::present_users,
    topics::subscriptions::SubscriptionChange,
};

/// How many are present.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Online {
    /// Present users.
    pub present: i64,
    /// Users among whom they were counted.
    pub among: i64,
}

/// A user who subscribed to a topic or unsubscribed from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The topic.
    pub topic: TopicKey,
    /// The user.
    pub user: UserId,
    /// Whether a subscriber now.
    pub subscribed: bool,
}

impl From<&SubscriptionChange> for Moved {
    fn from(SubscriptionChange { key, subscription, .. }: &SubscriptionChange) -> Self {
        let topic = TopicKey { tenant: key.tenant.clone(), topic: subscription.topic.clone() };
        Self { topic, user: key.user.clone(), subscribed: subscription.subscribed }
    }
}

/// A present user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// The user.
    pub user: UserId,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Open streams; none when they have just ended.
    pub connections: i64,
}

impl Store {
    /// How many of each topic's subscribers are present; topics without any are left out.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn online(&self, topics: &[TopicKey]) -> Result<HashMap<TopicKey, Online>, Unavailable> {
        if topics.is_empty() {
            return Ok(HashMap::new());
        }
        self.shared.once(async |conn| online(conn, topics).await).await
    }

    /// How many users of the tenant are present.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn online_in_tenant(&self, tenant: &Tenant) -> Result<Online, Unavailable> {
        self.shared.once(async |conn| online_in_tenant(conn, tenant).await).await
    }

    /// The present users after this one in the order of ids, of a topic's subscribers or of the whole tenant.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn present(
        &self,
        tenant: &Tenant,
        topic: Option<&TopicKey>,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Present>, Unavailable> {
        self.shared.once(async |conn| present(conn, tenant, topic, after, limit).await).await
    }

    /// The moves of users who are present and announced, in topics that announce presence.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn present_among(&self, moved: Vec<Moved>) -> Result<Vec<Moved>, Unavailable> {
        if moved.is_empty() {
            return Ok(moved);
        }
        self.shared.once(async |conn| present_among(conn, &moved).await).await
    }

    /// For each of these users the topics in which their presence is announced.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn presence_topics(&self, keys: &[UserKey]) -> Result<Vec<(TopicKey, UserKey)>, Unavailable> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.shared.once(async |conn| presence_topics(conn, keys).await).await
    }
}

async fn online(conn: &mut AsyncPgConnection, topics: &[TopicKey]) -> QueryResult<HashMap<TopicKey, Online>> {
    #[derive(QueryableByName)]
    struct OnlineRow {
        #[diesel(sql_type = BigInt)]
        index: i64,
        #[diesel(sql_type = BigInt)]
        among: i64,
        #[diesel(sql_type = BigInt)]
        present: i64,
    }
    let rows: Vec<OnlineRow> = sql_query(include_str!("online.sql"))
        .bind::<Array<Text>, _>(topics.iter().map(|key| key.tenant.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(topics.iter().map(|key| key.topic.as_str()).collect::<Vec<_>>())
        .load(conn)
        .await?;
    let counted = |OnlineRow { index, among, present }| {
        debug_assert!(present <= among, "{present} of {among} subscribers are present");
        Ok((stored::nth(topics, index)?.clone(), Online { present, among }))
    };
    rows.into_iter().map(counted).collect()
}

async fn online_in_tenant(conn: &mut AsyncPgConnection, tenant: &Tenant) -> QueryResult<Online> {
    let users = present_users::table.filter(present_users::tenant.eq(tenant.as_str()));
    let present = users.count().get_result(conn).await?;
    Ok(Online { present, among: present })
}

async fn present(
    conn: &mut AsyncPgConnection,
    tenant: &Tenant,
    topic: Option<&TopicKey>,
    after: &str,
    limit: i64,
) -> QueryResult<Vec<Present>> {
    #[derive(QueryableByName)]
    struct PresentRow {
        #[diesel(sql_type = Text)]
        user_id: String,
        #[diesel(sql_type = Timestamptz)]
        since: DateTime<Utc>,
        #[diesel(sql_type = BigInt)]
        connections: i64,
    }
    let text =
        if topic.is_some() { include_str!("present_in_topic.sql") } else { include_str!("present_in_tenant.sql") };
    let query =
        sql_query(text).into_boxed().bind::<Text, _>(tenant.as_str()).bind::<Text, _>(after).bind::<BigInt, _>(limit);
    let rows: Vec<PresentRow> = match topic {
        Some(key) => query.bind::<Text, _>(key.topic.as_str()).load(conn).await?,
        None => query.load(conn).await?,
    };
    let parsed =
        |PresentRow { user_id, since, connections }| Ok(Present { user: stored::parse(&user_id)?, since, connections });
    rows.into_iter().map(parsed).collect()
}

async fn present_among(conn: &mut AsyncPgConnection, moved: &[Moved]) -> QueryResult<Vec<Moved>> {
    #[derive(QueryableByName)]
    struct PresentRow {
        #[diesel(sql_type = BigInt)]
        index: i64,
    }
    let rows: Vec<PresentRow> = sql_query(include_str!("present_among.sql"))
        .bind::<Array<Text>, _>(moved.iter().map(|moved| moved.topic.tenant.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(moved.iter().map(|moved| moved.topic.topic.kind()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(moved.iter().map(|moved| moved.user.as_str()).collect::<Vec<_>>())
        .load(conn)
        .await?;
    rows.into_iter().map(|row| stored::nth(moved, row.index).cloned()).collect()
}

async fn presence_topics(conn: &mut AsyncPgConnection, keys: &[UserKey]) -> QueryResult<Vec<(TopicKey, UserKey)>> {
    #[derive(QueryableByName)]
    struct ToldRow {
        #[diesel(sql_type = BigInt)]
        index: i64,
        #[diesel(sql_type = Text)]
        topic: String,
    }
    let rows: Vec<ToldRow> = sql_query(include_str!("presence_topics.sql"))
        .bind::<Array<Text>, _>(keys.iter().map(|key| key.tenant.as_str()).collect::<Vec<_>>())
        .bind::<Array<Text>, _>(keys.iter().map(|key| key.user.as_str()).collect::<Vec<_>>())
        .load(conn)
        .await?;
    let parsed = |row: ToldRow| {
        let key = stored::nth(keys, row.index)?.clone();
        Ok((TopicKey { tenant: key.tenant.clone(), topic: stored::parse(&row.topic)? }, key))
    };
    rows.into_iter().map(parsed).collect()
}
