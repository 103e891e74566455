//! A notification: its content, as it is published, and as an item of an inbox.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;
use uuid::Uuid;

use crate::domain::{
    audience::{Audience, Reason},
    channel::Decision,
    cursor::Seq,
    priority::Priority,
    text::Malformed,
    timing::{Burst, DueState, ItemDue, Timing},
    topic::Topic,
    user::{Tenant, UserId},
};

/// Most characters of a title.
pub const TITLE_CHARS: usize = 500;
/// Most characters of the text below the title.
pub const MESSAGE_CHARS: usize = 10_000;

/// Most bytes of an address.
const URL_BYTES: usize = 2_048;

/// Checks where a click may lead.
///
/// # Errors
/// When it is neither a path nor an http or https URL.
pub fn action_url(text: &str) -> Result<(), Malformed> {
    address(text, &["http", "https"], Malformed("an http or https URL, or a path that begins with one slash"))
}

/// Checks where a page may load an image from.
///
/// # Errors
/// When it is neither a path nor an https URL.
pub fn image_url(text: &str) -> Result<(), Malformed> {
    address(text, &["https"], Malformed("an https URL, or a path that begins with one slash"))
}

/// Refuses a URL that a browser could take for script or for another host than it seems.
fn address(text: &str, schemes: &[&str], wrong: Malformed) -> Result<(), Malformed> {
    if text.len() > URL_BYTES {
        return Err(Malformed("at most 2048 bytes"));
    }
    let odd = |character: char| character.is_control() || character.is_whitespace() || character == '\\';
    let path = text.starts_with('/') && !text.starts_with("//");
    let web = || Url::parse(text).is_ok_and(|url| schemes.contains(&url.scheme()) && url.has_host());
    if text.contains(odd) || !(path || web()) {
        return Err(wrong);
    }
    Ok(())
}

/// The content of a notification: written once per publish, the same for every recipient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// The type of the notification, such as `payment_received`.
    pub kind: String,
    /// The group of kinds that a user sets preferences for.
    pub category: Option<String>,
    /// How much it matters.
    pub priority: Priority,
    /// One line.
    pub title: String,
    /// The text below the title.
    pub message: Option<String>,
    /// Data of the publisher for its clients.
    pub data: Option<Value>,
    /// The address that a click opens.
    pub action_url: Option<String>,
    /// An image that belongs to it.
    pub image_url: Option<String>,
    /// How its kind is shown.
    #[serde(default)]
    pub presentation: Presentation,
}

impl Content {
    /// Content that leaves out all but a kind and a title.
    pub fn titled(kind: &str, title: impl Into<String>) -> Self {
        Self {
            kind: kind.to_owned(),
            category: None,
            priority: Priority::default(),
            title: title.into(),
            message: None,
            data: None,
            action_url: None,
            image_url: None,
            presentation: Presentation::default(),
        }
    }
}

/// How a kind is shown: names and words for clients, which the server does not look into.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Presentation {
    /// An icon's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    /// The text of the button that opens `actionUrl`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_label: Option<String>,
    /// A sound's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sound: Option<String>,
}

/// A notification as it is stored, the same for every recipient.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Published {
    /// Its id (`UUIDv7`).
    pub id: Uuid,
    /// The content.
    pub content: Content,
    /// When it was published.
    pub created_at: DateTime<Utc>,
    /// When it leaves inboxes by itself.
    pub expires_at: DateTime<Utc>,
}

/// One item of one inbox with that user's state.
#[derive(Debug, Clone, PartialEq)]
pub struct InboxItem {
    /// Its id (`UUIDv7`), for all its life: that of its notification, or of the first that became this item.
    pub id: Uuid,
    /// When it arrived, as a position in the user's log.
    pub seq: Seq,
    /// The content.
    pub content: Content,
    /// The reason for which the user got it.
    pub reason: Reason,
    /// The channels that it took to this user.
    pub decision: Decision,
    /// When it was published.
    pub created_at: DateTime<Utc>,
    /// When it leaves the inbox by itself.
    pub expires_at: DateTime<Utc>,
    /// When the user read it.
    pub read_at: Option<DateTime<Utc>>,
    /// When the user archived it.
    pub archived_at: Option<DateTime<Utc>>,
    /// When the user saw it.
    pub seen_at: Option<DateTime<Utc>>,
    /// When it comes back to the list.
    pub snoozed_until: Option<DateTime<Utc>>,
    /// The due time and its state.
    pub due: Option<ItemDue>,
    /// The key that it shares with others that become one item.
    pub thread_key: Option<String>,
    /// How many notifications have become this item, itself included.
    pub count: i32,
}

