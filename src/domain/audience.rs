//! Whom a publish is for beyond the users that it names, and why an item is in an inbox.

use crate::domain::{topic::Topic, user::UserId};

/// Recipients that are looked up: the subscribers of topics, or everyone.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Audience {
    /// Topics whose subscribers get it, none twice.
    pub topics: Vec<Topic>,
    /// Every user of the tenant that was ever seen.
    pub everyone: bool,
    /// The user who caused it, and so is no recipient by topic or by everyone.
    pub actor: Option<UserId>,
}

impl Audience {
    /// Whether the publish is only for the users that it names.
    pub fn is_empty(&self) -> bool {
        self.topics.is_empty() && !self.everyone
    }
}

/// Why an item is in an inbox.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Reason {
    /// The publish named the user.
    #[default]
    Direct,
    /// The user is subscribed to this topic, the first such of the publish.
    Topic(Topic),
    /// The publish was for everyone.
    Everyone,
    /// A rule chose the user.
    Rule,
}

impl Reason {
    /// As on the wire.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Topic(_) => "topic",
            Self::Everyone => "everyone",
            Self::Rule => "rule",
        }
    }

    /// The topic that brought it.
    pub fn topic(&self) -> Option<&Topic> {
        if let Self::Topic(topic) = self { Some(topic) } else { None }
    }
}
