//! The channels by which a notification reaches its user, and the decision about each of them.
//!
//! The function `decide_channels` of the database applies the user's preferences; the numbers here are the ones that it knows.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use utoipa::ToSchema;

use crate::domain::text::Malformed;

/// A way to reach a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// The inbox and its stream.
    Inbox,
    /// A short message within the open page.
    Toast,
    /// A notification of the browser or the desktop, while a page is open.
    Browser,
    /// A push message to a device, page or no page.
    Push,
    /// Electronic mail.
    Email,
    /// A text message to a telephone.
    Sms,
}

impl Channel {
    /// All of them, by their index.
    pub const ALL: [Self; 6] = [Self::Inbox, Self::Toast, Self::Browser, Self::Push, Self::Email, Self::Sms];

    /// As written everywhere.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inbox => "inbox",
            Self::Toast => "toast",
            Self::Browser => "browser",
            Self::Push => "push",
            Self::Email => "email",
            Self::Sms => "sms",
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}

impl FromStr for Channel {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let found = Self::ALL.into_iter().find(|channel| channel.as_str() == text);
        found.ok_or(Malformed("an unknown channel: there are inbox, toast, browser, push, email and sms"))
    }
}

/// The choices of a user, a kind or a tenant by channel: on, off, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Choices([Option<bool>; Channel::ALL.len()]);

impl Choices {
    /// The choice for a channel, if there is one.
    pub fn get(&self, channel: Channel) -> Option<bool> {
        self.0[channel.index()]
    }

    /// Says something of a channel.
    pub fn set(&mut self, channel: Channel, on: bool) {
        self.0[channel.index()] = Some(on);
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.iter().next().is_none()
    }

    /// The choices, by channel.
    pub fn iter(&self) -> impl Iterator<Item = (Channel, bool)> {
        Channel::ALL.into_iter().filter_map(|channel| Some((channel, self.get(channel)?)))
    }
}

impl Serialize for Choices {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Choices {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ChoicesVisitor)
    }
}

struct ChoicesVisitor;

impl<'de> de::Visitor<'de> for ChoicesVisitor {
    type Value = Choices;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("channels with true or false each")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Choices, A::Error> {
        let mut choices = Choices::default();
        while let Some(name) = map.next_key::<String>()? {
            match name.parse() {
                Ok(channel) => choices.set(channel, map.next_value()?),
                // As a fault of the value it is reported with the pointer of the channel's name.
                Err(malformed) => map.next_value_seed(Refused(malformed))?,
            }
        }
        Ok(choices)
    }
}

struct Refused(Malformed);

impl<'de> de::DeserializeSeed<'de> for Refused {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, _: D) -> Result<(), D::Error> {
        Err(de::Error::custom(self.0))
    }
}

/// Why a channel is taken or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Cause {
    /// No choice by user, kind or tenant: inbox and toast are taken, the others are not.
    Default,
    /// The tenant's default.
    TenantDefault,
    /// The kind's default.
    KindDefault,
    /// The kind is mandatory, so its channels cannot be switched off.
    Mandatory,
    /// The user's preference for the category.
    CategoryPreference,
    /// The user's preference for the kind.
    KindPreference,
    /// The user's quiet hours.
    QuietHours,
    /// The user had muted everything.
    Muted,
    /// The user had muted the topic.
    TopicMuted,
    /// It was not put into the inbox, so there was nothing that a page could show. Never stored.
    NotInInbox,
}

impl Cause {
    /// As they are stored, by number.
    const STORED: [Self; 9] = [
        Self::Default,
        Self::TenantDefault,
        Self::KindDefault,
        Self::Mandatory,
        Self::CategoryPreference,
        Self::KindPreference,
        Self::QuietHours,
        Self::Muted,
        Self::TopicMuted,
    ];
}

/// Which channels are taken, and why: as stored, bit n for channel n, and four bits from 12 + 4n on for its cause.
///
/// The layout has room for 12 channels and 16 causes. The bit that marks the layout is higher than all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decision(i64);

/// Most channels of a decision; a change of it would misread every stored one.
const ROOM: usize = 12;
const _: () = assert!(Channel::ALL.len() <= ROOM && Cause::STORED.len() <= 16, "a decision has no room for them");
/// Set in every decision, and in none of the first layout.
const MARK: i64 = 1 << 60;

/// The layout of version 0.1.0: bit n for channel n of six, and four bits from 6 + 4n on for its cause.
mod first_layout {
    pub const CHANNELS: usize = 6;
    pub const TAKEN: i64 = (1 << CHANNELS) - 1;
    pub const CAUSES: i64 = (1 << (4 * CHANNELS)) - 1;
    /// All numbers of it are smaller.
    pub const END: i64 = 1 << (5 * CHANNELS);
}

