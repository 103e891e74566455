//! Topics: named rooms such as `team:7`, and the patterns by which a token lets its user join them.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::text::{Malformed, as_text};

/// Most bytes of a topic's name.
pub const TOPIC_BYTES: usize = 200;
/// How far the clocks of clients may be behind ours.
const CLOCKS_APART: TimeDelta = TimeDelta::minutes(1);
/// 2200-01-01T00:00:00Z in seconds since 1970.
const MUTE_END: i64 = 7_258_118_400;

/// A topic within a tenant: a kind, then perhaps a colon and the rest, in 1 to [`TOPIC_BYTES`] characters of
/// `A-Z a-z 0-9 _ . : -`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Topic(Arc<str>);
as_text!(Topic);

impl Topic {
    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the first colon, by which access and the like are set.
    pub fn kind(&self) -> &str {
        kind(&self.0)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Topic {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        const WRONG: Malformed = Malformed(
            "a topic is 1 to 200 characters of A-Z, a-z, 0-9, _, ., : and -, and begins and ends with none of them but _",
        );
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
        let edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
        let bytes = text.as_bytes();
        if text.len() > TOPIC_BYTES
            || !bytes.iter().copied().all(allowed)
            || !edge(bytes.first())
            || !edge(bytes.last())
        {
            return Err(WRONG);
        }
        Ok(Self(text.into()))
    }
}

/// One topic, or all whose names begin in the same way: `team:*`, `team:7:*`. A kind is always named, so that no
/// pattern grants every topic there is or will be.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicPattern(Arc<str>);
as_text!(TopicPattern);

impl TopicPattern {
    /// The pattern as the token has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it covers this topic.
    pub fn covers(&self, topic: &Topic) -> bool {
        match self.0.strip_suffix('*') {
            Some(start) => topic.as_str().len() > start.len() && topic.as_str().starts_with(start),
            None => *self.0 == *topic.0,
        }
    }
}

impl FromStr for TopicPattern {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        const WRONG: Malformed =
            Malformed("a pattern is a topic such as team:7, or a beginning with its kind such as team:*");
        // A pattern ends in a star after a colon, so the text before the colon must be a topic itself.
        let name = text.strip_suffix(":*").unwrap_or(text);
        name.parse::<Topic>().map_err(|_| WRONG)?;
        Ok(Self(text.into()))
    }
}

/// A kind of topics: the part of their names before the first colon.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TopicKind(Topic);
as_text!(TopicKind);

impl TopicKind {
    /// The kind's name.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl FromStr for TopicKind {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        const WRONG: Malformed = Malformed("a kind of topics is the part of a topic before its first colon");
        let name: Topic = text.parse().map_err(|_| WRONG)?;
        if name.kind() == text { Ok(Self(name)) } else { Err(WRONG) }
    }
}

/// The rule by which users may join topics of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Access {
    /// Every user.
    Open,
    /// Members, and those whose token covers the topic.
    Members,
    /// Every user, but only publishers send signals.
    ReadOnly,
}

/// The rules of all topics of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// The rule by which users may join.
    pub access: Access,
    /// A reader gets signals of one key no faster than this.
    pub signal_interval: Duration,
    /// Whether connected subscribers get signals about each other.
    pub presence: bool,
}

impl Default for Rules {
    /// The rules of kinds that are not registered.
    fn default() -> Self {
        Self { access: Access::Members, signal_interval: Duration::ZERO, presence: true }
    }
}

/// Until when nothing of a topic interrupts its subscriber; written as a time (RFC 3339) or as `forever`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum MutedUntil {
    /// Until then.
    Time(DateTime<Utc>),
    /// Until it is unmuted.
    Forever,
}

impl MutedUntil {
    /// Checks the time of a new mute: it must be in the future, though clocks may be a minute apart.
    ///
    /// # Errors
    /// When it is over, or in the year 2200 or later.
    pub fn check(self, now: DateTime<Utc>) -> Result<(), Malformed> {
        const WRONG: Malformed =
            Malformed("must be a time to come before the year 2200, or \"forever\"; null ends a mute");
        match self {
            Self::Time(time) if time < now - CLOCKS_APART || time.timestamp() >= MUTE_END => Err(WRONG),
            _ => Ok(()),
        }
    }
}

/// The change of a subscriber's mute of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mute {
    /// The mute remains as it is.
    #[default]
    Keep,
    /// Over.
    Off,
    /// Muted until then.
    Until(MutedUntil),
}

impl From<MutedUntil> for String {
    fn from(until: MutedUntil) -> Self {
        match until {
            MutedUntil::Time(time) => time.to_rfc3339_opts(SecondsFormat::AutoSi, true),
            MutedUntil::Forever => "forever".to_owned(),
        }
    }
}

impl TryFrom<String> for MutedUntil {
    type Error = Malformed;

    fn try_from(text: String) -> Result<Self, Malformed> {
        const WRONG: Malformed = Malformed("must be a time such as 2027-01-31T08:00:00Z, \"forever\" or null");
        if text == "forever" {
            return Ok(Self::Forever);
        }
        let time = DateTime::parse_from_rfc3339(&text).map_err(|_| WRONG)?;
        Ok(Self::Time(time.to_utc()))
    }
}

/// Whether a user gets the notifications of a topic, as the stream sends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Subscription {
    /// The topic.
    #[schema(value_type = String, example = "team:7")]
    pub topic: Topic,
    /// Whether the user is subscribed.
    pub subscribed: bool,
    /// Until when nothing of it interrupts: a time or `forever`.
    #[schema(required, value_type = Option<String>, example = "forever")]
    pub muted_until: Option<MutedUntil>,
}

fn kind(name: &str) -> &str {
    name.split_once(':').map_or(name, |(kind, _)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(text: &str) -> Topic {
        text.parse().unwrap()
    }

    #[test]
    fn topics_have_a_kind_and_bounds() {
        assert_eq!((topic("team:7:a").kind(), topic("lobby").kind()), ("team", "lobby"));
        let long = "t".repeat(TOPIC_BYTES + 1);
        for text in ["", ":", ":7", "team:", "team:*", "a b", "ä", "a\n", "-a", "a.", &long] {
            assert!(text.parse::<Topic>().is_err(), "{text:?}");
        }
        assert!(long[1..].parse::<Topic>().is_ok());
    }

    #[test]
    fn a_mute_ends_in_the_time_to_come_as_far_as_clocks_agree() {
        let now = Utc::now();
        let end = DateTime::from_timestamp(MUTE_END, 0).unwrap();
        let check = |time| MutedUntil::Time(time).check(now).is_ok();
        assert!(check(now - CLOCKS_APART) && check(now) && check(end - TimeDelta::microseconds(1)));
        assert!(!check(now - CLOCKS_APART - TimeDelta::microseconds(1)) && !check(end));
        assert_eq!(MutedUntil::Forever.check(now), Ok(()));
    }

    #[test]
    fn a_pattern_covers_topics_that_begin_like_it() {
        let covers = |pattern: &str, name: &str| pattern.parse::<TopicPattern>().unwrap().covers(&topic(name));
        assert!(covers("team:7", "team:7") && covers("team:*", "team:7") && covers("team:7:*", "team:7:a"));
        assert!(!covers("team:7", "team:70") && !covers("team:*", "team") && !covers("team:*", "teams:7"));
    }

    #[test]
    fn a_pattern_names_a_kind() {
        for text in ["*", "", ":*", "team*", "te*m:7", "team:*:7", "team:7*", "team:**"] {
            assert!(text.parse::<TopicPattern>().is_err(), "{text:?}");
        }
    }
}
