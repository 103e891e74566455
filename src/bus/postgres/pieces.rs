//! Messages as payloads of NOTIFY, which takes less than 8,000 bytes at a time, and back.
//!
//! A group of messages is one text, which is cut into pieces. The pieces of a group go out in one transaction, so they come in one
//! after the other with nothing between them. Each begins with the instance that sent it, its number and their count.

use std::{fmt::Write as _, mem, ops::Range};

use bytes::Bytes;

use crate::bus::wire::{Foreign, digits};

/// Most bytes of a piece, of the 7,999 that a payload may have. The rest is for its first line.
pub(super) const PIECE_BYTES: usize = 7_800;
/// Most bytes of a group that has more than one message, and so of what a listener gathers.
const GROUP_BYTES: usize = 256 * 1_024;
/// Most pieces of a group: those of the largest message.
const PIECES: usize = 1_000;
/// Stands for the length of a message that ends with its group.
const TO_THE_END: &str = "-";

/// The first line of a message that ends with its group.
pub(super) fn opening(channel: &str) -> String {
    format!("{channel} {TO_THE_END}\n")
}

/// The payloads of messages, in their order. A message that is no text is left out: no message of this program is.
pub(super) fn cut(instance: &str, messages: &[(String, Vec<u8>)]) -> Vec<String> {
    let (mut payloads, mut group) = (Vec::new(), String::new());
    for (channel, message) in messages {
        let text = str::from_utf8(message);
        debug_assert!(text.is_ok_and(|text| !text.contains('\0')), "Postgres takes text alone");
        let Ok(text) = text else { continue };
        if !group.is_empty() && group.len() + text.len() > GROUP_BYTES {
            cut_group(instance, &mem::take(&mut group), &mut payloads);
        }
        let _ = write!(group, "{channel} {}\n{text}", text.len()); // writing to a string cannot fail
    }
    if !group.is_empty() {
        cut_group(instance, &group, &mut payloads);
    }
    payloads
}

fn cut_group(instance: &str, group: &str, payloads: &mut Vec<String>) {
    let pieces = ranges(group);
    let count = pieces.len();
    debug_assert!(count <= PIECES, "{} bytes are too many", group.len());
    payloads.extend((1..).zip(pieces).map(|(number, piece)| format!("{instance} {number} {count}\n{}", &group[piece])));
}

/// Pieces that end between characters.
fn ranges(text: &str) -> Vec<Range<usize>> {
    let (mut ranges, mut start) = (Vec::new(), 0);
    while start < text.len() {
        let end = text.floor_char_boundary(start + PIECE_BYTES);
        ranges.push(start..end);
        start = end;
    }
    ranges
}

/// Gathers the pieces of one group after the other.
#[derive(Default)]
pub(super) struct Gathering {
    origin: String,
    /// Pieces so far, and how many there are.
    have: usize,
    count: usize,
    text: String,
}

/// A channel and its message.
pub(super) type Message = (String, Bytes);

impl Gathering {
    /// Takes the next payload; answers the messages of the group that it ends.
    pub(super) fn take(&mut self, payload: &str) -> Result<Vec<Message>, Foreign> {
        let result = self.piece(payload);
        if result.is_err() {
            *self = Self::default();
        }
        result
    }

    fn piece(&mut self, payload: &str) -> Result<Vec<Message>, Foreign> {
        let (header, piece) = payload.split_once('\n').ok_or(Foreign::Malformed)?;
        let mut words = header.split(' ');
        let read = || Some((words.next()?, digits(words.next()?)?, digits(words.next()?)?, words.next()));
        let Some((origin, number, count, None)) = { read }() else { return Err(Foreign::Malformed) };
        if number == 1 {
            // The first piece begins a group, whatever came before it: a listener may have come in the middle of one.
            *self = Self { origin: origin.to_owned(), have: 0, count, text: String::new() };
        }
        let follows = self.origin == origin && self.count == count && self.have + 1 == number;
        if !follows || number > count || count > PIECES {
            return Err(Foreign::Malformed);
        }
        self.have = number;
        self.text.push_str(piece);
        if number < count { Ok(Vec::new()) } else { messages(mem::take(self).text) }
    }
}

