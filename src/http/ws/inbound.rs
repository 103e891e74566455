//! Messages of clients: one JSON object each, read strictly. An error names the message and the field.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{
    domain::{
        cursor::{CURSOR_BYTES, Cursor},
        problem,
    },
    frame::escaped,
    http::{
        body, bulk,
        error::{ApiError, FieldError},
        inbox::{DEFAULT_LIMIT, MOST_ITEMS, MOST_SKIPPED},
    },
};

/// Most characters of a message's own id.
const ID_CHARS: usize = 64;
/// The types that are known.
const TYPES: &str = "subscribe, unsubscribe, mark_read, mark_all_read, get_history, ping, resume";

/// A message's own id, a text or a whole number: the answer repeats it.
pub type Id = Value;

/// A client's request.
#[derive(Debug, PartialEq, Eq)]
pub enum Ask {
    /// To get only events of these kinds or on these topics, beside others that were named before.
    Subscribe(Vec<String>),
    /// The opposite.
    Unsubscribe(Vec<String>),
    /// To mark an item as read.
    MarkRead(Uuid),
    /// To mark everything as read that had arrived by a position. Without one, by what the connection was sent, unless that was a part.
    MarkAllRead(Option<Cursor>),
    /// A part of the list.
    GetHistory {
        /// Most items.
        limit: i64,
        /// How many of the newest to skip.
        offset: i64,
    },
    /// A sign of life.
    Ping,
    /// To restart the stream after this cursor.
    Resume(String),
}

/// A message that was understood.
#[derive(Debug, PartialEq, Eq)]
pub struct Received {
    /// Its own id, if it has one.
    pub id: Option<Id>,
    /// The request of the message.
    pub ask: Ask,
}

