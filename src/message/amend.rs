//! The body that changes a scheduled publish: some of a message's fields, bounded as there.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{Message, Problems, check, numbers, problem};
use crate::domain::{local_time::WrittenTime, notification::Content, priority::Priority};

/// The change of an optional value.
#[derive(Debug, Clone, PartialEq, Default)]
enum Change<T> {
    /// It stays as it is.
    #[default]
    Keep,
    /// It is to be absent.
    Clear,
    /// It is to be this.
    To(T),
}

impl<T: Clone> Change<T> {
    fn new_value(&self) -> Option<T> {
        if let Self::To(value) = self { Some(value.clone()) } else { None }
    }

    fn apply(&self, before: Option<T>) -> Option<T> {
        match self {
            Self::Keep => before,
            Self::Clear => None,
            Self::To(value) => Some(value.clone()),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Change<T> {
    /// Null clears; an absent field has to default to [`Change::Keep`].
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(json)?.map_or(Self::Clear, Self::To))
    }
}

/// A change of a scheduled publish, within the bounds; fields that it leaves out stay as they are.
#[derive(Debug, Clone, PartialEq)]
pub struct Amendment {
    /// When it is delivered.
    pub deliver_at: Option<DateTime<Utc>>,
    /// When it leaves inboxes.
    pub expires_at: Option<DateTime<Utc>>,
    body: AmendmentBody,
}

impl Amendment {
    /// The content after the amendment.
    pub fn apply(&self, before: Content) -> Content {
        let Self { body, .. } = self;
        Content {
            priority: body.priority.unwrap_or(before.priority),
            title: body.title.clone().unwrap_or(before.title),
            message: body.message.apply(before.message),
            data: body.data.apply(before.data),
            action_url: body.action_url.apply(before.action_url),
            image_url: body.image_url.apply(before.image_url),
            ..before
        }
    }
}

/// The fields to change; a missing field stays as it is. Null removes `message`, `data`, `actionUrl` or `imageUrl`.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AmendmentBody {
    /// When it is delivered, as in a publish.
    #[schema(value_type = Option<String>, example = "2026-12-01T09:00:00Z")]
    deliver_at: Option<WrittenTime>,
    /// When it leaves inboxes, as in a publish.
    #[schema(value_type = Option<String>)]
    expires_at: Option<WrittenTime>,
    /// The zone of times without an offset.
    time_zone: Option<String>,
    /// How much it matters.
    priority: Option<Priority>,
    /// One line.
    title: Option<String>,
    /// The text below the title.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    message: Change<String>,
    /// Any JSON of at most 32 levels whose numbers keep their value.
    #[serde(default)]
    #[schema(value_type = Option<Value>)]
    data: Change<Value>,
    /// The address that a click opens.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    action_url: Change<String>,
    /// An image that belongs to it.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    image_url: Change<String>,
}

/// Parses a change of a scheduled publish.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_amendment(bytes: &[u8]) -> Result<Amendment, Problems> {
    let read = problem::deserialize(bytes);
    let body: AmendmentBody = read.map_err(|problems| numbers::or_altered(bytes, problems))?;
    let mut message = Message {
        title: body.title.clone(),
        message: body.message.new_value(),
        data: body.data.new_value(),
        action_url: body.action_url.new_value(),
        image_url: body.image_url.new_value(),
        deliver_at: body.deliver_at,
        expires_at: body.expires_at,
        time_zone: body.time_zone.clone(),
        ..Message::default()
    };
    check::fields(&mut message, bytes)?;
    if (AmendmentBody { time_zone: None, ..body.clone() }) == AmendmentBody::default() {
        return Err(Problems::one("", "names nothing to change"));
    }
    let times = message.times;
    Ok(Amendment { deliver_at: times.deliver_at, expires_at: times.expires_at, body })
}
