//! What is known of topics and their kinds, who their members are, and which a user has joined.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::{
    data_types::PgTimestamp,
    dsl::{exists, now, select},
    prelude::*,
    result::QueryResult,
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::{
    Store, Unavailable,
    account::muted_of_stored,
    repeat,
    schema::{subscriptions, topic_kinds, topic_members, topics},
};
use crate::{
    notification::{Tenant, UserKey},
    topic::{Access, MutedUntil, Rules, Topic, TopicKind},
};

/// What a user sees of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownTopic {
    /// When it became known; none when it is not.
    pub created_at: Option<DateTime<Utc>>,
    /// What holds for its kind.
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

/// A member of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Member {
    /// Who.
    pub user: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

impl Store {
    /// What is known of a topic, from the user's point of view.
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

    /// A topic's members by id, from after a user.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn members(
        &self,
        tenant: &Tenant,
        topic: &Topic,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Member>, Unavailable> {
        self.shared.once(async |conn| members(conn, tenant, topic, after, limit).await).await
    }

    /// The registered kinds of topics, by name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn topic_kinds(&self, tenant: &Tenant) -> Result<Vec<(String, Rules)>, Unavailable> {
        self.shared.once(async |conn| kinds(conn, tenant).await).await
    }

    /// What holds for a kind of topics; none when it is not registered.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn topic_rules(&self, tenant: &Tenant, kind: &str) -> Result<Option<Rules>, Unavailable> {
        self.shared.once(async |conn| rules(conn, tenant, kind).await).await
    }

    /// Registers a kind of topics; false when the tenant has `most` others already.
    ///
    /// # Errors
    /// When the database does not answer. A repeat is safe.
    pub async fn put_topic_kind(
        &self,
        tenant: &Tenant,
        kind: &TopicKind,
        rules: &Rules,
        most: i64,
    ) -> Result<bool, Unavailable> {
        repeat!(self.shared, conn => conn.transaction(async |conn| put_kind(conn, tenant, kind, rules, most).await))
            .map_err(|_| Unavailable)
    }

    /// Forgets a kind of topics: the defaults hold for it again.
    ///
    /// # Errors
    /// When the database does not answer. A repeat is safe.
    pub async fn remove_topic_kind(&self, tenant: &Tenant, kind: &TopicKind) -> Result<(), Unavailable> {
        repeat!(self.shared, conn => remove_kind(conn, tenant, kind)).map_err(|_| Unavailable)
    }
}

type RulesRow = (String, i32, bool);

fn of_row((access, interval, presence): RulesRow) -> Rules {
    let access = match access.as_str() {
        "open" => Access::Open,
        "readOnly" => Access::ReadOnly,
        _ => Access::Members,
    };
    Rules { access, signal_interval: Duration::from_millis(u64::try_from(interval).unwrap_or(0)), presence }
}

fn word(access: Access) -> &'static str {
    match access {
        Access::Open => "open",
        Access::Members => "members",
        Access::ReadOnly => "readOnly",
    }
}

pub(super) async fn rules(conn: &mut AsyncPgConnection, tenant: &Tenant, kind: &str) -> QueryResult<Option<Rules>> {
    let row = topic_kinds::table
        .find((tenant.as_str(), kind))
        .select((topic_kinds::access, topic_kinds::signal_interval_ms, topic_kinds::presence))
        .first(conn)
        .await
        .optional()?;
    Ok(row.map(of_row))
}

async fn is_member(conn: &mut AsyncPgConnection, key: &UserKey, topic: &Topic) -> QueryResult<bool> {
    let row = topic_members::table.find((key.tenant.as_str(), topic.as_str(), key.user.as_str()));
    select(exists(row)).get_result(conn).await
}

/// Makes a topic known, if it is not.
pub(super) async fn ensure(conn: &mut AsyncPgConnection, tenant: &Tenant, topic: &Topic) -> QueryResult<()> {
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
        rules: rules(conn, &key.tenant, topic.kind()).await?.unwrap_or_default(),
        member: is_member(conn, key, topic).await?,
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

async fn members(
    conn: &mut AsyncPgConnection,
    tenant: &Tenant,
    topic: &Topic,
    after: &str,
    limit: i64,
) -> QueryResult<Vec<Member>> {
    topic_members::table
        .filter(topic_members::tenant.eq(tenant.as_str()))
        .filter(topic_members::topic.eq(topic.as_str()))
        .filter(topic_members::user_id.gt(after))
        .select((topic_members::user_id, topic_members::added_at))
        .order(topic_members::user_id)
        .limit(limit)
        .load(conn)
        .await
}

async fn kinds(conn: &mut AsyncPgConnection, tenant: &Tenant) -> QueryResult<Vec<(String, Rules)>> {
    let columns = (topic_kinds::access, topic_kinds::signal_interval_ms, topic_kinds::presence);
    let rows: Vec<(String, RulesRow)> = topic_kinds::table
        .filter(topic_kinds::tenant.eq(tenant.as_str()))
        .select((topic_kinds::kind, columns))
        .order(topic_kinds::kind)
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(|(kind, rules)| (kind, of_row(rules))).collect())
}

async fn put_kind(
    conn: &mut AsyncPgConnection,
    tenant: &Tenant,
    kind: &TopicKind,
    rules: &Rules,
    most: i64,
) -> QueryResult<bool> {
    let others = topic_kinds::table.filter(topic_kinds::tenant.eq(tenant.as_str()));
    let others: i64 = others.filter(topic_kinds::kind.ne(kind.as_str())).count().get_result(conn).await?;
    if others >= most {
        return Ok(false);
    }
    let interval = i32::try_from(rules.signal_interval.as_millis()).unwrap_or(i32::MAX);
    let values = (
        topic_kinds::access.eq(word(rules.access)),
        topic_kinds::signal_interval_ms.eq(interval),
        topic_kinds::presence.eq(rules.presence),
        topic_kinds::updated_at.eq(now),
    );
    diesel::insert_into(topic_kinds::table)
        .values((topic_kinds::tenant.eq(tenant.as_str()), topic_kinds::kind.eq(kind.as_str()), values))
        .on_conflict((topic_kinds::tenant, topic_kinds::kind))
        .do_update()
        .set(values)
        .execute(conn)
        .await?;
    Ok(true)
}

async fn remove_kind(conn: &mut AsyncPgConnection, tenant: &Tenant, kind: &TopicKind) -> QueryResult<()> {
    diesel::delete(topic_kinds::table.find((tenant.as_str(), kind.as_str()))).execute(conn).await.map(drop)
}
