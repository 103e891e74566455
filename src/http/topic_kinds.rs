//! Kinds of topics: who may join, and the other rules of all topics of a kind. For administrators.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Json, Payload},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Parts,
    body::{self, Bound},
    error::{ApiError, FieldError},
    extract::{Admin, KindName},
    openapi::{BadBody, BadPath, BadSyntax, BadType, LargeBody, NoSuchTopicKind},
};
use crate::domain::topic::{Access, Rules};

const BODY: Bound = Bound::bytes("topic_kind_bytes", 4 * 1024);
/// Most kinds of a tenant.
const MOST_KINDS: i64 = 1_000;
const MOST_INTERVAL_MS: u64 = 60_000;

/// The kinds that are registered.
#[derive(Debug, Serialize, ToSchema)]
pub struct TopicKinds {
    /// By name; at most 1,000.
    pub kinds: Vec<NamedKind>,
}

/// A kind of topics.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TopicKind)]
pub struct NamedKind {
    /// The part of a topic before its first colon.
    #[schema(example = "team")]
    pub kind: String,
    /// The rules.
    #[serde(flatten)]
    pub rules: KindRules,
}

/// The rules of all topics of a kind.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = TopicKindRules)]
pub struct KindRules {
    /// The users who may join; topics of kinds that are not registered have the access `members`.
    pub access: Access,
    /// A reader gets signals of one key no faster than this.
    #[serde(default)]
    #[schema(minimum = 0, maximum = 60_000)]
    pub signal_interval_ms: i64,
    /// Whether connected subscribers get signals about each other.
    #[serde(default = "yes")]
    pub presence: bool,
}

fn yes() -> bool {
    true
}

impl From<Rules> for KindRules {
    fn from(rules: Rules) -> Self {
        let interval = i64::try_from(rules.signal_interval.as_millis()).unwrap_or(i64::MAX);
        Self { access: rules.access, signal_interval_ms: interval, presence: rules.presence }
    }
}

impl KindRules {
    fn checked(&self) -> Result<Rules, ApiError> {
        let interval = u64::try_from(self.signal_interval_ms).ok().filter(|interval| *interval <= MOST_INTERVAL_MS);
        let interval = interval.ok_or_else(|| {
            let detail = format!("must be a whole number from 0 to {MOST_INTERVAL_MS}");
            ApiError::Invalid(vec![FieldError::body("/signalIntervalMs", detail)])
        })?;
        Ok(Rules { access: self.access, signal_interval: Duration::from_millis(interval), presence: self.presence })
    }
}

/// List kinds of topics.
#[utoipa::path(get, path = "/api/topic-kinds", tag = "administration", operation_id = "topicKinds",
    responses((status = 200, body = TopicKinds, description = "All that are registered")))]
pub async fn list(Admin(caller): Admin, parts: Data<Parts>) -> Result<Json<TopicKinds>, ApiError> {
    let kinds = parts.store.topic_kinds(&caller.key.tenant).await?;
    let named = |(kind, rules): (String, Rules)| NamedKind { kind, rules: rules.into() };
    Ok(Json(TopicKinds { kinds: kinds.into_iter().map(named).collect() }))
}

/// Look at a kind of topics.
#[utoipa::path(get, path = "/api/topic-kinds/{kind}", tag = "administration", operation_id = "topicKind",
    params(("kind" = String, Path, description = "The kind")),
    responses((status = 200, body = NamedKind, description = "The kind"), BadPath, NoSuchTopicKind))]
pub async fn get(
    Admin(caller): Admin,
    KindName(kind): KindName,
    parts: Data<Parts>,
) -> Result<Json<NamedKind>, ApiError> {
    let rules = parts.store.topic_rules(&caller.key.tenant, kind.as_str()).await?;
    let rules = rules.ok_or(ApiError::NoSuchTopicKind)?.into();
    Ok(Json(NamedKind { kind: kind.into(), rules }))
}

/// Register a kind of topics.
///
/// Subscribers stay subscribed, even if the new rules would not let them join.
#[utoipa::path(put, path = "/api/topic-kinds/{kind}", tag = "administration", operation_id = "putTopicKind",
    params(("kind" = String, Path, description = "The kind")), request_body = KindRules,
    responses((status = 200, body = NamedKind, description = "The kind"), BadPath, BadSyntax, BadType, LargeBody, BadBody))]
pub async fn put(
    Admin(caller): Admin,
    KindName(kind): KindName,
    request: HttpRequest,
    payload: Payload,
    parts: Data<Parts>,
) -> Result<Json<NamedKind>, ApiError> {
    let given: KindRules = body::json(&request, payload, BODY).await?;
    let rules = given.checked()?;
    if !parts.store.put_topic_kind(&caller.key.tenant, &kind, &rules, MOST_KINDS).await? {
        return Err(ApiError::TooLarge { limit: "topic_kinds", most: MOST_KINDS as usize, unit: "kinds of topics" });
    }
    Ok(Json(NamedKind { kind: kind.into(), rules: rules.into() }))
}

/// Forget a kind of topics.
///
/// Only members may join its topics then.
#[utoipa::path(delete, path = "/api/topic-kinds/{kind}", tag = "administration", operation_id = "removeTopicKind",
    params(("kind" = String, Path, description = "The kind")),
    responses((status = 204, description = "Not registered now"), BadPath))]
pub async fn remove(
    Admin(caller): Admin,
    KindName(kind): KindName,
    parts: Data<Parts>,
) -> Result<HttpResponse, ApiError> {
    parts.store.remove_topic_kind(&caller.key.tenant, &kind).await?;
    Ok(HttpResponse::NoContent().finish())
}
