//! Subscriptions of topics. Every change is made under the locks of its users' streams, so that the rows, the seqs and the
//! announcements agree.

use diesel::{
    QueryableByName,
    data_types::PgTimestamp,
    prelude::*,
    result::QueryResult,
    sql_query,
    sql_types::{Array, BigInt, Text},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::{kinds, known, members};
use crate::domain::{
    topic::{Access, Mute, Subscription, Topic},
    user::{Tenant, UserId, UserKey},
};
use crate::store::{
    database::{shared::repeat, stored, unavailable::Unavailable},
    handle::Store,
    log::{
        account_log::{self, Stamped, muted_of_stored, stored_of_muted},
        streams,
    },
    schema::subscriptions,
    topics::membership_change::MembershipChange,
};

/// A changed subscription, as it is announced to its user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriptionChange {
    /// The user.
    pub key: UserKey,
    /// The position of the change in the user's log.
    pub stamped: Stamped,
    /// The subscription after the change.
    pub subscription: Subscription,
}

/// The outcome of a user's request to subscribe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joining {
    /// Subscribed now.
    Joined(SubscriptionChange),
    /// Muted otherwise than before.
    Muted(SubscriptionChange),
    /// It was so before.
    Same(Subscription),
    /// The topic is for members, and the user is none.
    NotAllowed,
    /// The user has as many subscriptions as one may have.
    Full,
}

impl Store {
    /// Subscribes a user whose token covers the topic (`covered`), or who may join by the topic's kind or a membership.
    ///
    /// # Errors
    /// When the database does not answer. A repeat is safe: it finds nothing left to change.
    pub async fn subscribe(
        &self,
        key: &UserKey,
        topic: &Topic,
        covered: bool,
        mute: Mute,
        most: usize,
    ) -> Result<Joining, Unavailable> {
        let _permit = self.shared.permit_for(key).await?;
        repeat!(self.shared, conn => conn.transaction(async |conn| {
            subscribe(conn, key, topic, covered, mute, most).await
        }))
        .map_err(|_| Unavailable)
    }

    /// Subscribes and unsubscribes users without a check of access; answers the changes, or, when nothing was done, the users
    /// at the limit of subscriptions.
    ///
    /// # Errors
    /// When the database does not answer. A repeat is safe.
    pub async fn change_subscribers(
        &self,
        tenant: &Tenant,
        topic: &Topic,
        change: &MembershipChange,
        most: usize,
    ) -> Result<Result<Vec<SubscriptionChange>, Vec<UserId>>, Unavailable> {
        let _turn = self.shared.tenants.acquire(tenant).await?;
        repeat!(self.shared, conn => conn.transaction(async |conn| {
            change_subscribers(conn, tenant, topic, change, most).await
        }))
        .map_err(|_| Unavailable)
    }
}

async fn subscribe(
    conn: &mut AsyncPgConnection,
    key: &UserKey,
    topic: &Topic,
    covered: bool,
    mute: Mute,
    most: usize,
) -> QueryResult<Joining> {
    streams::lock(conn, key).await?;
    let before = find(conn, key, topic).await?;
    if before.is_none() && !covered && !is_let_in(conn, key, topic).await? {
        return Ok(Joining::NotAllowed);
    }
    let user = std::slice::from_ref(&key.user);
    if before.is_none() && !full(conn, &key.tenant, topic, user, most).await?.is_empty() {
        return Ok(Joining::Full);
    }
    let muted = match mute {
        Mute::Keep => before.flatten(),
        Mute::Off => None,
        Mute::Until(until) => Some(stored_of_muted(until)),
    };
    let subscription = Subscription { topic: topic.clone(), subscribed: true, muted_until: muted.map(muted_of_stored) };
    if before == Some(muted) {
        return Ok(Joining::Same(subscription));
    }
    known::ensure(conn, &key.tenant, topic).await?;
    write(conn, key, topic, muted).await?;
    let stamped = account_log::stamp(conn, key, &account_log::of_topic(topic)).await?;
    let change = SubscriptionChange { key: key.clone(), stamped, subscription };
    Ok(if before.is_none() { Joining::Joined(change) } else { Joining::Muted(change) })
}

/// Until when a subscription is muted; none when there is no subscription.
async fn find(conn: &mut AsyncPgConnection, key: &UserKey, topic: &Topic) -> QueryResult<Option<Option<PgTimestamp>>> {
    subscriptions::table
        .find((key.tenant.as_str(), topic.as_str(), key.user.as_str()))
        .select(subscriptions::muted_until)
        .first(conn)
        .await
        .optional()
}

async fn write(
    conn: &mut AsyncPgConnection,
    key: &UserKey,
    topic: &Topic,
    muted: Option<PgTimestamp>,
) -> QueryResult<()> {
    diesel::insert_into(subscriptions::table)
        .values((
            subscriptions::tenant.eq(key.tenant.as_str()),
            subscriptions::topic.eq(topic.as_str()),
            subscriptions::user_id.eq(key.user.as_str()),
            subscriptions::muted_until.eq(muted),
        ))
        .on_conflict((subscriptions::tenant, subscriptions::topic, subscriptions::user_id))
        .do_update()
        .set(subscriptions::muted_until.eq(muted))
        .execute(conn)
        .await
        .map(drop)
}

