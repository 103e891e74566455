//! The known topics, and the subscriptions of a user.

use chrono::{DateTime, Utc};
use diesel::{data_types::PgTimestamp, prelude::*, result::QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::{kinds, members};
use crate::domain::{
    topic::{MutedUntil, Rules, Topic},
    user::{Tenant, UserKey},
};
use crate::store::{
    database::{shared::repeat, unavailable::Unavailable},
    handle::Store,
    log::account_log::muted_of_stored,
    schema::{subscriptions, topic_members, topics},
};

/// A user's view of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownTopic {
    /// When it became known; none when it is not.
    pub created_at: Option<DateTime<Utc>>,
    /// The rules of its kind.
    pub rules: Rules,
    /// Whether the user is a member.
    pub member: bool,
    /// Whether the user is subscribed.
    pub subscribed: bool,
    /// Until when the user has muted it.
    pub muted_until: Option<MutedUntil>,
}

/// One of a user's subscriptions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MyTopic {
    /// The topic.
    pub topic: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// Until when it is muted.
    pub muted_until: Option<MutedUntil>,
    /// Whether the user is a member too.
    pub member: bool,
}

impl Store {
    /// The facts about a topic, from the user's point of view.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn topic(&self, key: &UserKey, topic: &Topic) -> Result<KnownTopic, Unavailable> {
        self.shared.once(async |conn| known(conn, key, topic).await).await
    }

    /// Makes a topic known, if it is not.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn make_topic(&self, tenant: &Tenant, topic: &Topic) -> Result<(), Unavailable> {
        repeat!(self.shared, conn => ensure(conn, tenant, topic)).map_err(|_| Unavailable)
    }

    /// The user's subscriptions by name, from after a topic.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn my_topics(&self, key: &UserKey, after: &str, limit: i64) -> Result<Vec<MyTopic>, Unavailable> {
        self.shared.once(async |conn| mine(conn, key, after, limit).await).await
    }
}

/// Makes a topic known, if it is not.
pub(crate) async fn ensure(conn: &mut AsyncPgConnection, tenant: &Tenant, topic: &Topic) -> QueryResult<()> {
    diesel::insert_into(topics::table)
        .values((topics::tenant.eq(tenant.as_str()), topics::topic.eq(topic.as_str())))
        .on_conflict_do_nothing()
        .execute(conn)
        .await
        .map(drop)
}

async fn known(conn: &mut AsyncPgConnection, key: &UserKey, topic: &Topic) -> QueryResult<KnownTopic> {
    let (tenant, user) = (key.tenant.as_str(), key.user.as_str());
    let created = topics::table.find((tenant, topic.as_str())).select(topics::created_at);
    let created_at = created.first(conn).await.optional()?;
    let muted = subscriptions::table.find((tenant, topic.as_str(), user)).select(subscriptions::muted_until);
    let subscription: Option<Option<PgTimestamp>> = muted.first(conn).await.optional()?;
    Ok(KnownTopic {
        created_at,
        rules: kinds::rules(conn, &key.tenant, topic.kind()).await?.unwrap_or_default(),
        member: members::is_member(conn, key, topic).await?,
        subscribed: subscription.is_some(),
        muted_until: subscription.flatten().map(muted_of_stored),
    })
}

#[derive(Queryable)]
struct MyRow {
    topic: String,
    subscribed_at: DateTime<Utc>,
    muted_until: Option<PgTimestamp>,
    membership: Option<String>,
}

impl From<MyRow> for MyTopic {
    fn from(row: MyRow) -> Self {
        Self {
            topic: row.topic,
            since: row.subscribed_at,
            muted_until: row.muted_until.map(muted_of_stored),
            member: row.membership.is_some(),
        }
    }
}

async fn mine(conn: &mut AsyncPgConnection, key: &UserKey, after: &str, limit: i64) -> QueryResult<Vec<MyTopic>> {
    let membership = topic_members::tenant
        .eq(subscriptions::tenant)
        .and(topic_members::topic.eq(subscriptions::topic))
        .and(topic_members::user_id.eq(subscriptions::user_id));
    let rows: Vec<MyRow> = subscriptions::table
        .left_join(topic_members::table.on(membership))
        .filter(subscriptions::tenant.eq(key.tenant.as_str()))
        .filter(subscriptions::user_id.eq(key.user.as_str()))
        .filter(subscriptions::topic.gt(after))
        .select((
            subscriptions::topic,
            subscriptions::subscribed_at,
            subscriptions::muted_until,
            topic_members::user_id.nullable(),
        ))
        .order(subscriptions::topic)
        .limit(limit)
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(MyTopic::from).collect())
}