impl Decision {
    /// For kinds without any choice: inbox and toast.
    pub const PLAIN: Self = Self(MARK | 0b11);
    /// No channel and no cause: the start of every other decision.
    pub const NONE: Self = Self(MARK);

    /// The number that is stored.
    pub fn stored(self) -> i64 {
        self.0
    }

    /// The number that version 0.1.0 reads; channels that it does not have are left out.
    pub fn first_layout(self) -> i32 {
        use first_layout::{CAUSES, CHANNELS, TAKEN};
        // Thirty bits.
        (self.0 & TAKEN | (self.0 >> ROOM & CAUSES) << CHANNELS) as i32
    }

    /// Of a stored number, whichever layout it has.
    pub fn from_stored(number: i64) -> Self {
        use first_layout::{CHANNELS, END, TAKEN};
        if number < END {
            return Self(MARK | number & TAKEN | number >> CHANNELS << ROOM);
        }
        Self(number)
    }

    /// Whether a channel is taken.
    pub fn takes(self, channel: Channel) -> bool {
        self.0 >> channel.index() & 1 == 1
    }

    /// Why a channel is taken or not.
    pub fn cause(self, channel: Channel) -> Cause {
        let number = self.0 >> Self::shift(channel) & 15;
        // A cause that a later version stored is not known here.
        usize::try_from(number).ok().and_then(|number| Cause::STORED.get(number)).copied().unwrap_or(Cause::Default)
    }

    /// The same with this said of a channel of which nothing was said yet.
    pub fn and(self, channel: Channel, on: bool, cause: Cause) -> Self {
        Self(self.0 | i64::from(on) << channel.index() | (cause as i64) << Self::shift(channel))
    }

    /// The outcome for a channel, and the cause: without the inbox there is nothing that a page could show.
    pub fn outcome(self, channel: Channel) -> (bool, Cause) {
        let by_page = matches!(channel, Channel::Toast | Channel::Browser);
        if by_page && self.takes(channel) && !self.takes(Channel::Inbox) {
            return (false, Cause::NotInInbox);
        }
        (self.takes(channel), self.cause(channel))
    }

    /// The channels that are taken.
    pub fn channels(self) -> impl Iterator<Item = Channel> {
        Channel::ALL.into_iter().filter(move |channel| self.takes(*channel))
    }

    fn shift(channel: Channel) -> usize {
        ROOM + 4 * channel.index()
    }
}

impl Serialize for Decision {
    /// On the wire it is the list of the channels that are taken.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.channels())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decision_keeps_the_choice_for_every_channel() {
        for cause in Cause::STORED {
            let decision = Decision::NONE.and(Channel::Inbox, true, cause).and(Channel::Sms, true, cause);
            assert_eq!(decision.channels().collect::<Vec<_>>(), [Channel::Inbox, Channel::Sms]);
            assert_eq!((decision.cause(Channel::Inbox), decision.cause(Channel::Sms)), (cause, cause));
            assert_eq!((decision.takes(Channel::Push), decision.cause(Channel::Push)), (false, Cause::Default));
            assert!(decision.stored() >= MARK);
            assert_eq!(Decision::from_stored(decision.stored()), decision);
            assert_eq!(Decision::from_stored(decision.first_layout().into()), decision);
        }
        assert_eq!(Decision::PLAIN.channels().collect::<Vec<_>>(), [Channel::Inbox, Channel::Toast]);
    }
    /// Numbers that are stored somewhere: a change that makes any of these fail misreads every database.
    #[test]
    fn the_numbers_of_stored_decisions_never_change() {
        let decision = Decision::NONE
            .and(Channel::Inbox, true, Cause::Mandatory)
            .and(Channel::Toast, false, Cause::QuietHours)
            .and(Channel::Browser, false, Cause::Default)
            .and(Channel::Push, true, Cause::KindPreference)
            .and(Channel::Email, false, Cause::TopicMuted)
            .and(Channel::Sms, true, Cause::CategoryPreference);
        assert_eq!(decision.stored(), 1_152_921_524_018_491_433);
        assert_eq!(decision.first_layout(), 303_306_985);
        assert_eq!(Decision::from_stored(303_306_985), decision);
        assert_eq!(Decision::PLAIN.stored(), 1_152_921_504_606_846_979);
        assert_eq!((Decision::PLAIN.first_layout(), Decision::from_stored(3)), (3, Decision::PLAIN));
    }

    #[test]
    fn a_decision_can_be_made_from_a_decision() {
        let once = Decision::NONE.and(Channel::Push, true, Cause::Mandatory);
        assert_eq!(once.and(Channel::Push, true, Cause::Mandatory), once);
    }
}
