//! The body that changes a publish that waits: some of a message's fields, bounded as there.

use serde::Deserialize;
use serde_json::Value;

use super::{Message, Problems, check, problem};
use crate::domain::{
    amendment::{Amendment, Change},
    local_time::WrittenTime,
    priority::Priority,
};

/// What is to be another way; what is left out stays as it is. Null takes `message`, `data` or `actionUrl` away.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
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
    /// Any JSON of at most 32 levels.
    #[serde(default)]
    #[schema(value_type = Option<Value>)]
    data: Change<Value>,
    /// Where a click leads.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    action_url: Change<String>,
}

/// Parses a change of a publish that waits.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_amendment(bytes: &[u8]) -> Result<Amendment, Problems> {
    let body: AmendmentBody = problem::deserialize(bytes)?;
    let mut message = Message {
        title: body.title.clone(),
        message: body.message.new_value().cloned(),
        data: body.data.new_value().cloned(),
        action_url: body.action_url.new_value().cloned(),
        deliver_at: body.deliver_at,
        expires_at: body.expires_at,
        time_zone: body.time_zone,
        ..Message::default()
    };
    check::fields(&mut message)?;
    let amendment = Amendment {
        deliver_at: message.times.deliver_at,
        expires_at: message.times.expires_at,
        priority: body.priority,
        title: body.title,
        message: body.message,
        data: body.data,
        action_url: body.action_url,
    };
    if amendment == Amendment::default() {
        return Err(Problems::one("", "names nothing to change"));
    }
    Ok(amendment)
}
