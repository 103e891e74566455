//! Messages to clients, made of the parts of the stream's events: the payloads are the stream's, with the fields of messages
//! beside them.

use std::{borrow::Cow, fmt::Write as _};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{channels::Channels, inbound::Id};
use crate::frame::{Block, EventType, escaped, item_json::Item};

/// The heartbeat.
pub const HEARTBEAT: &str = r#"{"type":"heartbeat"}"#;

/// More than the words around a payload or within it take.
const FRAMING_BYTES: usize = 128;

/// The outcome for a block.
#[derive(Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// This message.
    Message(String),
    /// The heartbeat, with which a ping goes out.
    Heartbeat,
    /// Nothing: the channels leave it out.
    LeftOut,
    /// Nothing: messages have no word for it.
    Nothing,
}

impl Outgoing {
    /// The message of a block. `answering` is the id of the message that the verdict answers, if any.
    pub fn of(block: &Block<'_>, channels: &Channels, answering: Option<&Id>) -> Self {
        let Block { cursor, event, data } = *block;
        let message = match event {
            None => cursor.map(self::cursor),
            Some(EventType::Hello) => connected(data, answering),
            Some(EventType::Notification | EventType::Signal) if !passes(data, channels) => return Self::LeftOut,
            Some(event @ EventType::Notification) => payload(data, cursor).map(|payload| wrap(event, &payload, None)),
            Some(EventType::Heartbeat) => return Self::Heartbeat,
            Some(EventType::Bye) => Some(bye(data)),
            Some(event) => Some(wrap(event, data, cursor)),
        };
        message.map_or(Self::Nothing, Self::Message)
    }
}

