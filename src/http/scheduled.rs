//! Scheduled publishes: list, read, change and cancel.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Json, Payload},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Parts,
    body::{self, Bound, Wanted},
    error::ApiError,
    extract::MayPublish,
    openapi::{BadBody, BadQuery, BadSyntax, BadType, LargeBody, NoLongerScheduled, NoSuchScheduled},
    query::Params,
};
use crate::{domain::priority::Priority, message, store::Scheduled};

const DEFAULT_LIMIT: i64 = 20;
const MOST_ITEMS: i64 = 100;

/// A scheduled publish.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduledPublish {
    /// The notification's id.
    pub id: Uuid,
    /// When it is delivered.
    pub deliver_at: DateTime<Utc>,
    /// The users that it names.
    pub users: Vec<String>,
    /// Topics that it goes to.
    pub topics: Vec<String>,
    /// Whether it goes to everyone.
    pub everyone: bool,
    /// What happened.
    pub kind: String,
    /// The group of kinds.
    #[schema(required)]
    pub category: Option<String>,
    /// How much it matters.
    pub priority: Priority,
    /// One line.
    pub title: String,
    /// The text below the title.
    #[schema(required)]
    pub message: Option<String>,
    /// Free data of the publisher.
    #[schema(required, value_type = Value)]
    pub data: Option<Value>,
    /// Where a click leads.
    #[schema(required)]
    pub action_url: Option<String>,
    /// An image that belongs to it, if any does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub image_url: Option<String>,
    /// The publisher's own name for it.
    #[schema(required)]
    pub idempotency_key: Option<String>,
    /// By when it is to be done.
    #[schema(required)]
    pub due_at: Option<DateTime<Utc>>,
    /// When it leaves inboxes.
    pub expires_at: DateTime<Utc>,
    /// When it was published.
    pub created_at: DateTime<Utc>,
}

/// One page of scheduled publishes.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduledPage {
    /// Soonest first.
    pub scheduled: Vec<ScheduledPublish>,
    /// The value of `page` for the next answer, if there may be one.
    #[schema(required)]
    pub next_page: Option<String>,
}

impl From<Scheduled> for ScheduledPublish {
    fn from(scheduled: Scheduled) -> Self {
        let content = scheduled.content;
        Self {
            id: scheduled.id,
            deliver_at: scheduled.deliver_at,
            users: scheduled.users,
            topics: scheduled.topics,
            everyone: scheduled.everyone,
            priority: content.priority,
            kind: content.kind,
            category: content.category,
            title: content.title,
            message: content.message,
            data: content.data,
            action_url: content.action_url,
            image_url: content.image_url,
            idempotency_key: scheduled.idempotency_key,
            due_at: scheduled.due_at,
            expires_at: scheduled.expires_at,
            created_at: scheduled.created_at,
        }
    }
}

/// List scheduled publishes.
///
/// The tenant's publishes whose `deliverAt` lies ahead, soonest first.
#[utoipa::path(get, path = "/api/scheduled", tag = "publishing", operation_id = "listScheduled",
    params(
        ("limit" = Option<i64>, Query, description = "Most of this answer; 20 when absent", minimum = 1, maximum = 100),
        ("page" = Option<String>, Query, description = "`nextPage` of an earlier answer")),
    responses((status = 200, body = ScheduledPage, description = "One page"), BadQuery))]
pub async fn list(
    MayPublish(caller): MayPublish,
    request: HttpRequest,
    parts: Data<Parts>,
) -> Result<Json<ScheduledPage>, ApiError> {
    let mut params = Params::parse(request.query_string());
    let limit = params.number("limit", 1, MOST_ITEMS).unwrap_or(DEFAULT_LIMIT);
    let after = params.checked("page", "must be nextPage of an earlier answer", parse_page);
    params.finish()?;
    let found = parts.store.scheduled(&caller.key.tenant, after, limit).await?;
    let full = usize::try_from(limit).is_ok_and(|limit| found.len() == limit);
    let next_page = found.last().filter(|_| full).map(|last| page_of(last.deliver_at, last.id));
    Ok(Json(ScheduledPage { scheduled: found.into_iter().map(ScheduledPublish::from).collect(), next_page }))
}