/// An item's state, as the stream sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is true or false whatever the others are")]
pub struct ItemState {
    /// The item.
    pub id: Uuid,
    /// When it arrived.
    pub seq: Seq,
    /// Read.
    pub read: bool,
    /// Put away.
    pub archived: bool,
    /// Removed.
    pub deleted: bool,
    /// Seen.
    pub seen: bool,
    /// Away from the list until then.
    pub snoozed_until: Option<DateTime<Utc>>,
    /// The state of its due time.
    pub due: Option<DueState>,
}

/// The way by which a publish came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// `POST /api/notifications` and its batch form.
    Http,
    /// A Redis pub/sub channel.
    Channel,
    /// The Redis stream.
    Stream,
    /// The SQL functions of the schema `tidings`.
    Sql,
}

impl Source {
    /// As stored and as the metrics label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Channel => "channel",
            Self::Stream => "stream",
            Self::Sql => "sql",
        }
    }
}

/// A validated publish, ready for the write path.
#[derive(Debug, Clone)]
pub struct NewNotification {
    /// Chosen before the write, so that a retried write is recognised.
    pub id: Uuid,
    /// From the token or the channel, never from the body.
    pub tenant: Tenant,
    /// Whom it names: none twice, at least one unless it has an audience.
    pub users: Vec<UserId>,
    /// Whom it is for besides.
    pub audience: Audience,
    /// The content; shared, because the ways of ingest keep it until it is stored.
    pub content: Arc<Content>,
    /// The channels that it takes to users without preferences.
    pub decision: Decision,
    /// The publisher's own name for this publish, unique within the tenant.
    pub idempotency_key: Option<String>,
    /// SHA-256 of the canonical body: distinguishes a repeated publish from a reused key.
    pub fingerprint: [u8; 32],
    /// When it is to leave inboxes; none means the server's retention.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it is delivered and due.
    pub timing: Timing,
    /// An item of the same key is updated instead of adding one.
    pub thread_key: Option<String>,
    /// Beyond this many it becomes one item with others of its kind.
    pub burst: Option<Burst>,
    /// Hash of the collapse key and the recipients: a scheduled one with the same hash is called off for this one.
    pub collapse: Option<[u8; 32]>,
    /// The way by which it came in.
    pub source: Source,
}

impl NewNotification {
    /// All topics that it names, each with a JSON pointer to it in the body.
    pub fn named_topics(&self) -> impl Iterator<Item = (String, &Topic)> {
        let topics = self.audience.topics.iter().enumerate().map(|(index, topic)| (format!("/topics/{index}"), topic));
        let due = self.timing.due.iter();
        let escalation = due.flat_map(|due| due.steps.iter().filter(|step| step.at > due.at)).enumerate();
        topics.chain(
            escalation.filter_map(|(index, step)| Some((format!("/escalation/{index}/topic"), step.topic.as_ref()?))),
        )
    }

    /// Whether it is written at once, each recipient getting an item of its own.
    pub fn is_plain(&self) -> bool {
        self.timing == Timing::default() && self.thread_key.is_none() && self.burst.is_none() && self.collapse.is_none()
    }
}

/// The actions of a user on items of the inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Mark as read; a read item is seen.
    Read,
    /// Mark as not read.
    Unread,
    /// Mark as seen.
    Seen,
    /// Put away; archived items do not count as unread.
    Archive,
    /// Put away until then; meanwhile it does not count as unread.
    Snooze(DateTime<Utc>),
    /// Remove.
    Delete,
    /// Acknowledge the due item.
    Acknowledge,
    /// Finish the due item.
    Finish,
}
