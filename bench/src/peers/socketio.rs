//! Socket.IO as far as a load needs it: text frames of a WebSocket, and the messages of the Redis adapter.

use crate::{
    marker,
    streams::scan::{Block, Event, notification},
};

/// The first byte of a text frame that is whole.
const TEXT: u8 = 0x81;

/// Passes the event of each whole frame to `each` and returns the rest.
pub fn frames<'a>(mut bytes: &'a [u8], each: &mut impl FnMut(Block<'_>)) -> &'a [u8] {
    while let Some((text, rest)) = frame(bytes) {
        each(Block { id: None, retry: None, event: event(text) });
        bytes = rest;
    }
    bytes
}

/// The first frame's payload and the rest, once it is whole. Servers mask nothing.
fn frame(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, length) = (*bytes.first()?, *bytes.get(1)?);
    let (begin, length): (usize, usize) = match length {
        126 => (4, u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?).into()),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)).ok()?),
        short => (2, short.into()),
    };
    let payload = bytes.get(begin..begin.checked_add(length)?)?;
    Some((if first == TEXT { payload } else { &[] }, &bytes[begin + length..]))
}

/// The event of a packet: the first digit is the type of Engine.IO, the second that of Socket.IO.
fn event(text: &[u8]) -> Event {
    match text {
        [b'0', ..] => Event::Expects("40"),
        [b'2'] => Event::Expects("3"),
        [b'4', b'0', ..] => Event::Open,
        [b'4', b'2', rest @ ..] => notification(marker::find(rest)),
        _ => Event::Nothing,
    }
}

/// A text frame of a client, masked with zeros, of less than 126 bytes.
pub fn client_frame(text: &str) -> Vec<u8> {
    let mut frame = vec![TEXT, 0x80 | text.len() as u8, 0, 0, 0, 0];
    frame.extend_from_slice(text.as_bytes());
    frame
}

/// The message of the Redis adapter to the other servers when one of them emits to a room, as `MessagePack`:
/// `[sender, {type: 2, data: [event, text], nsp: "/"}, {rooms: [room], except: [], flags: {}}]`.
pub fn emit(room: &str, text: &str) -> Vec<u8> {
    let mut out = vec![0x93]; // an array of three
    pack("load", &mut out);
    out.push(0x83); // a map of three
    pack("type", &mut out);
    out.push(2); // the number itself
    pack("data", &mut out);
    out.push(0x92);
    pack("m", &mut out);
    pack(text, &mut out);
    pack("nsp", &mut out);
    pack("/", &mut out);
    out.push(0x83);
    pack("rooms", &mut out);
    out.push(0x91);
    pack(room, &mut out);
    pack("except", &mut out);
    out.push(0x90);
    pack("flags", &mut out);
    out.push(0x80);
    out
}

/// A text of less than 64 KiB.
fn pack(text: &str, out: &mut Vec<u8>) {
    let length = text.len() as u16;
    if length < 32 {
        out.push(0xa0 | length as u8);
    } else {
        out.push(0xda);
        out.extend_from_slice(&length.to_be_bytes());
    }
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::marker::Marker;

    fn all(bytes: &[u8]) -> (Vec<Event>, usize) {
        let mut found = Vec::new();
        let rest = frames(bytes, &mut |block| found.push(block.event));
        (found, bytes.len() - rest.len())
    }

    #[test]
    fn frames_are_the_same_however_they_are_cut() {
        let marker = Marker { n: 17, t: 4_000 };
        let event = format!(r#"42["m","{}"]"#, marker.padded(300));
        let mut bytes = b"\x81\x0a0{\"sid\":1}\x81\x0b40{\"sid\":1}\x81\x012\x81\x7e".to_vec();
        bytes.extend_from_slice(&(event.len() as u16).to_be_bytes());
        bytes.extend_from_slice(event.as_bytes());
        for cut in 0..bytes.len() {
            let (mut found, end) = all(&bytes[..cut]);
            found.extend(all(&bytes[end..]).0);
            let wanted = [Event::Expects("40"), Event::Open, Event::Expects("3"), Event::Notification(Some(marker))];
            assert_eq!(found, wanted, "cut at {cut}");
        }
    }

    #[test]
    fn long_texts_are_packed_with_their_length() {
        let mut out = Vec::new();
        pack(&"x".repeat(300), &mut out);
        assert_eq!(out[..3], [0xda, 1, 44]);
        assert_eq!(out.len(), 303);
    }
}
