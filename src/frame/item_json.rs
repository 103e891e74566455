//! The JSON that clients see in more than one place: the list, the stream and the documents about them.
//!
//! Rendering only: nothing here is ever read back.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::domain::{
    audience::Reason,
    channel::{Channel, Decision},
    cursor::Seq,
    notification::{Content, InboxItem},
    priority::Priority,
    timing::DueState,
    topic::Topic,
};

/// One notification with its user's state.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Item<'a> {
    /// The item's id (`UUIDv7`): that of its notification, or of the first that became this item.
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
    /// An image that belongs to it, if any does: an https URL, or a path.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "/avatars/4711.png")]
    pub image_url: Option<&'a str>,
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
    /// When the user saw it.
    #[schema(required)]
    pub seen_at: Option<DateTime<Utc>>,
    /// While it is away from the list, and only then: when it comes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub snoozed_until: Option<DateTime<Utc>>,
    /// By when it was to be done, if anything was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub due_at: Option<DateTime<Utc>>,
    /// With `dueAt`: how far that is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub due_state: Option<DueState>,
    /// The user who acknowledged or did it, if somebody has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "agent-7")]
    pub due_by: Option<&'a str>,
    /// The thread that it belongs to, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "order:4711")]
    pub thread_key: Option<&'a str>,
    /// How many notifications have become this item, when there are several; it shows the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = 3)]
    pub count: Option<i32>,
}

impl<'a> Item<'a> {
    /// An item as a plain publish brings it: in no state yet, with no due time and no thread.
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
            image_url: content.image_url.as_deref(),
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
            seen_at: None,
            snoozed_until: None,
            due_at: None,
            due_state: None,
            due_by: None,
            thread_key: None,
            count: None,
        }
    }
}

impl<'a> From<&'a InboxItem> for Item<'a> {
    fn from(item: &'a InboxItem) -> Self {
        let InboxItem { id, seq, content, reason, decision, created_at, expires_at, .. } = item;
        let due = item.due.as_ref();
        Self {
            read_at: item.read_at,
            archived_at: item.archived_at,
            seen_at: item.seen_at,
            snoozed_until: item.snoozed_until,
            due_at: due.map(|due| due.at),
            due_state: due.map(|due| due.state),
            due_by: due.and_then(|due| due.by.as_deref()),
            thread_key: item.thread_key.as_deref(),
            count: Some(item.count).filter(|count| *count > 1),
            ..Self::arriving(*id, *seq, content, reason, *decision, *created_at, *expires_at)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::notification::Presentation;

    #[test]
    fn an_item_keeps_its_nulls_and_speaks_camel_case() {
        let item = InboxItem {
            id: Uuid::nil(),
            seq: 7,
            content: Content {
                priority: Priority::High,
                data: Some(serde_json::json!({"amount": 120})),
                action_url: Some("/payments".into()),
                image_url: Some("/card.png".into()),
                presentation: Presentation { icon: Some("wallet".into()), ..Presentation::default() },
                ..Content::titled("payment_received", "Paid")
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
                "actionUrl": "/payments", "imageUrl": "/card.png", "reason": "topic", "topic": "team:7", "channels": ["inbox", "toast"],
                "icon": "wallet", "createdAt": "1970-01-01T00:00:00Z", "expiresAt": "1970-01-01T00:00:00Z",
                "readAt": null, "archivedAt": null, "seenAt": null,
            })
        );
    }

    #[test]
    fn a_count_is_shown_from_two_on_and_what_is_due_with_its_state() {
        let at = |second| DateTime::from_timestamp(second, 0).unwrap();
        let item = |count| InboxItem {
            id: Uuid::nil(),
            seq: 7,
            content: Content {
                category: Some("c".into()),
                priority: Priority::Low,
                message: Some("m".into()),
                presentation: Presentation {
                    action_label: Some("l".into()),
                    sound: Some("s".into()),
                    ..Presentation::default()
                },
                ..Content::titled("k", "t")
            },
            reason: Reason::Everyone,
            decision: Decision::PLAIN,
            created_at: at(1),
            expires_at: at(2),
            read_at: Some(at(3)),
            archived_at: Some(at(4)),
            seen_at: Some(at(5)),
            snoozed_until: Some(at(6)),
            due: Some(crate::domain::timing::ItemDue { at: at(7), state: DueState::Overdue, by: Some("u".into()) }),
            thread_key: Some("order".into()),
            count,
        };
        let counts = [0, 1, 2, 3].map(|count| Item::from(&item(count)).count);
        assert_eq!(counts, [None, None, Some(2), Some(3)]);
        let shown = serde_json::to_value(Item::from(&item(2))).unwrap();
        for (name, value) in [
            ("category", "c"),
            ("message", "m"),
            ("reason", "everyone"),
            ("actionLabel", "l"),
            ("sound", "s"),
            ("createdAt", "1970-01-01T00:00:01Z"),
            ("expiresAt", "1970-01-01T00:00:02Z"),
            ("readAt", "1970-01-01T00:00:03Z"),
            ("archivedAt", "1970-01-01T00:00:04Z"),
            ("seenAt", "1970-01-01T00:00:05Z"),
            ("snoozedUntil", "1970-01-01T00:00:06Z"),
            ("dueAt", "1970-01-01T00:00:07Z"),
            ("dueState", "overdue"),
            ("dueBy", "u"),
            ("threadKey", "order"),
        ] {
            assert_eq!(shown[name], value, "{name}");
        }
    }
}
