//! The body of one publish, the same by HTTP, by Redis channel and by Redis stream: parsed once, bounded, then trusted.
//!
//! Knows no transport: it answers with [`Problems`], which each way in reports in its own manner.

mod check;
mod cloud_event;
mod compose;
mod fingerprint;
mod problem;
mod signal;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

pub use self::{
    check::idempotency_key,
    signal::{FRAMING_BYTES, NewSignal, SignalMessage, parse as parse_signal, parse_for as parse_signal_for},
};
pub use crate::problem::{Problem, Problems};
use crate::{
    audience::Audience,
    config::PublishSettings,
    kinds::Kinds,
    notification::{Content, NewNotification, Priority, Source, Tenant, Timing, UserId},
    topic::Topic,
};

/// What a publisher writes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
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
    /// Who caused it: a user's id that is no recipient by topic or by `everyone`. Named in `users`, it is one.
    #[schema(value_type = Option<String>, example = "u7")]
    actor: Option<UserId>,
    /// What happened: 1 to 64 of A-Z, a-z, 0-9, `_`, `.`, `:` and `-`; `system_alert` when absent.
    kind: Option<String>,
    /// The group of kinds that a user sets preferences for; same characters as `kind`. The kind's when absent.
    category: Option<String>,
    /// How much it matters; the kind's when absent, else `medium`.
    priority: Option<Priority>,
    /// One line, 1 to 500 characters. Required, unless the kind has a template for it.
    #[schema(min_length = 1, max_length = 500)]
    title: Option<String>,
    /// The text below the title, at most 10,000 characters. When absent, what the kind's template makes of `data`, if it has one.
    #[schema(max_length = 10000)]
    message: Option<String>,
    /// Any JSON of at most 32 levels.
    data: Option<Value>,
    /// Where a click leads: an http or https URL, or a path that begins with one slash; at most 2,048 bytes.
    action_url: Option<String>,
    /// The publisher's own name for this publish: 1 to 200 printable ASCII characters.
    #[schema(min_length = 1, max_length = 200)]
    idempotency_key: Option<String>,
    /// When it leaves inboxes: in the future and before the year 2200.
    expires_at: Option<DateTime<Utc>>,
    /// Where in the body it stood, as a JSON pointer.
    #[serde(skip)]
    place: &'static str,
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
    check::names_nobody(&message)?;
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
        Ok(message) => check::fields(&message).map(|()| message),
        // `specversion` is no field of a message, so an event always comes by here and others rarely do.
        Err(_) if cloud_event::is_one(bytes) => cloud_event::read(bytes),
        Err(problems) => Err(problems),
    }
}

impl Message {
    /// The publisher's own name for this publish, if the body has one.
    pub fn idempotency_key(&self) -> Option<&str> {
        self.idempotency_key.as_deref()
    }

    /// Makes it ready for the write path, under a fresh id: what it leaves open is filled in from its kind.
    /// `default_key` is the idempotency key of a body that has none; the caller has passed it through
    /// [`idempotency_key`] or made it itself.
    ///
    /// # Errors
    /// When it has no title, or its kind's templates make texts of it that are out of bounds.
    pub fn into_new(
        self,
        tenant: Tenant,
        source: Source,
        default_key: Option<String>,
        kinds: &Kinds,
    ) -> Result<NewNotification, Problems> {
        let fingerprint = fingerprint::of(&self);
        let name = self.kind.as_deref().unwrap_or(DEFAULT_KIND);
        let kind = kinds.of(&tenant, name);
        let texts = compose::texts(&self, name, &kind).map_err(|problems| problems.below(self.place))?;
        let content = Content {
            category: self.category.or_else(|| kind.category.clone()),
            priority: self.priority.or(kind.priority).unwrap_or_default(),
            kind: self.kind.unwrap_or_else(|| DEFAULT_KIND.to_owned()),
            title: texts.title,
            message: texts.message,
            data: self.data,
            action_url: self.action_url,
            presentation: kind.presentation(),
        };
        Ok(NewNotification {
            id: Uuid::now_v7(),
            tenant,
            users: self.users,
            audience: Audience { topics: self.topics, everyone: self.everyone, actor: self.actor },
            decision: kind.decision(content.category.as_deref()),
            content: Arc::new(content),
            idempotency_key: self.idempotency_key.or(default_key),
            fingerprint,
            expires_at: self.expires_at.or_else(|| kind.expires_at()),
            source,
            timing: Timing::default(),
            thread_key: None,
            burst: None,
            collapse: None,
        })
    }
}

#[cfg(test)]
mod tests;
