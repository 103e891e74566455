//! Messages about signals as bytes: the signals themselves, and removals of users from a topic. A star begins their second word; an
//! announcement has its epoch there, which holds no star.

use std::time::Duration;

use bytes::Bytes;
use percent_encoding::{percent_decode_str, utf8_percent_encode};

use super::{
    Foreign, VERSION, digits, is_kind,
    names::{self, ENCODED},
    text, words,
};
use crate::{
    bus::{Incoming, Left},
    domain::signal::{Address, KEY_BYTES, Signal, Subject},
};

const SIGNAL: &str = "*signal";
const LEFT: &str = "*left";
/// Most bytes of a signal's header: the longest kind, the longest key with every byte encoded, and the fixed part.
const HEADER_BYTES: usize = 1_024;
/// Most bytes of a signal's text.
const SIGNAL_BYTES: usize = 128 * 1024;

/// Whether a message of a user's or a topic's channel is one of these.
pub(in crate::bus) fn is_one(message: &[u8]) -> bool {
    message.strip_prefix(VERSION.as_bytes()).is_some_and(|rest| rest.starts_with(b" *"))
}

/// Writes a signal; its address is in the channel's name.
pub(in crate::bus) fn signal(signal: &Signal) -> Vec<u8> {
    let (before, behind) = around_time(signal);
    [before.as_bytes(), signal.sent_at.to_string().as_bytes(), &behind].concat()
}

/// The bytes before and behind the time of a signal's message, for a bus that sets the time itself.
pub(in crate::bus) fn around_time(signal: &Signal) -> (String, Vec<u8>) {
    let Signal { subject, interval, bytes, .. } = signal;
    let mut behind = format!(" {} {}\n", interval.as_millis(), field(subject)).into_bytes();
    behind.extend_from_slice(bytes);
    (format!("{VERSION} {SIGNAL} "), behind)
}

/// The message that [`around_time`] leaves without its time, which is `sent_at`, and with `behind` behind it.
pub(in crate::bus) fn at_time(sent_at: u64, behind: &str) -> Vec<u8> {
    format!("{VERSION} {SIGNAL} {sent_at}{behind}").into_bytes()
}

/// A subject within its address, as one text.
pub(in crate::bus) fn field(subject: &Subject) -> String {
    format!("{} {}", subject.kind, utf8_percent_encode(&subject.key, ENCODED))
}

/// Writes which users lost the channel's topic.
pub(in crate::bus) fn left(left: &Left) -> Vec<u8> {
    let mut message = format!("{VERSION} {LEFT}");
    for user in &left.users {
        message.push(' ');
        message.extend(utf8_percent_encode(user.as_str(), ENCODED));
    }
    message.into_bytes()
}

/// Reads a message that came on the channel of this address.
pub(in crate::bus) fn read(to: Address, message: &Bytes) -> Result<Incoming, Foreign> {
    let end = message.iter().take(HEADER_BYTES).position(|&byte| byte == b'\n');
    let header = text(&message[..end.unwrap_or(message.len())])?;
    let mut words = words(header)?;
    let read = match (words.next(), end, to) {
        (Some(SIGNAL), Some(end), to) => read_signal(to, &mut words, message.slice(end + 1..)).map(Incoming::Signal),
        (Some(LEFT), None, Address::Topic(topic)) => {
            let users = words.map(names::user).collect::<Option<Vec<_>>>();
            users.map(|users| Incoming::Left(Left { topic, users }))
        }
        _ => None,
    };
    read.ok_or(Foreign::Malformed)
}

fn read_signal<'a>(to: Address, words: &mut impl Iterator<Item = &'a str>, bytes: Bytes) -> Option<Signal> {
    let sent_at = digits(words.next()?)?;
    let interval = Duration::from_millis(digits::<u32>(words.next()?)?.into());
    let kind = words.next().filter(|kind| is_kind(kind))?.into();
    let key = percent_decode_str(words.next()?).decode_utf8().ok().filter(|key| key.len() <= KEY_BYTES)?.into();
    let whole = words.next().is_none() && bytes.ends_with(b"\n\n") && bytes.len() <= SIGNAL_BYTES;
    whole.then_some(Signal { subject: Subject { to, kind, key }, interval, sent_at, bytes })
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::domain::signal::TopicKey;

    fn topic() -> TopicKey {
        TopicKey { tenant: "acme".parse().unwrap(), topic: "team:7".parse().unwrap() }
    }

    proptest! {
        #[test]
        fn a_signal_survives_its_bytes(
            kind in "[A-Za-z0-9_.:-]{1,64}", key in "[^\\p{C}]{0,40}", interval: u32, sent_at: u64, data in "[^\\n]{0,50}",
        ) {
            let to = Address::Topic(topic());
            let subject = Subject { to: to.clone(), kind: kind.into(), key: key.into() };
            let bytes = format!("event: signal\ndata: {data}\n\n").into();
            let given = Signal { subject, interval: Duration::from_millis(interval.into()), sent_at, bytes };
            let message = signal(&given);
            prop_assert!(is_one(&message));
            prop_assert_eq!(read(to, &message.into()), Ok(Incoming::Signal(given)));
        }

        #[test]
        fn a_removal_survives_its_bytes(users in vec("[^\\p{C}]{1,20}", 0..9)) {
            let users = users.iter().map(|user| user.parse().unwrap()).collect();
            let given = Left { topic: topic(), users };
            let message = left(&given);
            prop_assert!(is_one(&message));
            prop_assert_eq!(read(Address::Topic(topic()), &message.into()), Ok(Incoming::Left(given)));
        }

        #[test]
        fn foreign_bytes_never_panic(start in "(T1 \\*(signal|left) )?", bytes in vec(any::<u8>(), 0..200)) {
            let message = [start.as_bytes(), &bytes].concat();
            let _ = read(Address::Topic(topic()), &message.into());
        }
    }
}
