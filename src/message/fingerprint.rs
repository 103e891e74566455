//! The fingerprint, which distinguishes a repeated publish from a reused idempotency key: SHA-256 of the body in canonical form.
//!
//! The form is kept for as long as keys are remembered, over updates too: a change of it refuses honest repeats.

use std::io::Write as _;

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{DEFAULT_KIND, Message};
use crate::domain::{topic::Topic, user::UserId};

/// Sorted keys, sorted recipients, nothing absent, no idempotency key, a comma after everything.
pub(super) fn of(message: &Message) -> [u8; 32] {
    let (users, topics) = recipients(message);
    let mut text = Vec::with_capacity(512);
    text.push(b'{');
    // Fields of later versions are only written if they are used: the form of all other bodies stays as it was.
    written(&mut text, "actor", message.actor.as_ref());
    field(&mut text, "actionUrl", |text| plain(text, &message.action_url));
    field(&mut text, "category", |text| plain(text, &message.category));
    written(&mut text, "collapseKey", message.collapse_key.as_ref());
    field(&mut text, "data", |text| value(text, message.data.as_ref().unwrap_or(&Value::Null)));
    written(&mut text, "deliverAt", message.deliver_at.as_ref());
    written(&mut text, "dueAt", message.due_at.as_ref());
    if !message.escalation.is_empty() {
        field(&mut text, "escalation", |text| list(text, &message.escalation, plain));
    }
    if message.everyone {
        field(&mut text, "everyone", |text| plain(text, &true));
    }
    field(&mut text, "expiresAt", |text| plain(text, &message.expires_at));
    written(&mut text, "imageUrl", message.image_url.as_ref());
    field(&mut text, "kind", |text| plain(text, message.kind.as_deref().unwrap_or(DEFAULT_KIND)));
    field(&mut text, "message", |text| plain(text, &message.message));
    field(&mut text, "priority", |text| plain(text, &message.priority.unwrap_or_default()));
    if !message.remind_before.is_empty() {
        let mut reminders = message.remind_before.clone();
        reminders.sort_unstable();
        field(&mut text, "remindBefore", |text| list(text, &reminders, plain));
    }
    written(&mut text, "threadKey", message.thread_key.as_ref());
    // Local times are kept as they were written, so that a later release's zones do not change the text of a repeat.
    if [message.deliver_at, message.due_at, message.expires_at].iter().flatten().any(|time| time.is_local()) {
        field(&mut text, "timeZone", |text| plain(text, &message.time_zone));
    }
    field(&mut text, "title", |text| plain(text, &message.title));
    if !topics.is_empty() {
        field(&mut text, "topics", |text| list(text, &topics, plain));
    }
    field(&mut text, "users", |text| list(text, &users, plain));
    text.push(b'}');
    Sha256::digest(text).into()
}

/// Hash of the collapse key and the recipients, if there is a key. Scheduled publishes are stored with it, so its form is
/// kept as well.
pub(super) fn collapse(message: &Message) -> Option<[u8; 32]> {
    let key = message.collapse_key.as_deref()?;
    let (users, topics) = recipients(message);
    let mut text = Vec::with_capacity(512);
    plain(&mut text, &(key, users, topics, message.everyone));
    Some(Sha256::digest(text).into())
}

/// Users and topics, each sorted.
fn recipients(message: &Message) -> (Vec<&str>, Vec<&str>) {
    let mut users: Vec<_> = message.users.iter().map(UserId::as_str).collect();
    let mut topics: Vec<_> = message.topics.iter().map(Topic::as_str).collect();
    users.sort_unstable();
    topics.sort_unstable();
    (users, topics)
}

/// A field that is only there where it is used.
fn written<T: Serialize>(text: &mut Vec<u8>, name: &str, value: Option<&T>) {
    if let Some(value) = value {
        field(text, name, |text| plain(text, value));
    }
}

