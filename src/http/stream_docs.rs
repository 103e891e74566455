//! The stream in the description of the API; [`super::sse`] serves it.
//!
//! Nothing here runs. The shapes of events are defined here for readers of the description.

use chrono::{DateTime, Utc};
use utoipa::ToSchema;
use uuid::Uuid;

use super::openapi::BadQuery;
use crate::{
    domain::{priority::Priority, timing::DueState, topic::Subscription},
    frame::EndReason,
};

const EXAMPLE: &str = "retry: 2381\n\nevent: hello\ndata: {\"verdict\":\"resumed\",\"cursor\":\"k3f9.1040\",\"missed\":1,\
    \"unread\":7,\"connectionId\":\"0192f0c1-d8e7-7c4b-9a3e-5f6071829304\",\"heartbeatMs\":20000,\
    \"timestamp\":\"2026-11-21T09:00:00.120403Z\"}\n\n\
    id: k3f9.1040\nevent: notification\ndata: {\"id\":\"0192f0c1-d8e7-7c4b-9a3e-5f6071829305\",\"seq\":1040,\
    \"kind\":\"payment_received\",\"category\":\"payments\",\"priority\":\"high\",\"title\":\"Payment received\",\
    \"message\":null,\"data\":null,\"actionUrl\":\"/payment-history\",\"createdAt\":\"2026-11-21T09:00:00Z\",\
    \"expiresAt\":\"2027-02-19T09:00:00Z\",\"readAt\":null,\"archivedAt\":null,\"seenAt\":null,\"unread\":7}\n\n\
    event: heartbeat\ndata: {}\n\n";

/// A change of state of items that are there.
#[derive(ToSchema)]
#[schema(as = StateEvent, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what the stream renders")]
#[expect(clippy::struct_excessive_bools, reason = "each is true or false whatever the others are")]
pub struct State {
    /// Which items.
    ids: Vec<Uuid>,
    /// Whether they are read now.
    read: bool,
    /// Whether they are put away now.
    archived: bool,
    /// Whether they are gone now.
    deleted: bool,
    /// Whether they were seen.
    seen: bool,
    /// Until when they are away from the list; null when they are not.
    #[schema(required)]
    snoozed_until: Option<DateTime<Utc>>,
    /// How far what they ask for is, where they do.
    #[schema(nullable = false)]
    due_state: Option<DueState>,
    /// All unread items.
    unread: i64,
}

/// A change of one of the user's subscriptions.
#[derive(ToSchema)]
#[schema(as = SubscriptionEvent, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what the stream renders")]
pub struct SubscriptionChange {
    /// The subscription as it is now.
    #[schema(inline)]
    #[serde(flatten)]
    subscription: Subscription,
    /// All unread items.
    unread: i64,
}

/// The user's settings changed: fetch them again.
#[derive(ToSchema)]
#[schema(as = SettingsEvent, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what the stream renders")]
pub struct SettingsChange {
    /// All unread items.
    unread: i64,
}

/// An ephemeral event on a topic, or to the user where it names none.
#[derive(ToSchema)]
#[schema(as = SignalEvent, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what the stream renders")]
pub struct Signal {
    /// The topic.
    #[schema(example = "queue:7")]
    topic: Option<String>,
    /// The kind.
    #[schema(example = "metrics_updated")]
    kind: String,
    /// The key of the subject; a newer signal of the same topic, kind and key may have replaced older ones.
    key: String,
    /// The data of the sender.
    data: serde_json::Value,
}

/// The last event: why the stream ends.
#[derive(ToSchema)]
#[schema(as = ByeEvent, rename_all = "camelCase")]
#[expect(dead_code, reason = "describes what the stream renders")]
pub struct Bye {
    /// Why.
    reason: EndReason,
    /// When to come back.
    #[schema(example = 4_200)]
    retry_ms: u64,
}

/// Open the stream.
///
/// Server-Sent Events. The first event is `hello` (`Hello`), with the verdict on the client's cursor. Then follow
/// `notification` (`Item` and `unread`), `state` (`StateEvent`), `subscription`
/// (`SubscriptionEvent`), `settings` (`SettingsEvent`), `signal` (`SignalEvent`) and `heartbeat`. `expiring` comes a minute before
/// the token ends, `bye` (`ByeEvent`) before the server closes.
///
/// Keep the newest `id` as the cursor: `EventSource` does so by itself. A `signal` has no `id`: it may be dropped.
///
/// `EventSource` gives up for good on any answer but 200, so a client that may come back later gets 200, a `retry:` and
/// an end; 401 and 403 are final.
#[utoipa::path(get, path = "/api/notifications/stream", tag = "stream", operation_id = "stream",
    params(
        ("Last-Event-ID" = Option<String>, Header, description = "The cursor; wins over `cursor`"),
        ("cursor" = Option<String>, Query, description = "The cursor of the list or of an earlier stream", example = "k3f9.1042"),
        ("replay" = Option<i64>, Query, description = "Without a cursor: send the newest so many items first", minimum = 0, maximum = 1_000),
        ("kinds" = Option<String>, Query, description = "Only notifications of these kinds: at most 50, separated by commas"),
        ("minPriority" = Option<Priority>, Query, description = "Only notifications of this priority or above"),
        ("signals" = Option<String>, Query, description = "`none`: send no signals; `last`: first send the last value of each kind \
            and key of the user's topics; `all` when absent. `kinds` holds for signals too"),
        ("ticket" = Option<String>, Query, description = "A one-time ticket instead of a token"),
        ("token" = Option<String>, Query, description = "A token, where the server is configured to take it here")),
    responses((status = 200, body = String, content_type = "text/event-stream", description = "The stream", example = json!(EXAMPLE)),
        BadQuery))]
#[expect(dead_code, reason = "has the description of the stream")]
pub fn stream() {}

/// Extend the stream.
///
/// With a fresh token of the same user, in `Authorization`. The open stream then lasts until that token ends.
#[utoipa::path(post, path = "/api/streams/{connectionId}/token", tag = "stream", operation_id = "extendStream",
    params(("connectionId" = String, Path, description = "`connectionId` of the stream's `hello`")),
    responses((status = 204, description = "Extended"),
        (status = 202, description = "Passed on to the other instances: one of them may have the stream"),
        (status = 404, description = "The caller has no such stream",
        body = super::error::Problem, content_type = "application/problem+json")))]
#[expect(dead_code, reason = "has the description of the stream")]
pub fn extend() {}
