//! Entries of the stream as Redis answers them, read so that no foreign entry spoils the reading of others.

use redis::Value;

use crate::{
    config::PublishSettings,
    domain::{
        kinds::Kinds,
        notification::{NewNotification, Source},
        text::Malformed,
        user::Tenant,
    },
    message,
};

/// One entry: its id and the fields that matter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) tenant: Option<Vec<u8>>,
    pub(super) message: Option<Vec<u8>>,
}

/// The entries of an answer to XREADGROUP for one stream.
pub(super) fn of_read(answer: Value) -> Vec<Entry> {
    let entries = match answer {
        Value::Map(streams) => streams.into_iter().next().map(|(_, entries)| entries),
        Value::Array(streams) => match streams.into_iter().next() {
            Some(Value::Array(stream)) => stream.into_iter().nth(1),
            _ => None,
        },
        _ => None,
    };
    entries.map_or_else(Vec::new, of_claim)
}

/// The entries of an answer to XCLAIM; those that were deleted are left out.
pub(super) fn of_claim(answer: Value) -> Vec<Entry> {
    match answer {
        Value::Array(entries) => entries.into_iter().filter_map(entry).collect(),
        _ => Vec::new(),
    }
}

fn entry(value: Value) -> Option<Entry> {
    let Value::Array(parts) = value else { return None };
    let mut parts = parts.into_iter();
    let id = String::from_utf8(bytes(parts.next()?)?).ok()?;
    let mut entry = Entry { id, tenant: None, message: None };
    let mut fields = match parts.next() {
        Some(Value::Array(fields)) => fields.into_iter(),
        _ => return None,
    };
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        match bytes(name).as_deref() {
            Some(b"tenant") => entry.tenant = bytes(value),
            Some(b"message") => entry.message = bytes(value),
            _ => {}
        }
    }
    Some(entry)
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        _ => None,
    }
}

impl Entry {
    /// The publish that it holds, or why it holds none. Its id is the idempotency key where the body has none: ids
    /// begin with the time, so they stay unique when Redis has lost the stream.
    pub(super) fn parse(&self, limits: &PublishSettings, kinds: &Kinds) -> Result<NewNotification, String> {
        let tenant = self.tenant.as_deref().ok_or("the field tenant is missing")?;
        let tenant = str::from_utf8(tenant).map_err(|_| "the field tenant is not UTF-8")?;
        let tenant: Tenant = tenant.parse().map_err(|Malformed(why)| why)?;
        let message = self.message.as_deref().ok_or("the field message is missing")?;
        let key = format!("ingest:{}", self.id);
        message::parse(message, limits)
            .and_then(|message| message.into_new(tenant, Source::Stream, Some(key), kinds))
            .map_err(|problems| problems.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn raw(id: &str, fields: &[&str]) -> Value {
        Value::Array(vec![text(id), Value::Array(fields.iter().map(|field| text(field)).collect())])
    }

    #[test]
    fn both_forms_of_the_answer_are_read_and_foreign_entries_spoil_nothing() {
        let odd = Value::Array(vec![text("2-0"), Value::Array(vec![Value::BulkString(vec![0xff]), text("x")])]);
        let deleted = Value::Array(vec![text("3-0"), Value::Nil]);
        let entries =
            Value::Array(vec![raw("1-0", &["tenant", "t", "x", "y", "message", "m"]), odd, deleted, Value::Nil]);
        let map = Value::Map(vec![(text("s"), entries.clone())]);
        let array = Value::Array(vec![Value::Array(vec![text("s"), entries])]);
        for answer in [map, array] {
            let read = of_read(answer);
            assert_eq!(read.len(), 2);
            assert_eq!(
                read[0],
                Entry { id: "1-0".to_owned(), tenant: Some(b"t".to_vec()), message: Some(b"m".to_vec()) }
            );
            assert_eq!((read[1].id.as_str(), &read[1].tenant), ("2-0", &None));
        }
        assert_eq!(of_read(Value::Nil), []);
    }
}
