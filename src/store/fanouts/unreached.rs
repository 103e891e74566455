//! Why a fan-out did not bring its notification to a user, or not yet.

use chrono::{DateTime, Utc};
use diesel::{prelude::*, result::QueryResult};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use uuid::Uuid;

use super::Job;
use crate::{
    domain::user::UserKey,
    store::{
        database::{stored, unavailable::Unavailable},
        handle::Store,
        publish::decided::About,
        schema::{fanouts, notifications, subscriptions},
    },
};

/// How a fan-out stands to a user, if that user does not have its notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreached {
    /// The notification.
    pub about: About,
    /// The topics that it goes to.
    pub topics: Vec<String>,
    /// Whether the user caused it, and so is no recipient.
    pub is_actor: bool,
    /// The user's turn in it.
    pub turn: Turn,
    /// Whether the notification expired before all had their turn.
    pub expired: bool,
}

/// A user's turn in a fan-out, as things are now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// There is none: it goes neither to everyone nor to a topic that the user is subscribed to.
    Never,
    /// It is still to come.
    ToCome,
    /// It is over.
    Over,
}

impl Store {
    /// How a tenant's fan-out stands to a user, whether the user has its notification or not; none when there is no such
    /// fan-out.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn unreached(&self, key: &UserKey, id: Uuid) -> Result<Option<Unreached>, Unavailable> {
        self.shared.once(async |conn| unreached(conn, key, id).await).await
    }
}

/// What a fan-out carries, and when it ended.
#[derive(Queryable)]
struct Cargo {
    kind: String,
    category: Option<String>,
    priority: i16,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    topics: Option<Vec<String>>,
    finished_at: Option<DateTime<Utc>>,
}

async fn unreached(conn: &mut AsyncPgConnection, key: &UserKey, id: Uuid) -> QueryResult<Option<Unreached>> {
    let row: Option<(Job, Cargo)> = fanouts::table
        .inner_join(notifications::table.on(notifications::id.eq(fanouts::notification_id)))
        .filter(fanouts::notification_id.eq(id).and(fanouts::tenant.eq(key.tenant.as_str())))
        .select((
            Job::as_select(),
            (
                notifications::kind,
                notifications::category,
                notifications::priority,
                notifications::created_at,
                notifications::expires_at,
                notifications::topics,
                fanouts::finished_at,
            ),
        ))
        .first(conn)
        .await
        .optional()?;
    let Some((job, cargo)) = row else { return Ok(None) };
    let topics = cargo.topics.unwrap_or_default();
    let stages = stages(conn, key, &job, &topics).await?;
    // By the stage, then by the user, as chunks go; users are in byte order there too.
    let is_ahead = |stage: &i16| (job.stage, job.after_user.as_str()) < (*stage, key.user.as_str());
    let turn = match cargo.finished_at {
        _ if stages.is_empty() => Turn::Never,
        None if stages.iter().any(is_ahead) => Turn::ToCome,
        _ => Turn::Over,
    };
    Ok(Some(Unreached {
        about: About {
            kind: cargo.kind,
            category: cargo.category,
            priority: stored::priority(cargo.priority)?,
            created_at: cargo.created_at,
        },
        topics,
        is_actor: job.actor.as_deref() == Some(key.user.as_str()),
        turn,
        expired: cargo.finished_at.is_some_and(|time| time >= cargo.expires_at),
    }))
}

/// The stages of a fan-out at which the user has a turn, as things are now.
async fn stages(conn: &mut AsyncPgConnection, key: &UserKey, job: &Job, topics: &[String]) -> QueryResult<Vec<i16>> {
    let subscribed: Vec<String> = subscriptions::table
        .filter(subscriptions::tenant.eq(key.tenant.as_str()))
        .filter(subscriptions::user_id.eq(key.user.as_str()))
        .filter(subscriptions::topic.eq_any(topics))
        .select(subscriptions::topic)
        .load(conn)
        .await?;
    let has_turn = |topic: Option<&String>| topic.map_or(job.everyone, |topic| subscribed.contains(topic));
    // One beyond the last topic is everyone.
    let stages = topics.iter().map(Some).chain([None]).zip(1..);
    Ok(stages.filter(|(topic, _)| has_turn(*topic)).map(|(_, stage)| stage).collect())
}
