//! The arrival of a notification. What all whom it reaches in the same way have in common is rendered once.

use std::{io::Write as _, ops::Range, sync::Arc};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::{EventType, Frame, Renderer, Subject, line_breaks};
use crate::{
    domain::{
        audience::Reason,
        channel::Decision,
        cursor::{Cursor, Epoch, Seq},
        notification::Content,
        priority::Priority,
    },
    frame::item_json::Item,
};

/// How an item's JSON begins: with its id, of which every one is as long as this, and its seq.
const BEGINNING: &str = r#"{"id":"00000000-0000-0000-0000-000000000000","seq":"#;
/// Room for most items: a buffer that grows is copied.
const ROOM: usize = 1_024;
/// Most bytes of what differs between users: an epoch, the seq twice, a count, and the words around them.
const OWN_BYTES: usize = 128;

/// Renders one notification for many inboxes.
pub struct Arrivals<'a> {
    id: Uuid,
    content: &'a Content,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    latest: Option<(Reason, Decision, Rendered)>,
}

impl<'a> Arrivals<'a> {
    /// Of this notification.
    pub fn of(id: Uuid, content: &'a Content, created_at: DateTime<Utc>, expires_at: DateTime<Utc>) -> Self {
        Self { id, content, created_at, expires_at, latest: None }
    }

    /// The frame of one inbox; `unread` is its user's count with it.
    pub fn frame(&mut self, reason: &Reason, decision: Decision, epoch: &Epoch, seq: Seq, unread: i64) -> Frame {
        // Neighbours mostly have it for the same reason and want it on the same channels.
        let known = self.latest.take().filter(|(known, same, _)| (known, *same) == (reason, decision));
        let (.., rendered) = self.latest.insert(known.unwrap_or_else(|| {
            let Self { id, content, created_at, expires_at, .. } = *self;
            let item = Item::arriving(id, seq, content, reason, decision, created_at, expires_at);
            (reason.clone(), decision, Rendered::of(&item))
        }));
        rendered.frame(epoch, seq, unread)
    }
}

/// An item's text, into which its user's own is put: the place in the log and the unread count.
pub(super) struct Rendered {
    json: Vec<u8>,
    /// Where the seq stands.
    seq: Range<usize>,
    kind: Arc<str>,
    priority: Priority,
}

impl Rendered {
    /// Renders an item; its seq is not looked at.
    pub(super) fn of(item: &Item<'_>) -> Self {
        let mut json = Vec::with_capacity(ROOM);
        // Writing to memory cannot fail, and an item is plain data that always serialises.
        let _ = serde_json::to_writer(&mut json, item);
        line_breaks::escape(&mut json, 0);
        // The count joins the item's own object.
        json.pop();
        let digits = json.iter().skip(BEGINNING.len()).take_while(|byte| byte.is_ascii_digit()).count();
        let seq = BEGINNING.len()..BEGINNING.len() + digits;
        Self { json, seq, kind: item.kind.into(), priority: item.priority }
    }

    pub(super) fn frame(&self, epoch: &Epoch, seq: Seq, unread: i64) -> Frame {
        let json = &self.json;
        let mut renderer = Renderer::with_capacity(json.len() + OWN_BYTES);
        let cursor = Cursor { epoch: epoch.clone(), seq };
        renderer.push_with(Some(&cursor), EventType::Notification, |text| {
            text.extend_from_slice(&json[..self.seq.start]);
            // Writing to memory cannot fail.
            let _ = write!(text, "{seq}");
            text.extend_from_slice(&json[self.seq.end..]);
            let _ = write!(text, ",\"unread\":{unread}}}");
        });
        let subject = Subject::Notification { kind: self.kind.clone(), priority: self.priority };
        Frame { seq, subject, blocks: renderer.finish() }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn reasons() -> impl Strategy<Value = Reason> {
        prop_oneof![
            Just(Reason::Direct),
            Just(Reason::Everyone),
            "[a-b]:[0-9]".prop_map(|topic| Reason::Topic(topic.parse().unwrap())),
        ]
    }

    proptest! {
        #[test]
        fn each_inbox_is_told_its_own(
            id: u128, title in ".*", inboxes in vec((reasons(), 0..4, 1_i64.., 0_i64..), 1..20),
        ) {
            let content = Content { priority: Priority::High, ..Content::titled("k", title) };
            let (id, epoch, at) = (Uuid::from_u128(id), Epoch::from("e".to_owned()), DateTime::UNIX_EPOCH);
            let mut arrivals = Arrivals::of(id, &content, at, at);
            for (reason, decision, seq, unread) in inboxes {
                let decision = Decision::from_stored(i64::from(decision));
                let frame = arrivals.frame(&reason, decision, &epoch, seq, unread);
                let text = std::str::from_utf8(frame.blocks.bytes()).unwrap();
                let data = text.strip_prefix(&format!("id: e.{seq}\nevent: notification\ndata: ")).unwrap();
                let told: serde_json::Value = serde_json::from_str(data).unwrap();
                let item = Item::arriving(id, seq, &content, &reason, decision, at, at);
                let mut due = serde_json::to_value(item).unwrap();
                due["unread"] = unread.into();
                prop_assert_eq!(told, due);
                prop_assert_eq!(frame.seq, seq);
            }
        }
    }
}
