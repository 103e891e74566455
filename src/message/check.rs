//! The bounds of a message's fields; every broken one is reported, not only the first.

use std::{collections::HashSet, hash::Hash};

use serde_json::Value;

use super::{
    Message, due, numbers,
    problem::{Problem, Problems, escape},
    times,
};
use crate::domain::{
    notification::{MESSAGE_CHARS, TITLE_CHARS, action_url, image_url},
    text::{Malformed, word},
};

/// Most topics of one publish: each is looked up.
const TOPICS: usize = 20;
/// Most levels of `data`.
pub(super) const DATA_DEPTH: usize = 32;
const KEY_BYTES: usize = 200;

/// Checks an idempotency key, from a body or from a header: 1 to 200 printable ASCII characters.
///
/// # Errors
/// When it is not.
pub fn idempotency_key(text: &str) -> Result<(), Malformed> {
    key(text).map_err(|_| Malformed("an idempotency key is 1 to 200 printable ASCII characters"))
}

/// The same of a publisher's other keys.
fn key(text: &str) -> Result<(), Malformed> {
    let printable = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if text.is_empty() || text.len() > KEY_BYTES || !printable {
        return Err(Malformed("1 to 200 printable ASCII characters"));
    }
    Ok(())
}

/// Drops repeated recipients and bounds the rest; `most` is of users.
pub(super) fn recipients(message: &mut Message, most: usize) -> Result<(), Problems> {
    let Message { users, topics, everyone, .. } = message;
    drop_repeated(users);
    drop_repeated(topics);
    if topics.len() > TOPICS {
        return Err(Problems::one("/topics", format!("at most {TOPICS} topics")));
    }
    if users.len() > most || (users.is_empty() && topics.is_empty() && !*everyone) {
        return Err(Problems::one("/users", format!("1 to {most} users, or topics, or everyone, must be named")));
    }
    Ok(())
}

fn drop_repeated<T: Clone + Eq + Hash>(list: &mut Vec<T>) {
    if list.len() > 1 {
        let mut seen = HashSet::with_capacity(list.len());
        list.retain(|each| seen.insert(each.clone()));
    }
}

/// Refuses a body that names recipients where the channel does.
pub(super) fn names_no_recipient(message: &Message) -> Result<(), Problems> {
    let named = [
        ("/users", !message.users.is_empty()),
        ("/topics", !message.topics.is_empty()),
        ("/everyone", message.everyone),
    ];
    match named.into_iter().find(|(_, named)| *named) {
        Some((pointer, _)) => Err(Problems::one(pointer, "the channel names the recipient, so the body must not")),
        None => Ok(()),
    }
}

/// Checks all fields but the recipients, and settles the times; `body` is what the message was read from.
pub(super) fn fields(message: &mut Message, body: &[u8]) -> Result<(), Problems> {
    let mut found = Found::default();
    found.note_if("/title", message.title.as_deref(), title);
    found.note_if("/kind", message.kind.as_deref(), word);
    found.note_if("/category", message.category.as_deref(), word);
    found.note_if("/message", message.message.as_deref(), text);
    found.note_if("/actionUrl", message.action_url.as_deref(), action_url);
    found.note_if("/imageUrl", message.image_url.as_deref(), image_url);
    found.note_if("/idempotencyKey", message.idempotency_key.as_deref(), idempotency_key);
    found.note_if("/threadKey", message.thread_key.as_deref(), key);
    found.note_if("/collapseKey", message.collapse_key.as_deref(), key);
    if let Some(value) = &message.data {
        found.data(value, "/data", 0);
    }
    let mut problems = Problems(found.problems(body));
    message.times = times::settle(message, &mut problems);
    due::check(message, &mut problems);
    problems.into_result()
}

/// Checks a kind and data outside of a publish, as in a signal; `body` is their text.
pub(super) fn word_and_data(kind: &str, data: &Value, body: &[u8]) -> Vec<Problem> {
    let mut found = Found::default();
    found.note("/kind", word(kind));
    found.data(data, "/data", 0);
    found.problems(body)
}

/// Collects faults.
#[derive(Default)]
struct Found {
    problems: Vec<Problem>,
    /// Whether `data` has a number that was read as a double: the text alone tells whether it kept its value.
    has_double: bool,
}

impl Found {
    fn note(&mut self, pointer: &str, result: Result<(), Malformed>) {
        if let Err(Malformed(detail)) = result {
            self.add(pointer, detail);
        }
    }

    /// All of it, with what only the text of the body tells.
    fn problems(mut self, body: &[u8]) -> Vec<Problem> {
        if self.has_double {
            self.problems.extend(numbers::altered(body));
        }
        self.problems
    }

    fn add(&mut self, pointer: &str, detail: &str) {
        self.problems.push(Problem { pointer: pointer.to_owned(), detail: detail.to_owned() });
    }

    fn note_if<T>(&mut self, pointer: &str, value: Option<T>, check: impl Fn(T) -> Result<(), Malformed>) {
        if let Some(value) = value {
            self.note(pointer, check(value));
        }
    }

    /// Reports the first fault of `data` and stops there. Recursion ends at [`DATA_DEPTH`].
    fn data(&mut self, value: &Value, pointer: &str, depth: usize) -> bool {
        let fault = match value {
            Value::String(text) => text.contains('\0').then_some(NUL),
            Value::Object(fields) if fields.keys().any(|key| key.contains('\0')) => Some(NUL),
            Value::Array(_) | Value::Object(_) if depth == DATA_DEPTH => {
                Some("data may be nested 32 levels deep at most")
            }
            _ => None,
        };
        if let Some(detail) = fault {
            self.add(pointer, detail);
            return false;
        }
        match value {
            Value::Array(items) => {
                let mut items = items.iter().enumerate();
                items.all(|(index, item)| {
                    self.note_double(item);
                    is_scalar(item) || self.data(item, &format!("{pointer}/{index}"), depth + 1)
                })
            }
            Value::Object(fields) => {
                let mut fields = fields.iter();
                fields.all(|(key, field)| self.data(field, &format!("{pointer}/{}", escape(key)), depth + 1))
            }
            number => {
                self.note_double(number);
                true
            }
        }
    }

    fn note_double(&mut self, value: &Value) {
        self.has_double |= value.is_f64();
    }
}

/// Postgres cannot keep it, neither in text nor in jsonb.
const NUL: &str = "the character U+0000 is not allowed";

/// Whether nothing can be wrong with it.
fn is_scalar(value: &Value) -> bool {
    matches!(value, Value::Null | Value::Bool(_) | Value::Number(_))
}

pub(super) fn title(text: &str) -> Result<(), Malformed> {
    if text.trim().is_empty() || text.chars().count() > TITLE_CHARS {
        return Err(Malformed("a title of 1 to 500 characters, not all of them blank, is required"));
    }
    if text.contains('\0') {
        return Err(Malformed(NUL));
    }
    Ok(())
}

pub(super) fn text(text: &str) -> Result<(), Malformed> {
    if text.chars().count() > MESSAGE_CHARS {
        return Err(Malformed("at most 10,000 characters"));
    }
    if text.contains('\0') {
        return Err(Malformed(NUL));
    }
    Ok(())
}
