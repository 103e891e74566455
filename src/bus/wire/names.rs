//! The names of the bus' channels and back: no user's id and no topic can leave its own channel.

use super::slot;
use crate::domain::{
    signal::{Address, TopicKey},
    user::{Tenant, UserId, UserKey},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Everything that separates, groups or globs is encoded; the other characters are harmless in a channel and in a log.
pub(in crate::bus) const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b'@');

/// Probe channels of a cluster: one in each of as many equal ranges of slots, so that every node of a cluster
/// with the usual layout has one.
const CLUSTER_PROBES: u16 = 16;

/// The text before a topic in the name of its channel. It differs from every user, because an encoded user id holds no colon.
const TOPIC: &str = "topic:";

/// Channel names of one instance.
#[derive(Debug)]
pub(in crate::bus) struct Names {
    prefix: String,
    control: String,
    arrivals: String,
    probe_opening: String,
    probes: Vec<String>,
}

/// The kind of messages on a channel.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::bus) enum Purpose {
    Address(Address),
    Control,
    Arrivals,
    /// A probe of this instance.
    Probe,
    /// A probe of another instance, where all instances receive everything.
    OthersProbe,
}

impl Names {
    pub(in crate::bus) fn new(prefix: &str, instance: &str, cluster: bool) -> Self {
        let count = if cluster { CLUSTER_PROBES } else { 1 };
        Self {
            prefix: opening(prefix),
            control: format!("{prefix}:control"),
            arrivals: format!("{prefix}:arrivals"),
            probe_opening: probe_opening(prefix),
            probes: (0..count).map(|index| probe(prefix, instance, index, count)).collect(),
        }
    }

    /// A user's channel.
    pub(in crate::bus) fn user(&self, key: &UserKey) -> String {
        of_user(&self.prefix, key)
    }

    /// A topic's channel.
    pub(in crate::bus) fn topic(&self, key: &TopicKey) -> String {
        format!("{}{}:{TOPIC}{}}}", self.prefix, key.tenant, key.topic)
    }

    pub(in crate::bus) fn address(&self, to: &Address) -> String {
        match to {
            Address::User(key) => self.user(key),
            Address::Topic(key) => self.topic(key),
        }
    }

    pub(in crate::bus) fn control(&self) -> &str {
        &self.control
    }

    /// The channel of arrivals in many inboxes at once, to which all instances subscribe.
    pub(in crate::bus) fn arrivals(&self) -> &str {
        &self.arrivals
    }

    /// Never empty.
    pub(in crate::bus) fn probes(&self) -> &[String] {
        &self.probes
    }

    /// The way back; none for a channel that is none of ours.
    pub(in crate::bus) fn purpose(&self, channel: &str) -> Option<Purpose> {
        if let Some(rest) = channel.strip_prefix(&self.prefix) {
            return address(rest.strip_suffix('}')?).map(Purpose::Address);
        }
        if channel == self.control {
            return Some(Purpose::Control);
        }
        if channel == self.arrivals {
            return Some(Purpose::Arrivals);
        }
        if self.probes.iter().any(|probe| probe == channel) {
            return Some(Purpose::Probe);
        }
        channel.starts_with(&self.probe_opening).then_some(Purpose::OthersProbe)
    }
}

/// The beginning of the names of the channels of users and topics. The brace opens a hash tag: tenant and user, or topic, decide
/// the slot.
pub(in crate::bus) fn opening(prefix: &str) -> String {
    format!("{prefix}:{{")
}

/// A user's channel.
pub(in crate::bus) fn of_user(opening: &str, key: &UserKey) -> String {
    let user = utf8_percent_encode(key.user.as_str(), ENCODED);
    format!("{opening}{}:{user}}}", key.tenant)
}

fn address(text: &str) -> Option<Address> {
    let (tenant, rest) = text.split_once(':')?;
    let tenant: Tenant = tenant.parse().ok()?;
    if let Some(topic) = rest.strip_prefix(TOPIC) {
        return Some(Address::Topic(TopicKey { tenant, topic: topic.parse().ok()? }));
    }
    Some(Address::User(UserKey { tenant, user: user(rest)? }))
}

/// The user id in a channel's name.
pub(in crate::bus) fn user(text: &str) -> Option<UserId> {
    percent_decode_str(text).decode_utf8().ok()?.parse().ok()
}

fn probe_opening(prefix: &str) -> String {
    format!("{prefix}:probe:{{")
}

/// A probe channel whose slot lies in the `index`th of `count` equal ranges.
fn probe(prefix: &str, instance: &str, index: u16, count: u16) -> String {
    let name = |salt: u16| format!("{}{instance}-{salt}}}", probe_opening(prefix));
    let fits = |salt: &u16| slot::of(&name(*salt)) / (slot::SLOTS / count) == index;
    // One salt in `count` fits, so the bound is never met; if it were, the probe would only be placed less well.
    name((0..10_000).find(fits).unwrap_or(index))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn key(user: &str) -> UserKey {
        UserKey { tenant: "acme".parse().unwrap(), user: user.parse().unwrap() }
    }

    proptest! {
        #[test]
        fn a_channel_leads_back_to_its_user_and_holds_nothing_special(user in "[^\\p{C}]{1,50}") {
            let names = Names::new("tidings", "i", false);
            let channel = names.user(&key(&user));
            let inner = channel.strip_prefix("tidings:{acme:").unwrap().strip_suffix('}').unwrap();
            let special = inner.contains(|c: char| "{}:*?[]^\\ \"'".contains(c) || !c.is_ascii());
            prop_assert!(!special, "{}", channel);
            prop_assert_eq!(names.purpose(&channel), Some(Purpose::Address(Address::User(key(&user)))));
        }

        #[test]
        fn a_topics_channel_leads_back_to_it(topic in "[a-z0-9]{1,9}(:[A-Za-z0-9_.:-]{0,9}[a-z])?") {
            let names = Names::new("tidings", "i", false);
            let topic = TopicKey { tenant: "acme".parse().unwrap(), topic: topic.parse().unwrap() };
            let purpose = names.purpose(&names.topic(&topic));
            prop_assert_eq!(purpose, Some(Purpose::Address(Address::Topic(topic))));
        }

        #[test]
        fn no_channel_makes_the_parser_panic(channel in ".*") {
            let _ = Names::new("t", "i", true).purpose(&channel);
        }
    }

    #[test]
    fn ids_that_look_alike_have_channels_of_their_own() {
        let names = Names::new("tidings", "i", false);
        let users = ["a", "a}", "{a}", "a:b", "a%3Ab", "a*", "a?", "[a]", "a b", "a+b", "A", "%61", "ä"];
        let channels: HashSet<_> = users.iter().map(|user| names.user(&key(user))).collect();
        assert_eq!(channels.len(), users.len());
    }

    #[test]
    fn no_user_has_a_topics_channel() {
        let names = Names::new("tidings", "i", false);
        let topic = TopicKey { tenant: "acme".parse().unwrap(), topic: "team:7".parse().unwrap() };
        for user in ["topic:team:7", "topic", "topic%3Ateam:7"] {
            assert_ne!(names.user(&key(user)), names.topic(&topic));
        }
    }

    #[test]
    fn probes_of_a_cluster_cover_all_ranges_of_slots() {
        let names = Names::new("tidings", "0190-f", true);
        let ranges: HashSet<_> = names.probes().iter().map(|probe| slot::of(probe) / 1_024).collect();
        assert_eq!(ranges.len(), 16);
        assert_eq!(names.purpose(&names.probes()[3]), Some(Purpose::Probe));
    }
}
