//! Presence: the users who are connected.

use actix_web::{
    HttpRequest,
    web::{Data, Json},
};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Parts,
    error::{ApiError, FieldError},
    extract::Caller,
    openapi::BadQuery,
    query::Params,
};
use crate::{
    auth::Identity,
    domain::{signal::TopicKey, topic::Topic, user::USER_ID_BYTES},
    store::Present,
};

const LIMIT: i64 = 50;
const MOST: i64 = 1_000;

/// Present users.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Roster {
    /// The topic, if one was asked for.
    #[schema(required, example = "team:7")]
    topic: Option<String>,
    /// How many are present in all: a second old at most, or 25 us for each subscriber if that is more.
    online: i64,
    /// Some of them, by id.
    users: Vec<PresentUser>,
    /// To be given as `after` for those that follow; none at the end.
    #[schema(required)]
    next_page: Option<String>,
}

/// A user who is present.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PresentUser {
    /// The user.
    user: String,
    /// Since when.
    since: DateTime<Utc>,
    /// Open streams on all instances; none while the user may be about to come back.
    connections: i64,
}

impl From<Present> for PresentUser {
    fn from(present: Present) -> Self {
        Self { user: present.user.into(), since: present.since, connections: present.connections }
    }
}

/// List present users.
///
/// Of a topic's subscribers, for callers that are subscribed to it and for publishers; of the whole tenant for administrators.
/// A user whose last stream ended some seconds ago counts as present, because clients reconnect.
#[utoipa::path(get, path = "/api/presence", tag = "signals", operation_id = "presence",
    params(
        ("topic" = Option<String>, Query, description = "The topic; without it the whole tenant", example = "team:7"),
        ("limit" = Option<i64>, Query, description = "Most users to list; 50 when absent", minimum = 0, maximum = 1_000),
        ("after" = Option<String>, Query, description = "`nextPage` of an earlier answer")),
    responses((status = 200, body = Roster, description = "The present users"), BadQuery))]
pub async fn list(Caller(caller): Caller, request: HttpRequest, parts: Data<Parts>) -> Result<Json<Roster>, ApiError> {
    let mut params = Params::parse(request.query_string());
    let topic: Option<Topic> = params.parsed("topic", "must be a topic such as team:7");
    let limit = params.number("limit", 0, MOST).unwrap_or(LIMIT);
    let fits = |text: &str| (text.len() <= USER_ID_BYTES).then(|| text.to_owned());
    let after = params.checked("after", "must be the nextPage of an earlier answer", fits).unwrap_or_default();
    params.finish()?;
    let tenant = &caller.key.tenant;
    let key = topic.map(|topic| TopicKey { tenant: tenant.clone(), topic });
    admit(&parts, &caller, key.as_ref()).await?;
    let online = parts.presence.online(tenant, key.as_ref()).await?;
    // One more than asked for shows whether further ones follow.
    let mut users = parts.presence.users(tenant, key.as_ref(), &after, limit + 1).await?;
    let more = users.len() as i64 > limit; // it is 0 to 1,000
    users.truncate(limit as usize);
    let next_page = users.last().filter(|_| more).map(|last| last.user.clone().into());
    let topic = key.map(|key| key.topic.into());
    Ok(Json(Roster { topic, online, users: users.into_iter().map(PresentUser::from).collect(), next_page }))
}

/// Whether the caller may ask.
async fn admit(parts: &Parts, caller: &Identity, topic: Option<&TopicKey>) -> Result<(), ApiError> {
    let Some(topic) = topic else {
        return if caller.admin { Ok(()) } else { Err(ApiError::MissingScope("admin")) };
    };
    let facts = parts.store.topic_facts(topic, Some(&caller.key.user)).await?;
    if !(caller.publish || caller.admin) {
        return if facts.subscribed { Ok(()) } else { Err(ApiError::NotSubscribed) };
    }
    if facts.known {
        return Ok(());
    }
    Err(ApiError::BadQuery(vec![FieldError::query("topic", format!("there is no topic {}", topic.topic))]))
}
