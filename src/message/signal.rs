//! The body of a signal, the same by HTTP and by Redis channel.

use serde::Deserialize;
use serde_json::Value;

use super::{
    Recipient, check, numbers,
    problem::{self, Problems},
};
use crate::domain::{
    signal::{Address, KEY_BYTES, PRESENCE, Subject, TopicKey},
    topic::Topic,
    user::{Tenant, UserId, UserKey},
};

/// Bytes of a body beside its data.
pub const FRAMING_BYTES: usize = 2 * 1024;

/// A signal as its sender writes it: `topic` or `user`, one of them.
#[derive(Debug, Clone, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignalMessage {
    /// The topic whose subscribers get it.
    #[schema(value_type = Option<String>, example = "queue:7")]
    topic: Option<Topic>,
    /// The user who gets it; for publishers only.
    #[schema(value_type = Option<String>)]
    user: Option<UserId>,
    /// The type of the signal: 1 to 64 of A-Z, a-z, 0-9, `_`, `.`, `:` and `-`.
    #[schema(example = "metrics_updated")]
    kind: String,
    /// Which thing it is about, at most 200 bytes. A newer signal of the same topic, kind and key replaces one that a reader has
    /// not got yet.
    #[serde(default)]
    #[schema(max_length = 200)]
    key: String,
    /// Any JSON of at most 32 levels whose numbers keep their value; its bytes are bounded by the setting `signal_bytes`.
    #[serde(default)]
    data: Value,
}

/// A signal that keeps every bound.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSignal {
    /// The recipient.
    pub to: Recipient,
    /// The kind.
    pub kind: Box<str>,
    /// Which thing it is about.
    pub key: Box<str>,
    /// The rest, as one line of JSON.
    pub data: String,
}

impl NewSignal {
    /// The subject, within this tenant.
    pub fn subject(&self, tenant: &Tenant) -> Subject {
        let tenant = tenant.clone();
        let to = match self.to.clone() {
            Recipient::Topic(topic) => Address::Topic(TopicKey { tenant, topic }),
            Recipient::User(user) => Address::User(UserKey { tenant, user }),
        };
        Subject { to, kind: self.kind.clone(), key: self.key.clone() }
    }
}

/// Parses a body that names its recipient.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(bytes: &[u8], most_data: usize) -> Result<NewSignal, Problems> {
    let mut message = read(bytes, most_data)?;
    let to = match (message.topic.take(), message.user.take()) {
        (Some(topic), None) => Recipient::Topic(topic),
        (None, Some(user)) => Recipient::User(user),
        _ => return Err(Problems::one("", "must have either topic or user")),
    };
    message.checked(to, bytes, most_data)
}

/// Parses a body whose recipient is known from elsewhere and which therefore must name none.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_for(to: Recipient, bytes: &[u8], most_data: usize) -> Result<NewSignal, Problems> {
    let message = read(bytes, most_data)?;
    for (pointer, named) in [("/topic", message.topic.is_some()), ("/user", message.user.is_some())] {
        if named {
            return Err(Problems::one(pointer, "the channel names the recipient, so the body must not"));
        }
    }
    message.checked(to, bytes, most_data)
}

fn read(bytes: &[u8], most_data: usize) -> Result<SignalMessage, Problems> {
    if bytes.len() > most_data + FRAMING_BYTES {
        return Err(Problems::one("", format!("the body has more than {} bytes", most_data + FRAMING_BYTES)));
    }
    // An array would be read as a signal, field by field.
    if bytes.trim_ascii_start().first().is_some_and(|&first| first == b'[') {
        return Err(Problems::one("", "must be a JSON object"));
    }
    problem::deserialize(bytes).map_err(|problems| numbers::or_altered(bytes, problems))
}

