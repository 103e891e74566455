//! The definition of a kind and of default channels by an administrator, with its bounds.

use std::{collections::BTreeMap, ops::RangeInclusive};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Template, Values};
use crate::domain::{
    channel::{Cause, Channel, Choices},
    notification::{MESSAGE_CHARS, TITLE_CHARS, image_url},
    priority::Priority,
    problem::{Problems, escape},
    text::{Malformed, word},
    timing::Burst,
};

const LABEL_CHARS: usize = 60;
const RETENTION_DAYS: i64 = 3_650;
/// Most categories of a tenant's defaults.
const CATEGORIES: usize = 200;
/// Seconds: a minute to thirty days.
const RELEVANCE: RangeInclusive<i64> = 60..=2_592_000;
/// The default of how long a missed call matters, in seconds.
const MISSED_CALLS: (&str, i64) = ("missedCalls", 4 * 60 * 60);

/// The definition of a kind. Every field is optional.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schema(example = json!({"category": "payments", "priority": "high", "titleTemplate": "Payment of {{data.amount}} received",
    "icon": "wallet", "channels": {"push": true}}))]
pub struct Definition {
    /// The category of messages that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// The priority of messages that name none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    /// The title of messages that have none: text with `{{data.path.to.field}}` in it; also `{{kind}}`, `{{category}}`,
    /// `{{priority}}` and `{{actionUrl}}`. A missing value is rendered as nothing. At most 500 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub title_template: Option<Template>,
    /// The same for the text below the title; at most 10,000 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub message_template: Option<Template>,
    /// The same for the image; every value in it is percent-encoded, and a message that lacks one has no image. An https URL, or a
    /// path that begins with one slash; at most 2,048 bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, example = "/avatars/{{data.customer.id}}.png")]
    pub image_url_template: Option<Template>,
    /// Name of an icon, for clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub icon: Option<String>,
    /// The text of the button that leads to `actionUrl`; at most 60 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action_label: Option<String>,
    /// After how many days messages leave the inbox that say nothing of it, 1 to 3,650.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 1, maximum = 3650)]
    pub retention_days: Option<i64>,
    /// Whether users cannot switch off its channels. It always reaches the inbox then.
    pub mandatory: bool,
    /// Name of a sound, for clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sound: Option<String>,
    /// Its default channels: `inbox`, `toast`, `browser`, `push`, `email`, `sms`, each true or false; of those not named the
    /// tenant's default holds.
    #[serde(skip_serializing_if = "Choices::is_empty")]
    #[schema(value_type = BTreeMap<String, bool>)]
    pub channels: Choices,
    /// Most items of it that an inbox gets within a window; further ones become one item. Items that are critical, due or on a
    /// thread do not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub burst: Option<Burst>,
}

impl Definition {
    /// Checks the bounds.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn check(&self) -> Result<(), Problems> {
        let mut found = Problems::default();
        for (pointer, name) in [("/category", &self.category), ("/icon", &self.icon), ("/sound", &self.sound)] {
            found.note(pointer, name.as_deref().map_or(Ok(()), word));
        }
        found.note("/actionLabel", self.action_label.as_deref().map_or(Ok(()), label));
        let longer = |template: &Option<Template>, most| template.as_ref().is_some_and(|it| it.chars() > most);
        if longer(&self.title_template, TITLE_CHARS) {
            found.note("/titleTemplate", Err(Malformed("at most 500 characters")));
        }
        if longer(&self.message_template, MESSAGE_CHARS) {
            found.note("/messageTemplate", Err(Malformed("at most 10,000 characters")));
        }
        found.note("/imageUrlTemplate", self.image_url_template.as_ref().map_or(Ok(()), image_url_template));
        if self.retention_days.is_some_and(|days| !(1..=RETENTION_DAYS).contains(&days)) {
            found.note("/retentionDays", Err(Malformed("1 to 3650 days")));
        }
        if self.mandatory && self.channels.get(Channel::Inbox) == Some(false) {
            found.note("/channels/inbox", Err(Malformed("a mandatory kind always reaches the inbox")));
        }
        found.into_result()
    }
}

/// Refuses a template whose host is not written out: browsers skip slashes before a host, so a value could name it.
fn image_url_template(template: &Template) -> Result<(), Malformed> {
    const WRONG: Malformed = Malformed("an https URL with its host written out, or a path that begins with one slash");
    let text = template.render(&Values::default());
    image_url(&text)?;
    let host = template.leading_text().strip_prefix("https://").map(|rest| rest.split_once('/'));
    match host {
        None if text.starts_with('/') => Ok(()),
        Some(Some((host, _))) if !host.is_empty() => Ok(()),
        Some(None) if template.leading_text() == template.as_str() => Ok(()),
        _ => Err(WRONG),
    }
}

fn label(text: &str) -> Result<(), Malformed> {
    if text.trim().is_empty() || text.chars().count() > LABEL_CHARS || text.chars().any(char::is_control) {
        return Err(Malformed("1 to 60 characters, not all of them blank, none of them a control character"));
    }
    Ok(())
}

/// A tenant's default channels, for kinds and users that say nothing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schema(example = json!({"channels": {"browser": true}, "categories": {"campaigns": {"toast": false}}}))]
pub struct Defaults {
    /// Of all kinds: `inbox`, `toast`, `browser`, `push`, `email`, `sms`, each true or false; inbox and toast are on and the
    /// others off where nothing is said.
    #[schema(value_type = BTreeMap<String, bool>)]
    pub channels: Choices,
    /// The same by category, which wins; at most 200.
    #[schema(value_type = BTreeMap<String, BTreeMap<String, bool>>)]
    pub categories: BTreeMap<String, Choices>,
    /// For how long an unread item of a category is in the summary, in seconds from its publish: 60 to 2,592,000; at most 200
    /// categories. Without end where nothing is said, but 14,400 for `missedCalls`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub relevance: BTreeMap<String, i64>,
}

impl Defaults {
    /// Checks the bounds.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn check(&self) -> Result<(), Problems> {
        let mut found = Problems::default();
        if self.categories.len() > CATEGORIES {
            found.note("/categories", Err(Malformed("at most 200 categories")));
        }
        for name in self.categories.keys() {
            found.note(format!("/categories/{}", escape(name)), word(name));
        }
        if self.relevance.len() > CATEGORIES {
            found.note("/relevance", Err(Malformed("at most 200 categories")));
        }
        for (name, seconds) in &self.relevance {
            let within = RELEVANCE.contains(seconds).then_some(()).ok_or(Malformed("60 to 2592000 seconds"));
            found.note(format!("/relevance/{}", escape(name)), word(name).and(within));
        }
        found.into_result()
    }

    /// Seconds by category for which unread items are relevant.
    pub fn relevance_in_force(&self) -> BTreeMap<String, i64> {
        let (name, seconds) = MISSED_CALLS;
        let mut relevance = self.relevance.clone();
        relevance.entry(name.to_owned()).or_insert(seconds);
        relevance
    }

    /// Whether a channel is taken in a category, and its source.
    pub fn choice(&self, category: Option<&str>, channel: Channel) -> (bool, Cause) {
        let by_category = category.and_then(|name| self.categories.get(name)?.get(channel));
        match by_category.or_else(|| self.channels.get(channel)) {
            Some(on) => (on, Cause::TenantDefault),
            None => (matches!(channel, Channel::Inbox | Channel::Toast), Cause::Default),
        }
    }
}
