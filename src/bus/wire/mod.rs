//! The bus' messages as bytes: one short header line, then the frames as they are. Decoding is strict and trusts nothing.

pub(in crate::bus) mod arrivals;
pub(in crate::bus) mod ephemeral;
pub(in crate::bus) mod names;
pub(in crate::bus) mod slot;

use std::fmt::Write as _;

use bytes::Bytes;

use crate::{
    bus::{Announcement, Control, Joined},
    domain::{
        cursor::{Cursor, Epoch, Seq},
        priority::Priority,
        text::KIND_BYTES,
        topic::TOPIC_BYTES,
        user::UserKey,
    },
    frame::{Blocks, Frame, Subject},
};

/// First word of every message; a change of the form takes another number.
pub(in crate::bus) const VERSION: &str = "T1";
/// Most bytes of all frames of an announcement; a larger announcement goes without them, and they are read from the store.
pub(in crate::bus) const FRAME_BYTES: usize = 16 * 1024;
/// Most frames of an announcement.
const FRAMES: usize = 64;
/// Most bytes of a header: [`FRAMES`] frames of the longest kind, and the fixed part.
const HEADER_BYTES: usize = FRAMES * (KIND_BYTES + 32) + TOPIC_BYTES + 256;
/// Most bytes of an epoch.
const EPOCH_BYTES: usize = 64;

/// Why a message is not understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::bus) enum Foreign {
    /// Of a version to come: another instance is ahead of this one.
    Newer,
    /// Not of this program.
    Malformed,
}

/// Writes an announcement; the key is in the channel's name. Frames are left out where they are too large.
pub(in crate::bus) fn announcement(announcement: &Announcement) -> Vec<u8> {
    let Announcement { epoch, head, frames, published_at, subscription, .. } = announcement;
    let frames: &[Frame] = if portable(frames) { frames } else { &[] };
    let mut message = format!("{VERSION} {} {head} {published_at}", epoch.as_str());
    if let Some(Joined { topic, subscribed }) = subscription {
        let _ = write!(message, " {}{topic}", if *subscribed { '+' } else { '-' });
    }
    for Frame { seq, subject, blocks } in frames {
        let length = blocks.bytes().len();
        let _ = match subject {
            Subject::State => write!(message, " {seq},{length}"),
            Subject::Notification { kind, priority } => write!(message, " {seq},{length},{},{kind}", priority.rank()),
        }; // writing to a string cannot fail
    }
    message.push('\n');
    let mut message = message.into_bytes();
    for frame in frames {
        message.extend_from_slice(frame.blocks.bytes());
    }
    message
}

/// Whether frames may travel: few, small, and of kinds that do not break the header.
fn portable(frames: &[Frame]) -> bool {
    let size: usize = frames.iter().map(|frame| frame.blocks.bytes().len()).sum();
    let plain = |frame: &Frame| match &frame.subject {
        Subject::State => true,
        Subject::Notification { kind, .. } => is_kind(kind),
    };
    frames.len() <= FRAMES && size <= FRAME_BYTES && frames.iter().all(plain)
}

pub(in crate::bus) fn is_kind(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
    (1..=KIND_BYTES).contains(&text.len()) && text.bytes().all(allowed)
}

/// Reads an announcement for the user of the channel.
pub(in crate::bus) fn read_announcement(key: UserKey, message: &Bytes) -> Result<Announcement, Foreign> {
    let end = message.iter().take(HEADER_BYTES).position(|&byte| byte == b'\n');
    let header = text(&message[..end.unwrap_or(message.len().min(HEADER_BYTES))])?;
    let mut words = words(header)?;
    let body_start = end.ok_or(Foreign::Malformed)? + 1;
    parse_announcement(key, &mut words, message.slice(body_start..)).ok_or(Foreign::Malformed)
}