/// Read a scheduled publish.
///
/// The path names it by its notification's id or by its idempotency key.
#[utoipa::path(get, path = "/api/scheduled/{id}", tag = "publishing", operation_id = "getScheduled",
    params(("id" = String, Path, description = "The id that the publish was answered with, or its idempotency key")),
    responses((status = 200, body = ScheduledPublish, description = "The scheduled publish"), NoSuchScheduled, NoLongerScheduled))]
pub async fn get(
    MayPublish(caller): MayPublish,
    request: HttpRequest,
    parts: Data<Parts>,
) -> Result<Json<ScheduledPublish>, ApiError> {
    Ok(Json(parts.store.scheduled_one(&caller.key.tenant, &name(&request)?).await?.into()))
}

/// Change a scheduled publish.
///
/// A change is possible until its time has come. Its recipients cannot change: cancel it and publish another.
#[utoipa::path(patch, path = "/api/scheduled/{id}", tag = "publishing", operation_id = "changeScheduled",
    params(("id" = String, Path, description = "The id that the publish was answered with, or its idempotency key")),
    request_body = message::AmendmentBody,
    responses((status = 200, body = ScheduledPublish, description = "As it is now"),
        NoSuchScheduled, NoLongerScheduled, BadSyntax, BadType, LargeBody, BadBody))]
pub async fn change(
    MayPublish(caller): MayPublish,
    request: HttpRequest,
    payload: Payload,
    parts: Data<Parts>,
) -> Result<Json<ScheduledPublish>, ApiError> {
    let name = name(&request)?;
    let bound = Bound::bytes("body_bytes", parts.settings.publish.body_bytes);
    let types = &["application/json", "application/merge-patch+json"];
    let wanted = Wanted { types, types_text: "application/json or application/merge-patch+json", bound };
    let body = body::read(&request, payload, wanted).await?;
    body::check_object(&body)?;
    let amendment = message::parse_amendment(&body)?;
    Ok(Json(parts.store.amend(&caller.key.tenant, &name, &amendment).await?.into()))
}

/// Cancel what is still to come.
///
/// Of a scheduled publish, that is its delivery. Of a delivered one that is due, it is its reminders and escalation; its items stay.
#[utoipa::path(delete, path = "/api/scheduled/{id}", tag = "publishing", operation_id = "callOff",
    params(("id" = String, Path, description = "The id that the publish was answered with, or its idempotency key")),
    responses((status = 204, description = "Nothing of it is to come"), NoSuchScheduled, NoLongerScheduled))]
pub async fn call_off(
    MayPublish(caller): MayPublish,
    request: HttpRequest,
    parts: Data<Parts>,
) -> Result<HttpResponse, ApiError> {
    parts.store.call_off(&caller.key.tenant, &name(&request)?).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The name in the path: an id or an idempotency key.
fn name(request: &HttpRequest) -> Result<String, ApiError> {
    let text = percent_decode_str(request.match_info().get("id").unwrap_or_default()).decode_utf8();
    let name = text.map_err(|_| ApiError::BadPath("id", "it is not UTF-8"))?;
    // A text that is no key names no publish.
    message::idempotency_key(&name).map_err(|_| ApiError::NoSuchScheduled)?;
    Ok(name.into_owned())
}

/// A page token names the last one before it.
fn page_of(time: DateTime<Utc>, id: Uuid) -> String {
    URL_SAFE_NO_PAD.encode([&time.timestamp_micros().to_be_bytes()[..], id.as_bytes()].concat())
}

fn parse_page(text: &str) -> Option<(DateTime<Utc>, Uuid)> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (time, id) = bytes.split_first_chunk::<8>()?;
    Some((DateTime::from_timestamp_micros(i64::from_be_bytes(*time))?, Uuid::from_slice(id).ok()?))
}
