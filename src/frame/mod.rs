//! Rendered events of the stream: SSE blocks (WHATWG HTML, section 9.2), made once, their bytes shared.
//!
//! Every `data:` is one line of JSON, in which all line breaks of Unicode are escaped, so no text of a publisher can end a block.

mod blocks;
mod event_type;
mod hello;
mod item;
pub mod item_json;
mod line_breaks;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use self::item::Rendered;
pub use self::{
    blocks::{Block, Blocks, Renderer},
    event_type::EventType,
    hello::{Hello, ResetReason, Verdict},
    item::Arrivals,
    line_breaks::escaped,
};
use crate::{
    domain::{
        cursor::{Cursor, Epoch, Seq},
        notification::ItemState,
        priority::Priority,
        timing::DueState,
        topic::{Subscription, Topic},
    },
    frame::item_json::Item,
};

/// Most ids in one state event: a larger change takes several, the last of which carries the cursor.
pub const STATE_IDS: usize = 500;

/// The heartbeat: an event, because a comment never reaches JavaScript; without `id:`, so the cursor stays.
pub const HEARTBEAT: &[u8] = b"event: heartbeat\ndata: {}\n\n";
/// The parts of the heartbeat.
pub const HEARTBEAT_BLOCK: Block<'static> = Block::event(EventType::Heartbeat, "{}");

/// What comes before the data of a signal.
const BEFORE_SIGNAL: &str = "event: signal\ndata: ";

/// What filters look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A notification of this kind and priority.
    Notification {
        /// Its kind; what renders for many inboxes shares it.
        kind: Arc<str>,
        /// Its priority.
        priority: Priority,
    },
    /// A change of state or of the user's account: passes every filter.
    State,
}

/// All that is sent for one change: complete events, the last of which carries the cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The change's seq in the user's log.
    pub seq: Seq,
    /// What filters look at.
    pub subject: Subject,
    /// The events.
    pub blocks: Blocks,
}

impl Frame {
    /// Renders the arrival of an item; `unread` is the user's count with it.
    pub fn notification(epoch: &Epoch, item: &Item<'_>, unread: i64) -> Self {
        Rendered::of(item).frame(epoch, item.seq, unread)
    }

    /// Renders a change of state of some items, which must not be empty.
    pub fn state(cursor: &Cursor, states: &[ItemState], unread: i64) -> Self {
        let mut renderer = Renderer::default();
        renderer.push_states(Some(cursor), states, unread);
        Self { seq: cursor.seq, subject: Subject::State, blocks: renderer.finish() }
    }

    /// Renders a change of one of the user's subscriptions.
    pub fn subscription(cursor: &Cursor, subscription: &Subscription, unread: i64) -> Self {
        Self::account(cursor, EventType::Subscription, &Counted { what: subscription, unread })
    }

    /// Renders that the user's settings changed.
    pub fn settings(cursor: &Cursor, unread: i64) -> Self {
        Self::account(cursor, EventType::Settings, &Counted { what: (), unread })
    }

    fn account(cursor: &Cursor, event: EventType, data: &impl Serialize) -> Self {
        let mut renderer = Renderer::default();
        renderer.push(Some(cursor), event, data);
        Self { seq: cursor.seq, subject: Subject::State, blocks: renderer.finish() }
    }
}

/// Something with the user's unread count beside it.
#[derive(Serialize)]
struct Counted<T> {
    #[serde(flatten)]
    what: T,
    unread: i64,
}

/// The state of some items as an event carries it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "each is true or false whatever the others are")]
struct State<'a> {
    ids: Vec<&'a Uuid>,
    read: bool,
    archived: bool,
    deleted: bool,
    seen: bool,
    snoozed_until: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    due_state: Option<DueState>,
    unread: i64,
}

impl Renderer {
    /// Renders states: one event for each run of items with the same state. The last event carries the cursor; there is no cursor
    /// while a change goes on in a later text.
    pub fn push_states(&mut self, cursor: Option<&Cursor>, states: &[ItemState], unread: i64) {
        let shown = |state: &ItemState| ItemState { id: Uuid::nil(), seq: 0, ..*state };
        let alike = |a: &ItemState, b: &ItemState| shown(a) == shown(b);
        let mut events = states.chunk_by(alike).flat_map(|run| run.chunks(STATE_IDS)).peekable();
        while let Some(items) = events.next() {
            let ItemState { read, archived, deleted, seen, snoozed_until, due: due_state, .. } = items[0];
            let ids = items.iter().map(|state| &state.id).collect();
            let state = State { ids, read, archived, deleted, seen, snoozed_until, due_state, unread };
            self.push(cursor.filter(|_| events.peek().is_none()), EventType::State, &state);
        }
    }
}

/// Why a stream ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum EndReason {
    /// The instance is going away.
    Draining,
    /// The token ended.
    Expired,
    /// The token or the user was revoked.
    Revoked,
    /// The connection reached its greatest age.
    Rotated,
    /// There is no room, or the database is away.
    Overloaded,
}

impl EndReason {
    /// As on the wire and as the metrics label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draining => "draining",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Rotated => "rotated",
            Self::Overloaded => "overloaded",
        }
    }
}

/// The last event of a stream that the server ends, with the time after which to come back.
pub fn bye(reason: EndReason, retry: Duration) -> Blocks {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Bye {
        reason: EndReason,
        retry_ms: u128,
    }
    let retry_ms = retry.as_millis();
    let mut renderer = Renderer::after(format!("retry: {retry_ms}\n"));
    renderer.push(None, EventType::Bye, &Bye { reason, retry_ms });
    renderer.finish()
}

/// Renders a signal; `data` is one line of JSON. One to a topic names it.
pub fn signal(topic: Option<&Topic>, kind: &str, key: &str, data: &str) -> String {
    let text = |text: &str| serde_json::to_string(text).unwrap_or_default(); // text always serialises
    let topic = topic.map(|topic| format!("\"topic\":{},", text(topic.as_str()))).unwrap_or_default();
    let (kind, key) = (text(kind), text(key));
    escaped(format!("{BEFORE_SIGNAL}{{{topic}\"kind\":{kind},\"key\":{key},\"data\":{data}}}\n\n"))
}

/// The parts of a signal, of which every one is rendered alike. A text of another form has no data.
pub fn signal_block(bytes: &[u8]) -> Block<'_> {
    let data = bytes.strip_prefix(BEFORE_SIGNAL.as_bytes()).and_then(|rest| rest.strip_suffix(b"\n\n"));
    let data = data.and_then(|data| str::from_utf8(data).ok()).unwrap_or_default();
    Block::event(EventType::Signal, data)
}

/// Says that the token expires soon.
pub fn expiring(left: Duration) -> Blocks {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Expiring {
        expires_in_ms: u128,
    }
    let mut renderer = Renderer::default();
    renderer.push(None, EventType::Expiring, &Expiring { expires_in_ms: left.as_millis() });
    renderer.finish()
}
