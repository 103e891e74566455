//! The JSON that clients see in more than one place: the list, the stream and the documents about them.
//!
//! Rendering only: nothing here is ever read back.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    audience::Reason,
    channel::{Channel, Decision},
    notification::{Content, InboxItem, Priority, Seq},
    topic::Topic,
};

/// One notification with its user's state.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Item<'a> {
    /// The notification's id (`UUIDv7`).
    pub id: Uuid,
    /// When it arrived, as a position in the user's log.
    pub seq: Seq,
    /// What happened.
    #[schema(example = "payment_received")]
    pub kind: &'a str,
    /// The group of kinds that a user sets preferences for.
    #[schema(required, example = "payments")]
    pub category: Option<&'a str>,
    /// How much it matters.
    pub priority: Priority,
    /// Plain text, short.
    #[schema(example = "Payment received")]
    pub title: &'a str,
    /// Plain text below the title.
    #[schema(required, example = "120.00 EUR from Example Ltd.")]
    pub message: Option<&'a str>,
    /// Whatever the publisher put there.
    #[schema(required, value_type = Value)]
    pub data: Option<&'a Value>,
    /// Where a click leads: an absolute http or https URL, or a path.
    #[schema(required, example = "/payment-history")]
    pub action_url: Option<&'a str>,
    /// Why it is in this inbox: `direct` (the publish named the user), `topic`, `everyone` or `rule`.
    #[schema(example = "topic")]
    pub reason: &'static str,
    /// With the reason `topic`, and only then: the first of the publish's topics that the user is subscribed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "team:7")]
    pub topic: Option<&'a str>,
    /// The channels that it took to this user, of `inbox`, `toast`, `browser`, `push`, `email` and `sms`: a page shows a toast, or
    /// a notification of the browser, when they are among them.
    #[schema(value_type = Vec<Channel>, example = json!(["inbox", "toast"]))]
    pub channels: Decision,
    /// Name of an icon, if the kind has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "wallet")]
    pub icon: Option<&'a str>,
    /// What the button says that leads to `actionUrl`, if the kind has words for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "View payment")]
    pub action_label: Option<&'a str>,
    /// Name of a sound, if the kind has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "coin")]
    pub sound: Option<&'a str>,
    /// When it was published.
    pub created_at: DateTime<Utc>,
    /// When it leaves the inbox by itself.
    pub expires_at: DateTime<Utc>,
    /// When the user read it.
    #[schema(required)]
    pub read_at: Option<DateTime<Utc>>,
    /// When the user archived it.
    #[schema(required)]
    pub archived_at: Option<DateTime<Utc>>,
}

impl<'a> Item<'a> {
    /// An item as it arrives: neither read nor archived.
    pub fn arriving(
        id: Uuid,
        seq: Seq,
        content: &'a Content,
        reason: &'a Reason,
        decision: Decision,
        created_at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            seq,
            kind: &content.kind,
            category: content.category.as_deref(),
            priority: content.priority,
            title: &content.title,
            message: content.message.as_deref(),
            data: content.data.as_ref(),
            action_url: content.action_url.as_deref(),
            reason: reason.as_str(),
            topic: reason.topic().map(Topic::as_str),
            channels: decision,
            icon: content.presentation.icon.as_deref(),
            action_label: content.presentation.action_label.as_deref(),
            sound: content.presentation.sound.as_deref(),
            created_at,
            expires_at,
            read_at: None,
            archived_at: None,
        }
    }
}

impl<'a> From<&'a InboxItem> for Item<'a> {
    fn from(item: &'a InboxItem) -> Self {
        let InboxItem { id, seq, content, reason, decision, created_at, expires_at, read_at, archived_at, .. } = item;
        let arrived = Self::arriving(*id, *seq, content, reason, *decision, *created_at, *expires_at);
        Self { read_at: *read_at, archived_at: *archived_at, ..arrived }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notification::Presentation;

    #[test]
    fn an_item_keeps_its_nulls_and_speaks_camel_case() {
        let item = InboxItem {
            id: Uuid::nil(),
            seq: 7,
            content: Content {
                kind: "payment_received".into(),
                category: None,
                priority: Priority::High,
                title: "Paid".into(),
                message: None,
                data: Some(serde_json::json!({"amount": 120})),
                action_url: Some("/payments".into()),
                presentation: Presentation { icon: Some("wallet".into()), ..Presentation::default() },
            },
            reason: Reason::Topic("team:7".parse().unwrap()),
            decision: Decision::PLAIN,
            created_at: DateTime::UNIX_EPOCH,
            expires_at: DateTime::UNIX_EPOCH,
            read_at: None,
            archived_at: None,
            seen_at: None,
            snoozed_until: None,
            due: None,
            thread_key: None,
            count: 1,
        };
        assert_eq!(
            serde_json::to_value(Item::from(&item)).unwrap(),
            serde_json::json!({
                "id": "00000000-0000-0000-0000-000000000000", "seq": 7, "kind": "payment_received", "category": null,
                "priority": "high", "title": "Paid", "message": null, "data": {"amount": 120},
                "actionUrl": "/payments", "reason": "topic", "topic": "team:7", "channels": ["inbox", "toast"],
                "icon": "wallet", "createdAt": "1970-01-01T00:00:00Z", "expiresAt": "1970-01-01T00:00:00Z",
                "readAt": null, "archivedAt": null,
            })
        );
    }
}