fn parse_announcement<'a>(
    key: UserKey,
    words: &mut impl Iterator<Item = &'a str>,
    mut body: Bytes,
) -> Option<Announcement> {
    let mut words = words.peekable();
    let epoch = words.next().filter(|text| is_epoch(text))?;
    let head: Seq = digits(words.next()?)?;
    let published_at = digits(words.next()?)?;
    let subscription = match words.next_if(|word| word.starts_with(['+', '-'])) {
        Some(word) => Some(joined(word)?),
        None => None,
    };
    let mut frames = Vec::new();
    for word in words {
        if frames.len() == FRAMES {
            return None;
        }
        frames.push(frame(word, &mut body)?);
    }
    let gapless = frames.windows(2).all(|pair| pair[0].seq.checked_add(1) == Some(pair[1].seq));
    let at_head = frames.last().is_none_or(|last| last.seq == head);
    let whole = body.is_empty() && gapless && at_head;
    // A later version may have extended the form of events: such changes are read from the log.
    if frames.iter().any(|frame| frame.blocks.is_empty()) {
        frames.clear();
    }
    let cursor = Cursor { epoch: Epoch::from(epoch.to_owned()), seq: head };
    whole.then(|| Announcement { published_at, subscription, ..Announcement::new(key, cursor, frames) })
}

/// The word of the header that says which topic was joined (`+`) or left (`-`).
fn joined(word: &str) -> Option<Joined> {
    let topic = word[1..].parse().ok()?;
    Some(Joined { topic, subscribed: word.starts_with('+') })
}

/// One frame's word of the header; its text is taken off the body. A text that is not understood leaves the frame without
/// events.
fn frame(word: &str, body: &mut Bytes) -> Option<Frame> {
    let mut parts = word.splitn(4, ',');
    let seq: Seq = digits(parts.next()?)?;
    let length: usize = digits(parts.next()?)?;
    let subject = match (parts.next(), parts.next()) {
        (None, None) => Subject::State,
        (Some(rank), Some(kind)) if is_kind(kind) => {
            Subject::Notification { kind: kind.into(), priority: Priority::from_rank(digits(rank)?)? }
        }
        _ => return None,
    };
    let bytes = (length <= body.len()).then(|| body.split_to(length))?;
    Some(Frame { seq, subject, blocks: Blocks::of_change(bytes).unwrap_or_default() })
}

/// Writes an order; `origin` is the instance that gave it.
pub(in crate::bus) fn control(origin: &str, control: &Control) -> Vec<u8> {
    let order = match control {
        Control::Revoked => "revoked".to_owned(),
        Control::KindsChanged => "kinds".to_owned(),
        Control::ConnectedFirst(notification) => format!("connected-first {notification}"),
        Control::Extend { connection, identity } => {
            // An identity is plain data: it always serialises.
            format!("extend {connection} {}", serde_json::to_string(identity).unwrap_or_default())
        }
    };
    format!("{VERSION} {origin} {order}").into_bytes()
}

/// Reads an order and the instance that gave it.
pub(in crate::bus) fn read_control(message: &[u8]) -> Result<(&str, Control), Foreign> {
    let message = short(message)?;
    drop(words(message)?);
    let mut words = message.splitn(5, ' ').skip(1);
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some(origin), Some("revoked"), None, None) => Ok((origin, Control::Revoked)),
        (Some(origin), Some("kinds"), None, None) => Ok((origin, Control::KindsChanged)),
        (Some(origin), Some("connected-first"), Some(notification), None) => {
            let notification = notification.parse().map_err(|_| Foreign::Malformed)?;
            Ok((origin, Control::ConnectedFirst(notification)))
        }
        (Some(origin), Some("extend"), Some(connection), Some(identity)) => {
            let connection = connection.parse().map_err(|_| Foreign::Malformed)?;
            let identity = serde_json::from_str(identity).map_err(|_| Foreign::Malformed)?;
            Ok((origin, Control::Extend { connection, identity }))
        }
        _ => Err(Foreign::Malformed),
    }
}

