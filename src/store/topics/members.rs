//! Members of topics. Administrators name them; topics of access `members` let only them join.

use chrono::{DateTime, Utc};
use diesel::{
    dsl::{exists, select},
    prelude::*,
    result::QueryResult,
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::{
    known,
    subscriptions::{self, texts},
};
use crate::domain::{
    topic::Topic,
    user::{Tenant, UserId, UserKey},
};
use crate::store::{
    database::{shared::repeat, unavailable::Unavailable},
    handle::Store,
    log::streams,
    schema::topic_members,
    topics::{membership_change::MembershipChange, subscriptions::SubscriptionChange},
};

/// A member of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Member {
    /// The user.
    pub user: String,
    /// Since when.
    pub since: DateTime<Utc>,
}

impl Store {
    /// Makes users members of a topic, and others not: these lose their subscriptions too. Answers how many were added
    /// and removed, and which subscriptions that ended.
    ///
    /// # Errors
    /// When the database does not answer. A repeat is safe.
    pub async fn change_members(
        &self,
        tenant: &Tenant,
        topic: &Topic,
        change: &MembershipChange,
    ) -> Result<(usize, usize, Vec<SubscriptionChange>), Unavailable> {
        let _turn = self.shared.tenants.acquire(tenant).await?;
        repeat!(self.shared, conn => conn.transaction(async |conn| change_members(conn, tenant, topic, change).await))
            .map_err(|_| Unavailable)
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
}

async fn change_members(
    conn: &mut AsyncPgConnection,
    tenant: &Tenant,
    topic: &Topic,
    change: &MembershipChange,
) -> QueryResult<(usize, usize, Vec<SubscriptionChange>)> {
    streams::lock_all(conn, tenant.as_str(), &[], &texts(&change.remove)).await?;
    let row = |user: &UserId| {
        (
            topic_members::tenant.eq(tenant.as_str().to_owned()),
            topic_members::topic.eq(topic.as_str().to_owned()),
            topic_members::user_id.eq(user.as_str().to_owned()),
        )
    };
    let mut added = 0;
    if !change.add.is_empty() {
        known::ensure(conn, tenant, topic).await?;
        let rows: Vec<_> = change.add.iter().map(row).collect();
        added = diesel::insert_into(topic_members::table).values(rows).on_conflict_do_nothing().execute(conn).await?;
    }
    let all = topic_members::table
        .filter(topic_members::tenant.eq(tenant.as_str()))
        .filter(topic_members::topic.eq(topic.as_str()));
    let gone = all.filter(topic_members::user_id.eq_any(texts(&change.remove)));
    let removed = diesel::delete(gone).execute(conn).await?;
    Ok((added, removed, subscriptions::leave(conn, tenant, topic, &change.remove).await?))
}

/// Whether the user is a member.
pub(crate) async fn is_member(conn: &mut AsyncPgConnection, key: &UserKey, topic: &Topic) -> QueryResult<bool> {
    let row = topic_members::table.find((key.tenant.as_str(), topic.as_str(), key.user.as_str()));
    select(exists(row)).get_result(conn).await
}

/// The same, under a lock of the membership: its removal waits for the end of this transaction, and so sees and ends the
/// subscription that this transaction makes.
pub(crate) async fn holds(conn: &mut AsyncPgConnection, key: &UserKey, topic: &Topic) -> QueryResult<bool> {
    let membership = topic_members::table
        .find((key.tenant.as_str(), topic.as_str(), key.user.as_str()))
        .select(topic_members::user_id)
        .for_key_share();
    let member: Option<String> = membership.first(conn).await.optional()?;
    Ok(member.is_some())
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
