//! The body of one publish, the same by HTTP, by Redis channel and by Redis stream: parsed once, bounded, then trusted.
//!
//! Knows no transport: it answers with [`Problems`], which each way in reports in its own manner.

mod amend;
mod check;
mod cloud_event;
mod compose;
mod due;
mod fingerprint;
mod numbers;
mod problem;
mod signal;
mod times;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use self::times::Times;
pub use self::{
    amend::{Amendment, AmendmentBody, parse_amendment},
    check::idempotency_key,
    signal::{FRAMING_BYTES, NewSignal, SignalMessage, parse as parse_signal, parse_for as parse_signal_for},
};
pub use crate::domain::problem::{Problem, Problems};
use crate::{
    config::PublishSettings,
    domain::{
        audience::Audience,
        kinds::Kinds,
        local_time::WrittenTime,
        notification::{NewNotification, Source},
        priority::Priority,
        timing::{Due, Timing},
        topic::Topic,
        user::{Tenant, UserId},
    },
};

/// The body of a publish.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Message {
    /// The recipients; duplicates count once.
    #[serde(default, deserialize_with = "problem::user_ids", serialize_with = "problem::user_texts")]
    #[schema(value_type = Vec<String>, example = json!(["u1"]))]
    users: Vec<UserId>,
    /// Topics whose subscribers get it, at most 20; each must be known.
    #[serde(default)]
    #[schema(value_type = Vec<String>, max_items = 20, example = json!(["team:7"]))]
    topics: Vec<Topic>,
    /// Whether every user of the tenant gets it.
    #[serde(default)]
    everyone: bool,
    /// The user who caused it: an id that is no recipient by topic or by `everyone`. Named in `users`, it is one.
    #[schema(value_type = Option<String>, example = "u7")]
    actor: Option<UserId>,
    /// The type of the notification: 1 to 64 of A-Z, a-z, 0-9, `_`, `.`, `:` and `-`; `system_alert` when absent.
    kind: Option<String>,
    /// The group of kinds that a user sets preferences for; same characters as `kind`. The kind's when absent.
    category: Option<String>,
    /// How much it matters; the kind's when absent, otherwise `medium`.
    priority: Option<Priority>,
    /// One line, 1 to 500 characters. Required, unless the kind has a template for it.
    #[schema(min_length = 1, max_length = 500)]
    title: Option<String>,
    /// The text below the title, at most 10,000 characters. When absent, the result of the kind's template, if it has one.
    #[schema(max_length = 10000)]
    message: Option<String>,
    /// Any JSON of at most 32 levels. Numbers keep their value: one that would not, as a 64-bit integer or a double, is refused.
    data: Option<Value>,
    /// The address that a click opens: an http or https URL, or a path that begins with one slash; at most 2,048 bytes.
    action_url: Option<String>,
    /// An image that belongs to it: an https URL, or a path that begins with one slash; at most 2,048 bytes. When absent, what the
    /// kind's template makes of `data`, if it has one.
    image_url: Option<String>,
    /// The publisher's own name for this publish: 1 to 200 printable ASCII characters.
    #[schema(min_length = 1, max_length = 200)]
    idempotency_key: Option<String>,
    /// When it is delivered; at once when absent. RFC 3339 with an offset, or a local time such as `2027-03-01T08:30` beside
    /// `timeZone`; in the future, at most 1,830 days ahead, before `dueAt` and `expiresAt`.
    #[schema(value_type = Option<String>, example = "2027-03-01T08:30:00+01:00")]
    deliver_at: Option<WrittenTime>,
    /// By when something is to be done; written like `deliverAt`. At most 366 days ago and before the year 2200. Not with `everyone`
    /// or `threadKey`.
    #[schema(value_type = Option<String>, example = "2027-03-01T14:00:00+01:00")]
    due_at: Option<WrittenTime>,
    /// When it leaves inboxes; written like `deliverAt`. In the future, after `dueAt` and before the year 2200.
    #[schema(value_type = Option<String>, example = "2027-03-02T00:00:00+01:00")]
    expires_at: Option<WrittenTime>,
    /// The IANA time zone of the times that have no offset.
    #[schema(example = "Europe/Berlin")]
    time_zone: Option<String>,
    /// How many seconds before `dueAt` to remind: at most 5, from 1 to 2,592,000 each, none twice.
    #[serde(default)]
    #[schema(max_items = 5, example = json!([3600, 600]))]
    remind_before: Vec<i64>,
    /// The steps after `dueAt` until it is done: at most 10 in the order of their times.
    #[serde(default)]
    #[schema(max_items = 10)]
    escalation: Vec<due::Escalation>,
    /// A later notification with the same key replaces this one in an inbox that has it, unread, instead of adding an item:
    /// 1 to 200 printable ASCII characters.
    #[schema(min_length = 1, max_length = 200)]
    thread_key: Option<String>,
    /// A scheduled publish with the same key and recipients is called off for this one: 1 to 200
    /// printable ASCII characters.
    #[schema(min_length = 1, max_length = 200)]
    collapse_key: Option<String>,
    /// The times above as instants.
    #[serde(skip)]
    times: Times,
    /// The JSON pointer to the message in the body.
    #[serde(skip)]
    pointer: &'static str,
}