/// Writes a probe: which round, and on which of the instance's probe channels.
pub(in crate::bus) fn probe(round: u64, index: usize) -> Vec<u8> {
    format!("{VERSION} {round} {index}").into_bytes()
}

/// Reads a probe's round and channel.
pub(in crate::bus) fn read_probe(message: &[u8]) -> Result<(u64, usize), Foreign> {
    let mut words = words(short(message)?)?;
    let read = || Some((digits(words.next()?)?, digits(words.next()?)?, words.next()));
    match { read }() {
        Some((round, index, None)) => Ok((round, index)),
        _ => Err(Foreign::Malformed),
    }
}

/// The words after the version.
pub(in crate::bus) fn words(header: &str) -> Result<impl Iterator<Item = &str>, Foreign> {
    let mut words = header.split(' ');
    let version = words.next().unwrap_or_default();
    if version == VERSION {
        return Ok(words);
    }
    let number = version.strip_prefix('T').and_then(digits::<u32>);
    Err(if number.is_some_and(|number| number > 1) { Foreign::Newer } else { Foreign::Malformed })
}

/// A message without frames.
fn short(message: &[u8]) -> Result<&str, Foreign> {
    text(&message[..message.len().min(HEADER_BYTES)])
}

pub(in crate::bus) fn text(bytes: &[u8]) -> Result<&str, Foreign> {
    // A newer version may hold anything after its first word.
    let newer = |_| match bytes.split(|&byte| byte == b' ').next().map(str::from_utf8) {
        Some(Ok(version)) => words(version).err().unwrap_or(Foreign::Malformed),
        _ => Foreign::Malformed,
    };
    str::from_utf8(bytes).map_err(newer)
}

