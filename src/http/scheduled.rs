//! Publishes that wait: see, change and call off.

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

/// A publish that waits.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// The notification's id.
    pub id: Uuid,
    /// When it is delivered.
    pub deliver_at: DateTime<Utc>,
    /// Whom it names.
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
    /// Whatever the publisher put there.
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

/// One page of what waits.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WaitingPage {
    /// Soonest first.
    pub scheduled: Vec<Waiting>,
    /// What to give as `page` for those after them, if there may be any.
    #[schema(required)]
    pub next_page: Option<String>,
}

impl From<Scheduled> for Waiting {
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

/// List what waits.
///
/// The tenant's publishes with a `deliverAt` that has not come, soonest first.
#[utoipa::path(get, path = "/api/scheduled", tag = "publishing", operation_id = "listScheduled",
    params(
        ("limit" = Option<i64>, Query, description = "Most of this answer; 20 when absent", minimum = 1, maximum = 100),
        ("page" = Option<String>, Query, description = "`nextPage` of an earlier answer")),
    responses((status = 200, body = WaitingPage, description = "One page"), BadQuery))]
pub async fn list(
    MayPublish(caller): MayPublish,
    request: HttpRequest,
    parts: Data<Parts>,
) -> Result<Json<WaitingPage>, ApiError> {
    let mut params = Params::parse(request.query_string());
    let limit = params.number("limit", 1, MOST_ITEMS).unwrap_or(DEFAULT_LIMIT);
    let after = params.checked("page", "must be nextPage of an earlier answer", parse_page);
    params.finish()?;
    let found = parts.store.scheduled(&caller.key.tenant, after, limit).await?;
    let full = usize::try_from(limit).is_ok_and(|limit| found.len() == limit);
    let next_page = found.last().filter(|_| full).map(|last| page_of(last.deliver_at, last.id));
    Ok(Json(WaitingPage { scheduled: found.into_iter().map(Waiting::from).collect(), next_page }))
}

/// Look at one that waits.
///
/// It is named by its notification's id or by its idempotency key.
#[utoipa::path(get, path = "/api/scheduled/{id}", tag = "publishing", operation_id = "getScheduled",
    params(("id" = String, Path, description = "The id that the publish was answered with, or its idempotency key")),
    responses((status = 200, body = Waiting, description = "It"), NoSuchScheduled, NoLongerScheduled))]
pub async fn get(
    MayPublish(caller): MayPublish,
    request: HttpRequest,
    parts: Data<Parts>,
) -> Result<Json<Waiting>, ApiError> {
    Ok(Json(parts.store.scheduled_one(&caller.key.tenant, &name(&request)?).await?.into()))
}

/// Change one that waits.
///
/// Until its time has come. Whom it goes to stays: call it off and publish another.
#[utoipa::path(patch, path = "/api/scheduled/{id}", tag = "publishing", operation_id = "changeScheduled",
    params(("id" = String, Path, description = "The id that the publish was answered with, or its idempotency key")),
    request_body = message::AmendmentBody,
    responses((status = 200, body = Waiting, description = "As it is now"),
        NoSuchScheduled, NoLongerScheduled, BadSyntax, BadType, LargeBody, BadBody))]
pub async fn change(
    MayPublish(caller): MayPublish,
    request: HttpRequest,
    payload: Payload,
    parts: Data<Parts>,
) -> Result<Json<Waiting>, ApiError> {
    let name = name(&request)?;
    let bound = Bound::bytes("body_bytes", parts.settings.publish.body_bytes);
    let types = &["application/json", "application/merge-patch+json"];
    let wanted = Wanted { types, types_text: "application/json or application/merge-patch+json", bound };
    let body = body::read(&request, payload, wanted).await?;
    body::check_object(&body)?;
    let amendment = message::parse_amendment(&body)?;
    Ok(Json(parts.store.amend(&caller.key.tenant, &name, &amendment).await?.into()))
}

/// Call off what is still to come.
///
/// The delivery of one that waits; of one that was delivered and is due, its reminders and escalation: items stay where they are.
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

/// What the path names: an id or an idempotency key.
fn name(request: &HttpRequest) -> Result<String, ApiError> {
    let text = percent_decode_str(request.match_info().get("id").unwrap_or_default()).decode_utf8();
    let name = text.map_err(|_| ApiError::BadPath("id", "it is not UTF-8"))?;
    // What is no key is none of any publish.
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