/// Moves the client's cursor past changes that are left out.
pub fn cursor(cursor: &str) -> String {
    // A cursor is letters, digits, dots and the like.
    format!(r#"{{"type":"cursor","cursor":"{cursor}"}}"#)
}

/// The message that an answer consists of: its type and the fields of `data`.
pub fn answer(kind: &str, id: Option<&Id>, data: &impl Serialize) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer<'a, T> {
        r#type: &'a str,
        #[serde(flatten)]
        data: T,
        #[serde(skip_serializing_if = "Option::is_none")]
        reply_to: Option<&'a Id>,
    }
    // Plain data always serialises.
    escaped(serde_json::to_string(&Answer { r#type: kind, data, reply_to: id }).unwrap_or_default())
}

/// An item as the payload of a notification, without the fields that only the stream has.
pub fn history_item(item: &Item<'_>) -> Option<String> {
    payload(&serde_json::to_string(item).ok()?, None)
}

/// Says why the server closes the WebSocket; `data` is that of the event.
pub fn bye(data: &str) -> String {
    format!(r#"{{"type":"bye",{}"#, rest(data))
}

/// The text of an object after its opening brace.
fn rest(data: &str) -> &str {
    data.get(1..).unwrap_or_default()
}

fn wrap(event: EventType, payload: &str, cursor: Option<&str>) -> String {
    let cursor = cursor.map(|cursor| format!(r#","cursor":"{cursor}""#)).unwrap_or_default();
    // Room for all of it: a text that grows takes twice the memory that it needs.
    let mut text = String::with_capacity(payload.len() + cursor.len() + FRAMING_BYTES);
    let _ = write!(text, r#"{{"type":"{}","payload":{payload}{cursor}}}"#, event.as_str());
    text
}

fn passes(data: &str, channels: &Channels) -> bool {
    #[derive(Deserialize)]
    struct Named<'a> {
        #[serde(borrow)]
        kind: Cow<'a, str>,
        #[serde(borrow)]
        topic: Option<Cow<'a, str>>,
    }
    if channels.is_open() {
        return true;
    }
    let named: Option<Named<'_>> = serde_json::from_str(data).ok();
    named.is_some_and(|named| channels.passes(&named.kind, named.topic.as_deref()))
}

fn payload(item: &str, cursor: Option<&str>) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Known<'a> {
        #[serde(borrow)]
        kind: &'a RawValue,
        #[serde(borrow)]
        created_at: &'a RawValue,
        #[serde(borrow)]
        read_at: Option<&'a RawValue>,
    }
    let Known { kind, created_at, read_at } = serde_json::from_str(item).ok()?;
    let fields = item.strip_suffix('}')?;
    let cursor = cursor.map(|cursor| format!(r#","cursor":"{cursor}""#)).unwrap_or_default();
    let read = read_at.is_some();
    let mut text = String::with_capacity(item.len() + kind.get().len() + cursor.len() + FRAMING_BYTES);
    let _ = write!(text, r#"{fields},"type":{kind},"timestamp":{created_at},"read":{read}{cursor}}}"#);
    Some(text)
}

fn connected(hello: &str, answering: Option<&Id>) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Known<'a> {
        #[serde(borrow)]
        connection_id: &'a RawValue,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Beginning<'a> {
        r#type: &'static str,
        client_id: &'a RawValue,
        #[serde(skip_serializing_if = "Option::is_none")]
        reply_to: Option<&'a Id>,
    }
    let Known { connection_id: client_id } = serde_json::from_str(hello).ok()?;
    let beginning = Beginning { r#type: "connected", client_id, reply_to: answering };
    let mut text = escaped(serde_json::to_string(&beginning).ok()?);
    text.pop();
    Some(format!("{text},{}", rest(hello)))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::DateTime;
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;
    use crate::{
        domain::cursor::{Cursor, Epoch},
        frame::{Blocks, EndReason, HEARTBEAT_BLOCK, Hello, Renderer, Verdict},
    };

    fn outgoing(blocks: &Blocks, channels: &Channels) -> Vec<Outgoing> {
        blocks.all().map(|block| Outgoing::of(&block, channels, None)).collect()
    }

    fn cursor_at(seq: i64) -> Cursor {
        Cursor { epoch: Epoch::from("e".to_owned()), seq }
    }

    fn json_of(outgoing: &Outgoing) -> Value {
        let Outgoing::Message(text) = outgoing else { panic!("{outgoing:?}") };
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_notification_has_the_streams_fields_and_those_of_messages() {
        let data =
            r#"{"id":"x","kind":"k\"1","topic":"t","createdAt":"2026","readAt":null,"data":{"type":1},"unread":3}"#;
        let mut renderer = Renderer::default();
        let item: &RawValue = serde_json::from_str(data).unwrap();
        renderer.push(Some(&cursor_at(7)), EventType::Notification, &item);
        let block = renderer.finish();
        let message = json_of(&outgoing(&block, &Channels::default())[0]);
        let mut due: Value = serde_json::from_str(data).unwrap();
        due["type"] = json!("k\"1");
        due["timestamp"] = json!("2026");
        due["read"] = json!(false);
        due["cursor"] = json!("e.7");
        assert_eq!(message, json!({"type": "notification", "payload": due}));
        let narrow = |name: &str| Channels::default().with(&[name.to_owned()]).unwrap();
        assert_eq!(outgoing(&block, &narrow("other")), [Outgoing::LeftOut]);
        for name in ["k\"1", "t"] {
            assert_eq!(json_of(&outgoing(&block, &narrow(name))[0]), message);
        }
    }

    #[test]
    fn every_other_block_has_its_message() {
        let (cursor, open) = (cursor_at(4), Channels::default());
        let mut states = Renderer::default();
        states.push(None, EventType::State, &json!({"a": 1}));
        states.push(Some(&cursor), EventType::State, &json!({}));
        let states = outgoing(&states.finish(), &open);
        assert_eq!(json_of(&states[0]), json!({"type": "state", "payload": {"a": 1}}));
        assert_eq!(json_of(&states[1]), json!({"type": "state", "payload": {}, "cursor": "e.4"}));
        assert_eq!(
            json_of(&outgoing(&Blocks::of_cursor(&cursor), &open)[0]),
            json!({"type": "cursor", "cursor": "e.4"})
        );
        let farewell = crate::frame::bye(EndReason::Draining, Duration::from_secs(2));
        assert_eq!(
            json_of(&outgoing(&farewell, &open)[0]),
            json!({"type": "bye", "reason": "draining", "retryMs": 2000})
        );
        assert_eq!(Outgoing::of(&HEARTBEAT_BLOCK, &open, None), Outgoing::Heartbeat);
    }

    #[test]
    fn the_verdict_names_the_connection_and_the_message_that_it_answers() {
        let hello = Hello {
            verdict: Verdict::Resumed,
            cursor: Cursor { epoch: Epoch::from("e".to_owned()), seq: 4 },
            missed: 1,
            unread: 2,
            connection_id: Uuid::nil(),
            heartbeat_ms: 20_000,
            reason: None,
            timestamp: DateTime::UNIX_EPOCH,
        };
        let text = hello.render(Duration::from_secs(2));
        let blocks: Vec<_> = text.all().collect();
        assert_eq!(blocks.len(), 1, "the delay before it is no event");
        let message = json_of(&Outgoing::of(&blocks[0], &Channels::default(), Some(&json!(5))));
        let mut due = serde_json::to_value(&hello).unwrap();
        due["type"] = json!("connected");
        due["clientId"] = json!(Uuid::nil());
        due["replyTo"] = json!(5);
        assert_eq!(message, due);
    }
}