/// Whether the topic's kind or a membership lets the user join.
async fn is_let_in(conn: &mut AsyncPgConnection, key: &UserKey, topic: &Topic) -> QueryResult<bool> {
    let rules = kinds::rules(conn, &key.tenant, topic.kind()).await?.unwrap_or_default();
    if rules.access != Access::Members {
        return Ok(true);
    }
    members::holds(conn, key, topic).await
}

/// Which of these users would have more subscriptions than one may have if they joined the topic.
async fn full(
    conn: &mut AsyncPgConnection,
    tenant: &Tenant,
    topic: &Topic,
    users: &[UserId],
    most: usize,
) -> QueryResult<Vec<UserId>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        index: i64,
    }
    // The `offset` makes it one look-up for each user, which ends when there are too many.
    let rows: Vec<Row> = sql_query(
        "select index from unnest($3::text[]) with ordinality as asked (user_id, index) where exists ( \
         select from subscriptions as s where s.tenant = $1 and s.user_id = asked.user_id offset $4) and not exists ( \
         select from subscriptions as s where s.tenant = $1 and s.topic = $2 and s.user_id = asked.user_id)",
    )
    .bind::<Text, _>(tenant.as_str())
    .bind::<Text, _>(topic.as_str())
    .bind::<Array<Text>, _>(users.iter().map(UserId::as_str).collect::<Vec<_>>())
    .bind::<BigInt, _>(i64::try_from(most).unwrap_or(i64::MAX) - 1)
    .load(conn)
    .await?;
    rows.into_iter().map(|row| stored::nth(users, row.index).cloned()).collect()
}

async fn change_subscribers(
    conn: &mut AsyncPgConnection,
    tenant: &Tenant,
    topic: &Topic,
    change: &MembershipChange,
    most: usize,
) -> QueryResult<Result<Vec<SubscriptionChange>, Vec<UserId>>> {
    streams::lock_all(conn, tenant.as_str(), &texts(&change.add), &texts(&change.remove)).await?;
    let full = full(conn, tenant, topic, &change.add, most).await?;
    if !full.is_empty() {
        return Ok(Err(full));
    }
    let joined = join(conn, tenant, topic, &change.add).await?;
    let mut changes = stamped(conn, tenant, topic, joined, true).await?;
    changes.extend(leave(conn, tenant, topic, &change.remove).await?);
    Ok(Ok(changes))
}

/// Subscribes users whose streams are locked; answers the new subscribers.
async fn join(
    conn: &mut AsyncPgConnection,
    tenant: &Tenant,
    topic: &Topic,
    users: &[UserId],
) -> QueryResult<Vec<String>> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    known::ensure(conn, tenant, topic).await?;
    let row = |user: &UserId| {
        (
            subscriptions::tenant.eq(tenant.as_str().to_owned()),
            subscriptions::topic.eq(topic.as_str().to_owned()),
            subscriptions::user_id.eq(user.as_str().to_owned()),
        )
    };
    diesel::insert_into(subscriptions::table)
        .values(users.iter().map(row).collect::<Vec<_>>())
        .on_conflict_do_nothing()
        .returning(subscriptions::user_id)
        .get_results(conn)
        .await
}

/// Unsubscribes users whose streams are locked.
pub(crate) async fn leave(
    conn: &mut AsyncPgConnection,
    tenant: &Tenant,
    topic: &Topic,
    users: &[UserId],
) -> QueryResult<Vec<SubscriptionChange>> {
    let all = subscriptions::table
        .filter(subscriptions::tenant.eq(tenant.as_str()))
        .filter(subscriptions::topic.eq(topic.as_str()));
    let left: Vec<String> = diesel::delete(all.filter(subscriptions::user_id.eq_any(texts(users))))
        .returning(subscriptions::user_id)
        .get_results(conn)
        .await?;
    stamped(conn, tenant, topic, left, false).await
}

/// Stamps a change of the subscriptions of users, which come in any order.
async fn stamped(
    conn: &mut AsyncPgConnection,
    tenant: &Tenant,
    topic: &Topic,
    mut users: Vec<String>,
    subscribed: bool,
) -> QueryResult<Vec<SubscriptionChange>> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    users.sort_unstable();
    let users: Vec<UserId> = users.iter().map(|user| stored::parse(user)).collect::<QueryResult<_>>()?;
    let stamped = account_log::stamp_all(conn, tenant, &users, &account_log::of_topic(topic)).await?;
    let subscription = Subscription { topic: topic.clone(), subscribed, muted_until: None };
    let change = |(user, stamped)| SubscriptionChange {
        key: UserKey { tenant: tenant.clone(), user },
        stamped,
        subscription: subscription.clone(),
    };
    Ok(users.into_iter().zip(stamped).map(change).collect())
}

pub(crate) fn texts(users: &[UserId]) -> Vec<&str> {
    users.iter().map(UserId::as_str).collect()
}