pub(in crate::bus) fn is_epoch(text: &str) -> bool {
    (1..=EPOCH_BYTES).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A number of plain digits: no sign, no overflow.
pub(in crate::bus) fn digits<T: std::str::FromStr>(text: &str) -> Option<T> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::frame::{EventType, Renderer};

    fn key() -> UserKey {
        UserKey { tenant: "acme".parse().unwrap(), user: "u".parse().unwrap() }
    }

    fn subjects() -> impl Strategy<Value = Subject> {
        let notification = ("[A-Za-z0-9_.:-]{1,64}", (0_i16..4).prop_filter_map("a rank", Priority::from_rank))
            .prop_map(|(kind, priority)| Subject::Notification { kind: kind.into(), priority });
        prop_oneof![Just(Subject::State), notification]
    }

    fn blocks(epoch: &str, seq: Seq, data: &str) -> Blocks {
        let mut renderer = Renderer::default();
        renderer.push(Some(&Cursor { epoch: epoch.to_owned().into(), seq }), EventType::State, &data);
        renderer.finish()
    }

    prop_compose! {
        fn announcements()(
            epoch in "[a-z0-9]{1,20}", first in 1_i64..i64::MAX - 100, published_at: u64,
            parts in vec((subjects(), ".{0,100}"), 0..20),
            joined in prop::option::of(("[a-z0-9]{1,9}(:[A-Za-z0-9_.-]{0,9}[a-z])?", any::<bool>())),
        ) -> Announcement {
            let frames: Vec<Frame> = (first..).zip(parts).map(|(seq, (subject, data))| {
                Frame { seq, subject, blocks: blocks(&epoch, seq, &data) }
            }).collect();
            let head = frames.last().map_or(first, |frame| frame.seq);
            let subscription = joined.map(|(topic, subscribed)| Joined { topic: topic.parse().unwrap(), subscribed });
            let announcement = Announcement::new(key(), Cursor { epoch: Epoch::from(epoch), seq: head }, frames);
            Announcement { published_at, subscription, ..announcement }
        }
    }

    proptest! {
        #[test]
        fn an_announcement_survives_its_bytes(given in announcements()) {
            prop_assert_eq!(read_announcement(key(), &announcement(&given).into()), Ok(given));
        }

        #[test]
        fn foreign_bytes_never_panic(bytes in vec(any::<u8>(), 0..300)) {
            let _ = read_announcement(key(), &bytes.clone().into());
            let _ = read_control(&bytes);
            let _ = read_probe(&bytes);
        }

        #[test]
        fn damaged_messages_never_panic_nor_break_the_order(
            given in announcements(), at: prop::sample::Index, byte: u8, cut: prop::sample::Index,
        ) {
            let mut bytes = announcement(&given);
            let index = at.index(bytes.len());
            bytes[index] = byte;
            bytes.truncate(cut.index(bytes.len()) + 1);
            if let Ok(read) = read_announcement(key(), &bytes.into()) {
                prop_assert!(read.frames.last().is_none_or(|last| last.seq == read.head));
            }
        }
    }

    #[test]
    fn large_frames_are_left_out() {
        let blocks = blocks("e", 7, &"x".repeat(FRAME_BYTES));
        let frames = vec![Frame { seq: 7, subject: Subject::State, blocks }];
        let given = Announcement::new(key(), Cursor { epoch: Epoch::from("e".to_owned()), seq: 7 }, frames);
        let read = read_announcement(key(), &announcement(&given).into()).unwrap();
        assert_eq!(read, Announcement { frames: Vec::new(), ..given });
    }

    #[test]
    fn an_event_of_a_later_version_leaves_its_announcement_without_frames() {
        for body in ["id: e.1\nevent: later\ndata: {}\n\n", "x"] {
            let message = format!("T1 e 1 7 1,{}\n{body}", body.len());
            let read = read_announcement(key(), &message.into()).unwrap();
            assert_eq!((read.head, read.frames), (1, Vec::new()), "{body:?}");
        }
    }

    #[test]
    fn unreadable_messages_and_newer_ones_are_distinguished() {
        let read = |text: &'static [u8]| read_announcement(key(), &Bytes::from_static(text)).unwrap_err();
        assert_eq!(read(b"T2 anything\xff\n"), Foreign::Newer);
        assert_eq!(read(b"T10\n"), Foreign::Newer);
        let malformed: [&[u8]; 14] = [
            b"T1 e 1 1 +\n",
            b"T1 e 1 1 1,1 +team:7\na",
            b"",
            b"\n",
            b"T0 e 1 1\n",
            b"T1 e 1 1",
            b"T1 e 1\n",
            b"T1 e -1 1\n",
            b"T1 e 1 1 1,3\nab",
            b"T1 e 1 1 1,1\nab",
            b"T1 e 2 1 1,1\na",
            b"T1 e 3 1 1,1 3,1\nab",
            b"T1 e! 1 1\n",
            b"T1 e 1 1 1,1,4,k\na",
        ];
        for text in malformed {
            assert_eq!(read(text), Foreign::Malformed, "{text:?}");
        }
    }

    #[test]
    fn controls_and_probes_survive_their_bytes() {
        for order in [Control::Revoked, Control::KindsChanged] {
            assert_eq!(read_control(&control("i-1", &order)), Ok(("i-1", order)));
        }
        let first = Control::ConnectedFirst(uuid::Uuid::from_u128(7));
        assert_eq!(read_control(&control("i-1", &first)), Ok(("i-1", first)));
        assert_eq!(read_control(b"T1 i-1 connected-first x"), Err(Foreign::Malformed));
        assert_eq!(read_control(b"T1 i-1 other"), Err(Foreign::Malformed));
        assert_eq!(read_control(b"T2 i-1 other"), Err(Foreign::Newer));
        assert_eq!(read_probe(&probe(u64::MAX, 15)), Ok((u64::MAX, 15)));
        assert_eq!(read_probe(b"T1 1 2 3"), Err(Foreign::Malformed));
    }
}