impl SignalMessage {
    fn checked(self, to: Recipient, body: &[u8], most_data: usize) -> Result<NewSignal, Problems> {
        let mut problems = check::word_and_data(&self.kind, &self.data, body);
        if self.kind == PRESENCE {
            let detail = "only the server tells of presence".to_owned();
            problems.push(problem::Problem { pointer: "/kind".to_owned(), detail });
        }
        if self.key.len() > KEY_BYTES || self.key.chars().any(char::is_control) {
            problems.push(problem::Problem {
                pointer: "/key".to_owned(),
                detail: format!("at most {KEY_BYTES} bytes without control characters"),
            });
        }
        // A JSON value always serialises.
        let data = serde_json::to_string(&self.data).unwrap_or_default();
        if data.len() > most_data {
            let detail = format!("at most {most_data} bytes of JSON (signal_bytes)");
            problems.push(problem::Problem { pointer: "/data".to_owned(), detail });
        }
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        Ok(NewSignal { to, kind: self.kind.into(), key: self.key.into(), data })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(body: &str) -> Vec<String> {
        let problems = parse(body.as_bytes(), 100).unwrap_err();
        problems.0.into_iter().map(|problem| problem.pointer).collect()
    }

    #[test]
    fn a_signal_has_one_recipient_and_keeps_its_bounds() {
        let signal = parse(br#"{"topic":"queue:7","kind":"typing","data":{ "a": [1] }}"#, 100).unwrap();
        assert_eq!(signal.to, Recipient::Topic("queue:7".parse().unwrap()));
        assert_eq!((&*signal.key, signal.data.as_str()), ("", r#"{"a":[1]}"#));
        assert_eq!(parse(br#"{"user":"u","kind":"k"}"#, 100).unwrap().data, "null");
    }

    #[test]
    fn everything_that_is_wrong_is_named() {
        assert_eq!(wrong(r#"{"kind":"k"}"#), [""]);
        assert_eq!(wrong(r#"{"kind":"k","topic":"a","user":"u"}"#), [""]);
        assert_eq!(wrong(r#"{"topic":"a b","kind":"k"}"#), ["/topic"]);
        assert_eq!(wrong(r#"{"topic":"a","kind":"k","more":1}"#), ["/more"]);
        let long = "x".repeat(201);
        let body = format!(r#"{{"topic":"a","kind":"a b","key":"{long}","data":"{long}"}}"#);
        assert_eq!(wrong(&body), ["/kind", "/key", "/data"]);
        assert_eq!(wrong(r#"{"topic":"a","kind":"presence"}"#), ["/kind"]);
        let named = parse_for(Recipient::Topic("a".parse().unwrap()), br#"{"kind":"k","user":"u"}"#, 100);
        assert_eq!(named.unwrap_err().0[0].pointer, "/user");
    }

    #[test]
    fn a_signal_is_taken_up_to_its_bounds() {
        let body = |key: usize, data: usize| {
            format!(r#"{{"topic":"a","kind":"k","key":"{}","data":"{}"}}"#, "x".repeat(key), "x".repeat(data))
        };
        // Quotes are part of the data.
        assert!(parse(body(200, 98).as_bytes(), 100).is_ok());
        assert_eq!((wrong(&body(201, 98)), wrong(&body(200, 99))), (vec!["/key".to_owned()], vec!["/data".to_owned()]));
        assert_eq!(wrong(r#"{"topic":"a","kind":"k","key":"a\u0007"}"#), ["/key"]);
        assert_eq!(wrong(r#" ["a", null, "k", "1", null]"#), [""], "an array is no signal");
        let padded = |bytes: usize| format!("{:<bytes$}", r#"{"topic":"a","kind":"k"}"#);
        assert!(parse(padded(100 + FRAMING_BYTES).as_bytes(), 100).is_ok());
        assert_eq!(wrong(&padded(101 + FRAMING_BYTES)), [""]);
    }

    #[test]
    fn a_signal_is_about_its_address_kind_and_key() {
        let tenant: Tenant = "t".parse().unwrap();
        let (topic, user): (Topic, UserId) = ("team:7".parse().unwrap(), "u".parse().unwrap());
        for (to, address) in [
            (Recipient::Topic(topic.clone()), Address::Topic(TopicKey { tenant: tenant.clone(), topic })),
            (Recipient::User(user.clone()), Address::User(UserKey { tenant: tenant.clone(), user })),
        ] {
            let signal = parse_for(to.clone(), br#"{"kind":"k","key":"1","data":2}"#, 100).unwrap();
            assert_eq!((&signal.to, signal.data.as_str()), (&to, "2"));
            assert_eq!(signal.subject(&tenant), Subject { to: address, kind: "k".into(), key: "1".into() });
            let named = parse_for(to, br#"{"kind":"k","topic":"team:7"}"#, 100);
            assert_eq!(named.unwrap_err().0[0].pointer, "/topic");
        }
    }
}
