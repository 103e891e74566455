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

/// A fan-out for a user who does not have its notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreached {
    /// The notification.
    pub about: About,
    /// The topics that it goes to.
    pub topics: Vec<String>,
    /// Whether the user caused it, and so is no recipient.
    pub is_actor: bool,
    /// The stage of the fan-out for the user.
    pub stage: UserStage,
    /// Whether the notification expired before the fan-out was complete.
    pub expired: bool,
    /// Whether its publisher took it back.
    pub retracted: bool,
}

/// The stage of a fan-out for a user, by the present subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UserStage {
    /// There is none: it goes neither to everyone nor to a topic that the user is subscribed to.
    Never,
    /// It is still to come.
    Ahead,
    /// It is over.
    Passed,
}

impl Store {
    /// A tenant's fan-out with the view of a user, whether the user has its notification or not; none when there is no such
    /// fan-out.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn unreached(&self, key: &UserKey, id: Uuid) -> Result<Option<Unreached>, Unavailable> {
        self.shared.once(async |conn| unreached(conn, key, id).await).await
    }
}

/// The notification of a fan-out, and when the fan-out ended.
#[derive(Queryable)]
struct FanoutContent {
    kind: String,
    category: Option<String>,
    priority: i16,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    topics: Option<Vec<String>>,
    finished_at: Option<DateTime<Utc>>,
    retracted: bool,
}

async fn unreached(conn: &mut AsyncPgConnection, key: &UserKey, id: Uuid) -> QueryResult<Option<Unreached>> {
    let row: Option<(Job, FanoutContent)> = fanouts::table
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
                notifications::retracted_at.is_not_null(),
            ),
        ))
        .first(conn)
        .await
        .optional()?;
    let Some((job, content)) = row else { return Ok(None) };
    let topics = content.topics.unwrap_or_default();
    let stages = stages(conn, key, &job, &topics).await?;
    // By the stage, then by the user, as chunks go; users are in byte order there too.
    let is_ahead = |stage: &i16| (job.stage, job.after_user.as_str()) < (*stage, key.user.as_str());
    let stage = match content.finished_at {
        _ if stages.is_empty() => UserStage::Never,
        None if stages.iter().any(is_ahead) => UserStage::Ahead,
        _ => UserStage::Passed,
    };
    Ok(Some(Unreached {
        about: About {
            kind: content.kind,
            category: content.category,
            priority: stored::priority(content.priority)?,
            created_at: content.created_at,
        },
        topics,
        is_actor: job.actor.as_deref() == Some(key.user.as_str()),
        stage,
        expired: content.finished_at.is_some_and(|time| time >= content.expires_at),
        retracted: content.retracted,
    }))
}

/// The stages of a fan-out that include the user, by the present subscriptions.
async fn stages(conn: &mut AsyncPgConnection, key: &UserKey, job: &Job, topics: &[String]) -> QueryResult<Vec<i16>> {
    let subscribed: Vec<String> = subscriptions::table
        .filter(subscriptions::tenant.eq(key.tenant.as_str()))
        .filter(subscriptions::user_id.eq(key.user.as_str()))
        .filter(subscriptions::topic.eq_any(topics))
        .select(subscriptions::topic)
        .load(conn)
        .await?;
    let includes = |topic: Option<&String>| topic.map_or(job.everyone, |topic| subscribed.contains(topic));
    // One beyond the last topic is everyone.
    let stages = topics.iter().map(Some).chain([None]).zip(1..);
    Ok(stages.filter(|(topic, _)| includes(*topic)).map(|(_, stage)| stage).collect())
}
