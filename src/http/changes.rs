//! Long polling: the stream for clients that cannot stream.

use std::time::{Duration, Instant};

use actix_web::{HttpRequest, HttpResponse, web::Data};
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Parts,
    error::ApiError,
    etag::{self, Known},
    extract::Caller,
    openapi::{BadQuery, NotModified},
    opening,
    query::Params,
    sse,
};
use crate::{
    auth::Rejected,
    frame::{ResetReason, Verdict},
    live::connection::{Event, Request, Signals},
};

/// Longest wait, in seconds: proxies often give up on a silent request after a minute.
const WAIT: i64 = 60;

/// The changes after a cursor.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Changes {
    /// The verdict on the cursor.
    verdict: Verdict,
    /// Why it is a reset.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<ResetReason>,
    /// Changes since the cursor, when the question came.
    missed: i64,
    /// All unread items.
    unread: i64,
    /// The position at which the answer ends: the cursor of the next request.
    #[schema(example = "k3f9.1042")]
    cursor: String,
    /// The events that the stream would have sent, in order: `notification` (`Item` and `unread`), `state` (`StateEvent`),
    /// `subscription` (`SubscriptionEvent`), `settings` (`SettingsEvent`).
    events: Vec<Event>,
    /// The answer is full and more follows: ask again at once.
    has_more: bool,
    /// The server's time of this answer.
    timestamp: DateTime<Utc>,
}

/// Wait for changes.
///
/// The stream for clients that cannot stream: the same cursor, verdicts, order and filters. A question without a cursor is answered at
/// once with one to go on from; a `reset` says to reload the list and names one as well. An answer may come sooner than asked
/// for without events, as when the token ends or the instance goes away: ask again. Open questions count as streams do.
#[utoipa::path(get, path = "/api/notifications/changes", tag = "stream", operation_id = "changes",
    params(
        ("cursor" = Option<String>, Query, description = "The cursor of the list, of a stream or of the answer before", example = "k3f9.1042"),
        ("wait" = Option<i64>, Query, description = "While nothing follows, how many seconds to wait; 0 when absent", minimum = 0, maximum = 60),
        ("kinds" = Option<String>, Query, description = "Only notifications of these kinds: at most 50, separated by commas"),
        ("minPriority" = Option<crate::domain::priority::Priority>, Query, description = "Only notifications of this priority or above"),
        ("If-None-Match" = Option<String>, Header, description = "The cursor as an ETag: 304 instead of an answer without news", example = "\"k3f9.1042\"")),
    responses((status = 200, body = Changes, description = "The changes", headers(
        ("ETag" = String, description = "`cursor`"))), NotModified, BadQuery))]
pub async fn changes(
    Caller(caller): Caller,
    request: HttpRequest,
    parts: Data<Parts>,
) -> Result<HttpResponse, ApiError> {
    let mut params = Params::parse(request.query_string());
    let (cursor, filter) = (params.text("cursor"), sse::read_filter(&mut params));
    let wait = params.number("wait", 0, WAIT).unwrap_or(0).unsigned_abs();
    params.finish()?;
    let known = Known::of(&request)?;
    // No leeway here: the connection ends with its token, and a client that asks again at once would do so without rest.
    if caller.expires_at <= Utc::now() {
        return Err(Rejected::Expired.into());
    }
    let asked = Request { cursor, filter, signals: Signals::None, ..Request::default() };
    let key = caller.key.clone();
    let opened = opening::open(&parts, caller, asked).await.map_err(|reason| reason.refusal(&parts))?;
    let opened_at = Instant::now();
    let polled = opened.poll(&parts.store, Duration::from_secs(wait)).await.ok_or(ApiError::Internal)?;
    let hello = polled.hello;
    if hello.verdict == Verdict::Resumed && polled.events.is_empty() && known.has(&polled.cursor) {
        return Ok(etag::unchanged(&polled.cursor));
    }
    let unread = if polled.outlived_hello { parts.store.unread(&key).await? } else { hello.unread };
    let shown = Changes {
        verdict: hello.verdict,
        reason: hello.reason,
        missed: hello.missed,
        unread,
        cursor: polled.cursor.clone(),
        events: polled.events,
        has_more: polled.has_more,
        timestamp: hello.timestamp + opened_at.elapsed(),
    };
    Ok(etag::tagged(&polled.cursor).json(shown))
}
