//! Reads the stream's text as far as the bench needs it: ids, and the marker in each message. JSON is parsed for the event
//! that begins a stream only, so that reading costs little of the machine that is measured.

use std::time::Duration;

use memchr::{memchr, memmem};
use tidings::client::wire::Hello;

use crate::{
    marker::{self, Found, Marker, number},
    peers::{socketio, system::System},
};

/// A block of the bench is small; more than this is a defect.
const BLOCK_LIMIT: usize = 1024 * 1024;

/// The event of a block.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// How a stream of Tidings begins.
    Hello(Hello),
    /// The stream is open.
    Open,
    /// The server expects this answer.
    Expects(&'static str),
    /// A message, with its marker if it is one of the bench's.
    Notification(Option<Marker>),
    /// A message for all users of the run, with the time of its marker.
    ForAll(u64),
    /// A signal, with its marker if it is one of the bench's.
    Signal(Option<Marker>),
    /// Another block.
    Nothing,
}

/// One block of the stream.
#[derive(Debug, PartialEq, Eq)]
pub struct Block<'a> {
    /// Its `id:`.
    pub id: Option<&'a str>,
    /// Its `retry:`.
    pub retry: Option<Duration>,
    /// Its event.
    pub event: Event,
}

/// The state between two reads of one stream: the beginning of a block whose end has not come yet.
#[derive(Debug)]
pub struct Scanner {
    framed: bool,
    begun: Vec<u8>,
}

impl Scanner {
    /// A scanner at the beginning of a system's answer.
    pub fn of(system: System) -> Self {
        Self { framed: system.is_framed(), begun: Vec::new() }
    }

    /// Takes the next bytes and passes every block that they complete to `each`.
    ///
    /// # Errors
    /// When a block has no end.
    pub fn feed(&mut self, bytes: &[u8], mut each: impl FnMut(Block<'_>)) -> Result<(), &'static str> {
        if self.begun.is_empty() {
            let rest = self.split(bytes, &mut each);
            self.begun.extend_from_slice(rest);
        } else {
            let mut joined = std::mem::take(&mut self.begun);
            joined.extend_from_slice(bytes);
            let rest = self.split(&joined, &mut each);
            self.begun = rest.to_vec();
        }
        if self.begun.len() > BLOCK_LIMIT { Err("a block of the stream has no end") } else { Ok(()) }
    }

    fn split<'a>(&self, bytes: &'a [u8], each: &mut impl FnMut(Block<'_>)) -> &'a [u8] {
        if self.framed { socketio::frames(bytes, each) } else { blocks(bytes, each) }
    }
}

/// Passes the whole blocks of server-sent events to `each` and answers the rest.
fn blocks<'a>(mut bytes: &'a [u8], each: &mut impl FnMut(Block<'_>)) -> &'a [u8] {
    while let Some(end) = memmem::find(bytes, b"\n\n") {
        each(block(&bytes[..end]));
        bytes = &bytes[end + 2..];
    }
    bytes
}

fn block(mut bytes: &[u8]) -> Block<'_> {
    let mut found = Block { id: None, retry: None, event: Event::Nothing };
    let mut name: &[u8] = b"";
    while !bytes.is_empty() {
        let end = memchr(b'\n', bytes).unwrap_or(bytes.len());
        let (line, rest) = bytes.split_at(end);
        bytes = rest.get(1..).unwrap_or_default();
        if let Some(id) = line.strip_prefix(b"id: ") {
            found.id = str::from_utf8(id).ok();
        } else if let Some(given) = line.strip_prefix(b"event: ") {
            name = given;
        } else if let Some(data) = line.strip_prefix(b"data: ") {
            found.event = event(name, data);
        } else if let Some(retry) = line.strip_prefix(b"retry: ") {
            found.retry = number(retry).map(|(retry, _)| Duration::from_millis(retry));
        }
    }
    found
}

/// Systems without names of events send messages only.
fn event(name: &[u8], data: &[u8]) -> Event {
    match name {
        b"" | b"notification" => notification(marker::find(data)),
        b"signal" => match marker::find(data) {
            Some(Found::One(marker)) => Event::Signal(Some(marker)),
            _ => Event::Signal(None),
        },
        b"hello" => serde_json::from_slice(data).map_or(Event::Nothing, Event::Hello),
        _ => Event::Nothing,
    }
}

/// A message in which this was found.
pub fn notification(found: Option<Found>) -> Event {
    match found {
        Some(Found::All(t)) => Event::ForAll(t),
        Some(Found::One(marker)) => Event::Notification(Some(marker)),
        None => Event::Notification(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tidings::client::wire::Verdict;

    const STREAM: &str = "retry: 2000\n\nid: e.0\nevent: hello\ndata: {\"verdict\":\"fresh\",\"cursor\":\"e.0\"}\n\n\
        id: e.1\nevent: notification\ndata: {\"id\":\"x\",\"title\":\"~7~90~\",\"data\":{}}\n\n\
        event: heartbeat\ndata: {}\n\nid: e.2\nevent: notification\ndata: {\"title\":\"bench 7\"}\n\n\
        event: signal\ndata: {\"kind\":\"bench\",\"data\":{\"title\":\"~8~91~\"}}\n\n\
        id: e.3\n\nretry: 40\nevent: bye\ndata: {\"reason\":\"draining\",\"retryMs\":40}\n\n";

    fn scan(step: usize) -> Vec<(Option<String>, Option<u64>, Event)> {
        let (mut scanner, mut found) = (Scanner::of(System::Tidings), Vec::new());
        for part in STREAM.as_bytes().chunks(step) {
            let keep = |block: Block<'_>| {
                let retry = block.retry.map(|retry| retry.as_millis() as u64);
                found.push((block.id.map(str::to_owned), retry, block.event));
            };
            scanner.feed(part, keep).unwrap();
        }
        found
    }

    #[test]
    fn blocks_are_the_same_however_they_are_cut() {
        let whole = scan(STREAM.len());
        assert_eq!(whole.len(), 8);
        assert_eq!(whole[0], (None, Some(2000), Event::Nothing));
        assert!(matches!(&whole[1].2, Event::Hello(hello) if hello.verdict == Verdict::Fresh));
        assert_eq!(whole[2], (Some("e.1".into()), None, Event::Notification(Some(Marker { n: 7, t: 90 }))));
        assert_eq!(whole[3], (None, None, Event::Nothing));
        assert_eq!(whole[4].2, Event::Notification(None));
        assert_eq!(whole[5], (None, None, Event::Signal(Some(Marker { n: 8, t: 91 }))));
        assert_eq!(whole[6], (Some("e.3".into()), None, Event::Nothing));
        assert_eq!(whole[7], (None, Some(40), Event::Nothing));
        for step in 1..STREAM.len() {
            assert_eq!(scan(step), whole, "{step}");
        }
    }

    #[test]
    fn events_without_a_name_are_messages() {
        let mut said = Vec::new();
        Scanner::of(System::Nchan)
            .feed(b": hi\n\nid: 17:0\ndata: ~1~2~xx\n\n", |block| said.push(block.event))
            .unwrap();
        assert_eq!(said, [Event::Nothing, Event::Notification(Some(Marker { n: 1, t: 2 }))]);
    }
}