/// The kind of a message that names none.
const DEFAULT_KIND: &str = "system_alert";

/// Parses a body that names its own recipients: a message, or a `CloudEvent` whose `data` is one.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse(bytes: &[u8], limits: &PublishSettings) -> Result<Message, Problems> {
    let mut message = read(bytes, limits)?;
    check::recipients(&mut message, limits.recipients)?;
    Ok(message)
}

/// Whom a channel, or a signal, is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipient {
    /// One user.
    User(UserId),
    /// The subscribers of a topic.
    Topic(Topic),
}

/// Parses a body whose recipient is known from elsewhere and which therefore must name none.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_for(recipient: Recipient, bytes: &[u8], limits: &PublishSettings) -> Result<Message, Problems> {
    let mut message = read(bytes, limits)?;
    check::names_no_recipient(&message)?;
    match recipient {
        Recipient::User(user) => message.users.push(user),
        Recipient::Topic(topic) => message.topics.push(topic),
    }
    Ok(message)
}

/// Reads and checks all but the recipients.
fn read(bytes: &[u8], limits: &PublishSettings) -> Result<Message, Problems> {
    if bytes.len() > limits.body_bytes {
        return Err(Problems::one("", format!("the body has more than {} bytes", limits.body_bytes)));
    }
    // An array would be read as a message, field by field.
    if bytes.trim_ascii_start().first().is_some_and(|&first| first == b'[') {
        return Err(Problems::one("", "must be a JSON object"));
    }
    match problem::deserialize::<Message>(bytes) {
        Ok(mut message) => check::fields(&mut message, bytes).map(|()| message),
        // `specversion` is no field of a message, so an event always comes by here and others rarely do.
        Err(_) if cloud_event::is_one(bytes) => cloud_event::read(bytes),
        Err(problems) => Err(numbers::or_altered(bytes, problems)),
    }
}

impl Message {
    /// The publisher's own name for this publish, if the body has one.
    pub fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }

    /// Makes it ready for the write path, under a fresh id: missing fields are filled in from its kind.
    /// `default_key` is the idempotency key of a body that has none; the caller has passed it through
    /// [`idempotency_key`] or made it itself.
    ///
    /// # Errors
    /// When it has no title, its kind's templates make texts of it that are out of bounds, or its escalation leads
    /// nowhere.
    pub fn into_new(
        mut self,
        tenant: Tenant,
        source: Source,
        default_key: Option<String>,
        kinds: &Kinds,
    ) -> Result<NewNotification, Problems> {
        let (fingerprint, collapse) = (fingerprint::of(&self), fingerprint::collapse(&self));
        let kind = kinds.of(&tenant, self.kind.as_deref().unwrap_or(DEFAULT_KIND));
        let content = compose::content(&mut self, &kind).map_err(|problems| problems.below(self.pointer))?;
        let priority = content.priority;
        due::check_course(&self, priority).map_err(|problems| problems.below(self.pointer))?;
        let Times { deliver_at, due_at, expires_at } = self.times;
        let due = due_at.map(|at| due::due(at, &self.remind_before, self.escalation));
        let end = due.as_ref().map(Due::end);
        if expires_at.zip(end).is_some_and(|(expires_at, end)| expires_at <= end) {
            let wrong = Problems::one("/expiresAt", "must be after dueAt and the last step of escalation");
            return Err(wrong.below(self.pointer));
        }
        let begin = self.times.begin();
        // A notification that must be seen, or has an item of its own to keep, is never folded into another.
        let apart = priority == Priority::Critical || due_at.is_some() || self.thread_key.is_some();
        Ok(NewNotification {
            id: Uuid::now_v7(),
            tenant,
            users: self.users,
            audience: Audience { topics: self.topics, everyone: self.everyone, actor: self.actor },
            decision: kind.decision(content.category.as_deref()),
            content: Arc::new(content),
            idempotency_key: self.idempotency_key.or(default_key),
            fingerprint,
            expires_at: expires_at.or_else(|| kind.expires_at(end.map_or(begin, |end| end.max(begin)))),
            timing: Timing { deliver_at, due, fixed_expiry: deliver_at.and(expires_at).is_some() },
            thread_key: self.thread_key,
            burst: kind.burst.filter(|_| !apart),
            collapse,
            source,
        })
    }
}

#[cfg(test)]
mod tests;
