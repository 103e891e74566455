//! A summary of the caller's inbox, and items that are due soon.

use std::collections::BTreeMap;

use actix_web::{HttpRequest, HttpResponse, web::Data};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    Parts,
    error::ApiError,
    etag::{self, Known},
    extract::Caller,
    openapi::{BadQuery, NotModified},
    query::Params,
};
use crate::{
    domain::{priority::Priority, text::KIND_BYTES},
    frame::item_json::Item,
    store,
};

const DEFAULT_LIMIT: i64 = 10;
const MOST_ITEMS: i64 = 50;
/// Most callbacks of one answer.
const CALLBACKS: usize = 100;
const CALLBACK_CATEGORY: &str = "callbacks";

/// The summary of an inbox.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Summary<'a> {
    /// The most urgent first: by priority, then due items by their time, then the rest from the newest.
    notifications: Vec<Item<'a>>,
    /// All unread items, relevant or not.
    #[schema(example = 7)]
    unread_count: i64,
    /// How many are relevant, by category (`other` without one); those overdue apart, as `overdue<Category>`.
    #[schema(example = json!({"system": 1, "callbacks": 1, "overdueCallbacks": 1, "missedCalls": 1}))]
    breakdown: BTreeMap<String, i64>,
    /// False when there is more than the 500 unread and the 500 due items that one answer looks through.
    is_exact: bool,
    /// The stream's position of this answer.
    #[schema(example = "k3f9.1042")]
    cursor: String,
}

/// The items that are due soon.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DueCallbacks {
    /// The soonest first, so the longest overdue.
    callbacks: Vec<Callback>,
    /// Whether more follow, or may.
    has_more: bool,
}

/// Something that is due within a day, or overdue.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Callback {
    /// The item.
    id: Uuid,
    /// Plain text, short.
    title: String,
    /// Plain text below the title.
    #[schema(required)]
    message: Option<String>,
    /// How much it matters.
    priority: Priority,
    /// When it is due.
    due_at: DateTime<Utc>,
    /// Whether that has passed.
    overdue: bool,
    /// Minutes until it is due, begun ones counted; absent when it is overdue.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 30)]
    minutes_left: Option<i64>,
    /// Whole minutes since it was due; absent when it is not overdue.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 120)]
    minutes_late: Option<i64>,
    /// `contact` of its data.
    #[schema(required, value_type = Value)]
    contact: Value,
    /// `campaign` of its data.
    #[schema(required, value_type = Value)]
    campaign: Value,
    /// The address that a click opens.
    #[schema(required)]
    action_url: Option<String>,
    /// Data of the publisher for its clients.
    #[schema(required, value_type = Value)]
    data: Option<Value>,
}

impl From<store::Callback> for Callback {
    fn from(due: store::Callback) -> Self {
        let of_data = |name: &str| due.data.as_ref().and_then(|data| data.get(name)).cloned().unwrap_or_default();
        let (minutes, overdue) = (due.seconds_left / 60.0, due.seconds_left <= 0.0);
        Self {
            contact: of_data("contact"),
            campaign: of_data("campaign"),
            id: due.id,
            title: due.title,
            message: due.body,
            priority: due.priority,
            due_at: due.due_at,
            overdue,
            minutes_left: (!overdue).then_some(minutes.ceil() as i64),
            minutes_late: overdue.then_some((-minutes).floor() as i64),
            action_url: due.action_url,
            data: due.data,
        }
    }
}

/// Summarise the inbox.
///
/// It lists items that are due within 24 hours or overdue, read or not, and unread items. Missed calls (category `missedCalls`)
/// older than four hours are left out; administrators set that by category (`relevance` of the tenant's settings).
#[utoipa::path(get, path = "/api/notifications/summary", tag = "inbox", operation_id = "summary",
    params(
        ("limit" = Option<i64>, Query, description = "Most items to show; 10 when absent. All are counted", minimum = 1, maximum = 50),
        ("If-None-Match" = Option<String>, Header, description = "The ETag of an earlier answer")),
    responses((status = 200, body = Summary, description = "The summary", headers(
        ("ETag" = String, description = "Names this answer"))), NotModified, BadQuery))]
pub async fn summary(
    Caller(caller): Caller,
    request: HttpRequest,
    parts: Data<Parts>,
) -> Result<HttpResponse, ApiError> {
    let mut params = Params::parse(request.query_string());
    let limit = params.number("limit", 1, MOST_ITEMS).unwrap_or(DEFAULT_LIMIT);
    params.finish()?;
    let known = Known::of(&request)?;
    let relevance = parts.kinds.defaults(&caller.key.tenant).relevance_in_force();
    let summary = parts.store.summary(&caller.key, limit, &relevance).await?;
    let shown = Summary {
        notifications: summary.items.iter().map(Item::from).collect(),
        unread_count: summary.unread,
        breakdown: summary.breakdown,
        is_exact: summary.is_exact,
        cursor: summary.cursor.to_string(),
    };
    etag::polled_by_content(&known, &shown)
}

/// List items that are due soon.
///
/// Items of a category that are due within 24 hours or overdue and neither done nor acknowledged, with the minutes left or late.
#[utoipa::path(get, path = "/api/notifications/due-callbacks", tag = "inbox", operation_id = "dueCallbacks",
    params(
        ("category" = Option<String>, Query, description = "Another category than `callbacks`", max_length = 64),
        ("If-None-Match" = Option<String>, Header, description = "The ETag of an earlier answer")),
    responses((status = 200, body = DueCallbacks, description = "The items that are due soon", headers(
        ("ETag" = String, description = "Names this answer, with its minutes"))), NotModified, BadQuery))]
pub async fn due_callbacks(
    Caller(caller): Caller,
    request: HttpRequest,
    parts: Data<Parts>,
) -> Result<HttpResponse, ApiError> {
    let mut params = Params::parse(request.query_string());
    let name = |text: &str| (1..=KIND_BYTES).contains(&text.len()).then(|| text.to_owned());
    let category = params.checked("category", "must be 1 to 64 bytes", name);
    params.finish()?;
    let known = Known::of(&request)?;
    let category = category.as_deref().unwrap_or(CALLBACK_CATEGORY);
    let due = parts.store.due(&caller.key, category, CALLBACKS).await?;
    let callbacks = due.callbacks.into_iter().map(Callback::from).collect();
    etag::polled_by_content(&known, &DueCallbacks { callbacks, has_more: due.has_more })
}