fn messages(group: String) -> Result<Vec<Message>, Foreign> {
    let (mut rest, mut found) = (Bytes::from(group), Vec::new());
    while !rest.is_empty() {
        found.push(message(&mut rest).ok_or(Foreign::Malformed)?);
    }
    Ok(found)
}

/// Takes the first message off a group.
fn message(group: &mut Bytes) -> Option<Message> {
    let end = group.iter().position(|&byte| byte == b'\n')?;
    let line = group.split_to(end + 1);
    let (channel, length) = str::from_utf8(&line[..end]).ok()?.rsplit_once(' ')?;
    let length = if length == TO_THE_END { group.len() } else { digits(length)? };
    let message = (length <= group.len()).then(|| group.split_to(length))?;
    Some((channel.to_owned(), message))
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    fn gathered(payloads: &[String]) -> Result<Vec<(String, Vec<u8>)>, Foreign> {
        let (mut gathering, mut found) = (Gathering::default(), Vec::new());
        for payload in payloads {
            found.extend(gathering.take(payload)?.into_iter().map(|(channel, message)| (channel, message.to_vec())));
        }
        assert_eq!(gathering.text, "", "every group has ended");
        Ok(found)
    }

    proptest! {
        #[test]
        fn messages_survive_their_payloads_whatever_their_length(
            parts in vec(("[a-z:]{1,20}", "[^\\x00]{0,9}", 0_usize..20_000), 0..40),
        ) {
            let long = |(channel, text, times): (String, String, usize)| (channel, text.repeat(times / 8).into_bytes());
            let messages: Vec<_> = parts.into_iter().map(long).collect();
            let payloads = cut("i-1", &messages);
            prop_assert!(payloads.iter().all(|payload| payload.len() < 7_999));
            prop_assert_eq!(gathered(&payloads), Ok(messages));
        }

        #[test]
        fn payloads_that_were_lost_or_mixed_up_never_panic_nor_join(
            lengths in vec(1_usize..30_000, 1..6), order in vec(any::<prop::sample::Index>(), 0..30), text in ".{0,60}",
        ) {
            let messages: Vec<_> = lengths.iter().map(|length| ("c".to_owned(), vec![b'x'; *length])).collect();
            let payloads: Vec<_> = messages.iter().flat_map(|message| cut("i", std::slice::from_ref(message))).collect();
            let mut gathering = Gathering::default();
            let _ = gathering.take(&text);
            for index in order {
                let payload: &String = index.get(&payloads);
                if let Ok(found) = gathering.take(payload) {
                    // A piece of another group of as many pieces may stand in, but nothing is longer than any message was.
                    let whole = found.iter().all(|(channel, message)| *channel == "c" && message.len() <= 30_000);
                    prop_assert!(whole);
                }
            }
        }
    }

    #[test]
    fn a_listener_that_comes_in_the_middle_of_a_group_begins_with_the_next() {
        let large = ("c".to_owned(), vec![b'x'; 20_000]);
        let payloads = cut("i", std::slice::from_ref(&large));
        assert_eq!(payloads.len(), 3);
        let mut gathering = Gathering::default();
        assert_eq!(gathering.take(&payloads[1]), Err(Foreign::Malformed));
        assert_eq!(gathering.take(&payloads[2]), Err(Foreign::Malformed));
        let small = cut("i", &[("d".to_owned(), b"y".to_vec())]);
        assert_eq!(gathering.take(&small[0]), Ok(vec![("d".to_owned(), Bytes::from_static(b"y"))]));
    }

    #[test]
    fn a_message_may_end_with_its_group() {
        let payload = format!("i 1 1\n{}hello", opening("c"));
        assert_eq!(Gathering::default().take(&payload), Ok(vec![("c".to_owned(), Bytes::from_static(b"hello"))]));
    }

    #[test]
    fn what_is_no_payload_is_malformed() {
        for payload in [
            "",
            "i 1 1",
            "i 1\nc 1\nx",
            "i 0 1\n",
            "i 2 1\n",
            "i 1 1 1\n",
            "i 1 1\nc 9\nx",
            "i 1 1\nc\n",
            "i 1 5000\nc 1\nx",
        ] {
            assert_eq!(Gathering::default().take(payload), Err(Foreign::Malformed), "{payload:?}");
        }
    }
}
