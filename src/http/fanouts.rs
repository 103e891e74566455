//! How far publishes to topics and to everyone came.

use actix_web::{
    HttpRequest,
    web::{Data, Json},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Parts, error::ApiError, extract::MayPublish, openapi::NoSuchFanout};
use crate::store::FanoutProgress;

/// Whether a fan-out is still under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum State {
    /// It waits for its first chunk.
    Waiting,
    /// Some have it.
    Running,
    /// All have it.
    Finished,
}

/// How far a fan-out came.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Progress {
    /// The notification.
    pub id: Uuid,
    /// Whether it is still under way.
    pub state: State,
    /// The topics that it goes to.
    #[schema(example = json!(["team:7"]))]
    pub topics: Vec<String>,
    /// Whether it goes to everyone.
    pub everyone: bool,
    /// Inboxes that have it so far, those of named users included.
    pub recipients: i64,
    /// How many users are still to be looked at, some of whom may have it already. It is no more than 10,000 for each topic
    /// and for everyone: see `remainingIsCapped`.
    pub remaining: i64,
    /// True when there are more than `remaining` says, because so many are not counted.
    pub remaining_is_capped: bool,
    /// When it was published.
    pub created_at: DateTime<Utc>,
    /// When the first got it.
    #[schema(required)]
    pub started_at: Option<DateTime<Utc>>,
    /// When the last got it.
    #[schema(required)]
    pub finished_at: Option<DateTime<Utc>>,
}

impl Progress {
    fn of(id: Uuid, progress: FanoutProgress) -> Self {
        let state = match (progress.started_at, progress.finished_at) {
            (_, Some(_)) => State::Finished,
            (Some(_), None) => State::Running,
            (None, None) => State::Waiting,
        };
        Self {
            id,
            state,
            topics: progress.topics,
            everyone: progress.everyone,
            recipients: progress.direct + progress.reached,
            remaining: progress.remaining.users,
            remaining_is_capped: progress.remaining.is_capped,
            created_at: progress.created_at,
            started_at: progress.started_at,
            finished_at: progress.finished_at,
        }
    }
}

/// How far a publish to topics or to everyone came.
///
/// Such a publish is stored when it is answered; its recipients get it behind that answer, some hundreds at a time, those
/// who are connected first. It is known for as long as its notification.
#[utoipa::path(get, path = "/api/fanouts/{notificationId}", tag = "publishing", operation_id = "fanout",
    params(("notificationId" = Uuid, Path, description = "The id that the publish was answered with")),
    responses((status = 200, body = Progress, description = "How far it came"), NoSuchFanout))]
pub async fn progress(
    MayPublish(caller): MayPublish,
    request: HttpRequest,
    parts: Data<Parts>,
) -> Result<Json<Progress>, ApiError> {
    let id = request.match_info().get("notificationId").and_then(|text| text.parse().ok());
    let id: Uuid = id.ok_or(ApiError::NoSuchFanout)?;
    let progress = parts.store.fanout_progress(&caller.key.tenant, id).await?.ok_or(ApiError::NoSuchFanout)?;
    Ok(Json(Progress::of(id, progress)))
}