/// Which message an answer is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// Its own id, if it has one that can be repeated.
    pub id: Option<Id>,
    /// Its type, if it has one that is known.
    pub name: Option<&'static str>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    channels: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Item {
    notification_id: Uuid,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Bound {
    before: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    #[serde(default = "default_limit")]
    limit: i64,
    #[serde(default)]
    offset: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    cursor: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

fn default_limit() -> i64 {
    DEFAULT_LIMIT
}

impl Received {
    /// Reads a message.
    ///
    /// # Errors
    /// The fault, and the id of the message if it is known.
    pub fn parse(text: &str) -> Result<Self, (About, ApiError)> {
        let mut about = About::default();
        match read(text.as_bytes(), &mut about) {
            Ok(ask) => Ok(Self { id: about.id, ask }),
            Err(error) => Err((about, error)),
        }
    }
}

fn read(bytes: &[u8], about: &mut About) -> Result<Ask, ApiError> {
    body::check_object(bytes)?;
    let mut fields: Map<String, Value> = problem::deserialize(bytes)?;
    about.id = fields.remove("id").map(check_id).transpose()?;
    let name = fields.remove("type");
    let name = name.as_ref().and_then(Value::as_str).unwrap_or_default();
    let (known, parse) = reader(name).ok_or_else(|| wrong("/type", format!("must be one of {TYPES}")))?;
    about.name = Some(known);
    parse(Value::Object(fields))
}

/// Reads the fields of a message beside its type and id.
type Reader = fn(Value) -> Result<Ask, ApiError>;

fn reader(name: &str) -> Option<(&'static str, Reader)> {
    Some(match name {
        "subscribe" => ("subscribe", |rest| Ok(Ask::Subscribe(fields::<Named>(rest)?.channels))),
        "unsubscribe" => ("unsubscribe", |rest| Ok(Ask::Unsubscribe(fields::<Named>(rest)?.channels))),
        "mark_read" => ("mark_read", |rest| Ok(Ask::MarkRead(fields::<Item>(rest)?.notification_id))),
        "mark_all_read" => {
            ("mark_all_read", |rest| Ok(Ask::MarkAllRead(bulk::position(fields::<Bound>(rest)?.before.as_deref())?)))
        }
        "get_history" => ("get_history", history),
        "ping" => ("ping", |rest| fields::<Nothing>(rest).map(|Nothing {}| Ask::Ping)),
        "resume" => ("resume", resume),
        _ => return None,
    })
}

fn history(rest: Value) -> Result<Ask, ApiError> {
    let Part { limit, offset } = fields(rest)?;
    for (name, value, least, most) in [("limit", limit, 1, MOST_ITEMS), ("offset", offset, 0, MOST_SKIPPED)] {
        if !(least..=most).contains(&value) {
            return Err(wrong(&format!("/{name}"), format!("must be a whole number from {least} to {most}")));
        }
    }
    Ok(Ask::GetHistory { limit, offset })
}

fn resume(rest: Value) -> Result<Ask, ApiError> {
    let Place { cursor } = fields(rest)?;
    if !(1..=CURSOR_BYTES).contains(&cursor.len()) {
        return Err(wrong("/cursor", format!("must be 1 to {CURSOR_BYTES} bytes")));
    }
    Ok(Ask::Resume(cursor))
}

fn check_id(id: Value) -> Result<Id, ApiError> {
    let fits = match &id {
        Value::String(text) => (1..=ID_CHARS).contains(&text.chars().count()),
        Value::Number(number) => number.is_i64() || number.is_u64(),
        _ => false,
    };
    let problem = || wrong("/id", format!("must be a text of 1 to {ID_CHARS} characters or a whole number"));
    if fits { Ok(id) } else { Err(problem()) }
}

fn fields<T: DeserializeOwned>(rest: Value) -> Result<T, ApiError> {
    Ok(problem::from_value(&rest)?)
}

/// Something wrong with one field.
pub fn wrong(pointer: &str, detail: String) -> ApiError {
    ApiError::Invalid(vec![FieldError::body(pointer, detail)])
}

/// The answer to a message that is wrong, or to a caller without access.
pub fn refusal(about: &About, error: &ApiError) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Outgoing<'a> {
        r#type: &'static str,
        reply_to: &'a Option<Id>,
        message: Option<&'static str>,
        title: &'static str,
        detail: String,
        #[serde(skip_serializing_if = "<[_]>::is_empty")]
        errors: &'a [FieldError],
    }
    let problem = error.problem();
    let (title, detail) = match error {
        ApiError::Invalid(_) => ("Invalid message", "the message is not valid".to_owned()),
        ApiError::NotJson(why) => ("Not JSON", format!("the message is not JSON: {why}")),
        _ => (problem.title, problem.detail),
    };
    let (reply_to, message) = (&about.id, about.name);
    let outgoing = Outgoing { r#type: "error", reply_to, message, title, detail, errors: &problem.errors };
    escaped(serde_json::to_string(&outgoing).unwrap_or_default()) // plain data always serialises
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn parse(message: &Value) -> Result<Received, (About, ApiError)> {
        Received::parse(&message.to_string())
    }

    #[test]
    fn every_message_is_read_with_its_id() {
        let id = Uuid::from_u128(7);
        for (message, ask) in [
            (json!({"type": "subscribe", "channels": ["a"]}), Ask::Subscribe(vec!["a".to_owned()])),
            (json!({"type": "unsubscribe", "channels": []}), Ask::Unsubscribe(vec![])),
            (json!({"type": "mark_read", "notificationId": id}), Ask::MarkRead(id)),
            (json!({"type": "mark_all_read"}), Ask::MarkAllRead(None)),
            (json!({"type": "mark_all_read", "before": "e.7"}), Ask::MarkAllRead("e.7".parse().ok())),
            (json!({"type": "get_history"}), Ask::GetHistory { limit: 20, offset: 0 }),
            (json!({"type": "get_history", "limit": 100, "offset": 9}), Ask::GetHistory { limit: 100, offset: 9 }),
            (json!({"type": "ping"}), Ask::Ping),
            (json!({"type": "resume", "cursor": "e.1"}), Ask::Resume("e.1".to_owned())),
        ] {
            let mut named = message.clone();
            named["id"] = json!("m-1");
            assert_eq!(parse(&named).unwrap(), Received { id: Some(json!("m-1")), ask });
            assert_eq!(parse(&message).unwrap().id, None);
        }
    }

    #[test]
    fn faults_are_named_with_the_message_and_the_field() {
        for (message, name, pointer) in [
            (json!({"id": 1}), None, "/type"),
            (json!({"type": "shout", "id": 1}), None, "/type"),
            (json!({"type": 7, "id": 1}), None, "/type"),
            (json!({"type": "ping", "id": 1, "extra": 1}), Some("ping"), "/extra"),
            (json!({"type": "subscribe", "id": 1, "channels": "a"}), Some("subscribe"), "/channels"),
            (json!({"type": "subscribe", "id": 1, "channels": [1]}), Some("subscribe"), "/channels/0"),
            (json!({"type": "mark_read", "id": 1, "notificationId": "x"}), Some("mark_read"), "/notificationId"),
            (json!({"type": "mark_all_read", "id": 1, "before": "x"}), Some("mark_all_read"), "/before"),
            (json!({"type": "mark_all_read", "id": 1, "until": "e.1"}), Some("mark_all_read"), "/until"),
            (json!({"type": "get_history", "id": 1, "limit": 0}), Some("get_history"), "/limit"),
            (json!({"type": "get_history", "id": 1, "limit": 101}), Some("get_history"), "/limit"),
            (json!({"type": "get_history", "id": 1, "offset": 10_001}), Some("get_history"), "/offset"),
            (json!({"type": "resume", "id": 1, "cursor": ""}), Some("resume"), "/cursor"),
        ] {
            let (about, error) = parse(&message).unwrap_err();
            assert_eq!(about, About { id: Some(json!(1)), name }, "{message}");
            let outgoing: Value = serde_json::from_str(&refusal(&about, &error)).unwrap();
            assert_eq!(
                (&outgoing["replyTo"], &outgoing["errors"][0]["pointer"]),
                (&json!(1), &json!(pointer)),
                "{outgoing}"
            );
        }
        for id in [json!(""), json!("x".repeat(65)), json!(1.5), json!(null), json!([])] {
            let (about, error) = parse(&json!({"type": "ping", "id": id})).unwrap_err();
            assert_eq!(about, About::default());
            assert!(refusal(&about, &error).contains(r#""pointer":"/id""#));
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC*|[\\{\\}\\[\\]\":,a-z0-9]*") {
            if let Err((about, error)) = Received::parse(&text) {
                prop_assert!(serde_json::from_str::<Value>(&refusal(&about, &error)).is_ok());
            }
        }
    }
}
