//! `CloudEvents` 1.0 in JSON, structured mode: the message is the event's `data`.

use serde::{Deserialize, de::IgnoredAny};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::{
    Message, check, numbers,
    problem::{self, Problems},
};
use crate::domain::text::{Malformed, word};

/// The attributes that matter; `time`, `subject` and extensions are the publisher's own business.
#[derive(Deserialize)]
struct Event {
    specversion: String,
    id: String,
    source: String,
    r#type: String,
    data: Box<RawValue>,
}

/// The JSON pointer to the message.
const POINTER: &str = "/data";

/// Whether the body is an object that calls itself an event.
pub(super) fn is_one(bytes: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Mark {
        #[serde(rename = "specversion")]
        _version: IgnoredAny,
    }
    serde_json::from_slice::<Mark>(bytes).is_ok()
}

/// The message inside an event. Fields of the message win over the event: its kind over `type`, its
/// idempotency key over `source` and `id`.
pub(super) fn read(bytes: &[u8]) -> Result<Message, Problems> {
    let event: Event = problem::deserialize(bytes)?;
    if event.specversion != "1.0" {
        return Err(Problems::one("/specversion", "must be 1.0"));
    }
    for (pointer, text) in [("/id", &event.id), ("/source", &event.source)] {
        if text.is_empty() {
            return Err(Problems::one(pointer, "must not be empty"));
        }
    }
    let body = event.data.get().as_bytes();
    let read = problem::deserialize(body).map_err(|inner| numbers::or_altered(body, inner).below(POINTER));
    let mut message: Message = read?;
    if message.kind.is_none() {
        word(&event.r#type).map_err(|Malformed(detail)| Problems::one("/type", detail))?;
        message.kind = Some(event.r#type);
    }
    message.pointer = POINTER;
    message.idempotency_key.get_or_insert_with(|| key(&event.source, &event.id));
    check::fields(&mut message, body).map_err(|inner| inner.below(POINTER))?;
    Ok(message)
}

/// One key for `source` and `id`: readable if it is unambiguous and short enough, otherwise hashed.
fn key(source: &str, id: &str) -> String {
    let readable = format!("{source} {id}");
    if !source.contains(' ') && check::idempotency_key(&readable).is_ok() {
        return readable;
    }
    let hash = Sha256::new().chain_update(source.len().to_le_bytes()).chain_update(source).chain_update(id);
    format!("sha256:{}", hex::encode(hash.finalize()))
}