fn field(text: &mut Vec<u8>, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
    let _ = write!(text, "{name:?}:"); // writing to memory cannot fail
    write(text);
    text.push(b',');
}

fn list<T>(text: &mut Vec<u8>, items: &[T], write: impl Fn(&mut Vec<u8>, &T)) {
    text.push(b'[');
    for item in items {
        write(text, item);
        text.push(b',');
    }
    text.push(b']');
}

/// Values without keys to sort. Plain data always serialises.
fn plain<T: Serialize + ?Sized>(text: &mut Vec<u8>, value: &T) {
    let _ = serde_json::to_writer(text, value);
}

/// JSON with sorted keys: the map type of a build may keep another order. The depth is bounded by [`super::check`].
fn value(text: &mut Vec<u8>, any: &Value) {
    match any {
        Value::Array(items) => list(text, items, value),
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            text.push(b'{');
            for (name, each) in fields {
                field(text, name, |text| value(text, each));
            }
            text.push(b'}');
        }
        scalar => plain(text, scalar),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(body: &Value) -> String {
        hex::encode(of(&serde_json::from_value(body.clone()).unwrap()))
    }

    /// The properties are those that a message serialises, so this test includes every new one.
    #[test]
    fn every_property_of_a_publish_changes_its_fingerprint() {
        let body =
            serde_json::json!({"users": ["u1"], "title": "t", "deliverAt": "2027-01-02T03:04", "timeZone": "UTC"});
        let properties = serde_json::to_value(Message::default()).unwrap();
        // The key finds the fingerprint, so it is no part of it.
        for property in properties.as_object().unwrap().keys().filter(|property| *property != "idempotencyKey") {
            let other = match property.as_str() {
                "users" | "topics" => serde_json::json!(["other"]),
                "data" => serde_json::json!({"other": null}),
                "everyone" => true.into(),
                "priority" => "high".into(),
                "remindBefore" => serde_json::json!([60]),
                "escalation" => serde_json::json!([{"after": 60}]),
                "deliverAt" | "dueAt" | "expiresAt" => "2028-01-02T03:04".into(),
                _ => "other".into(),
            };
            let mut changed = body.clone();
            changed[property] = other;
            assert_ne!(hash(&changed), hash(&body), "{property}");
        }
    }

    #[test]
    fn the_canonical_form_never_changes() {
        let full = serde_json::json!({
            "users": ["u2", "u1"], "kind": "k", "category": "c", "priority": "high", "title": "T \"é\"", "message": "m\n",
            "data": {"b": [1, -2.5, null, {"z": true, "a": "\u{7}"}], "a\"é\u{301}\n": {}}, "actionUrl": "/a",
            "idempotencyKey": "key", "expiresAt": "2100-01-02T03:04:05.678Z",
        });
        assert_eq!(hash(&full), "274ca2fdbbb08dfdd2d6bb61a360d1591d160b25b04c846b5b9be928457dc191");
        assert_eq!(
            hash(&serde_json::json!({"users": ["u1"], "title": "t"})),
            "4cfc9526daee8599d9fd7a46d509e2a9480eb1c66c00675c0358ada6a3b75df2"
        );
        let timed = serde_json::json!({
            "users": ["u1"], "title": "t", "deliverAt": "2027-01-02T03:04:05.5+01:00", "dueAt": "2027-03-29T12:00",
            "timeZone": "Europe/Berlin", "remindBefore": [60, 3600], "threadKey": "t", "collapseKey": "c",
            "escalation": [{"after": 5}, {"after": 9, "topic": "team:7", "priority": "high"}],
        });
        assert_eq!(hash(&timed), "7b63f32ccdb6efb5755d22a156a8828313347242ffae349c4ce7dbb3562190e7");
        let message: Message = serde_json::from_value(timed).unwrap();
        let collapse = hex::encode(collapse(&message).unwrap());
        assert_eq!(collapse, "489d3ab369db7287401a2b9df851d6350423b9cd9a6413bb17708473aabd6ede");
    }
}
