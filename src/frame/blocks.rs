//! Rendered events as one text, with the places of each event's parts beside it.
//!
//! SSE sends the text as it is. The other transports read the parts, so no transport parses a text. A block here is `id:` (if it
//! moves the cursor), `event:` and one line of `data:`; a block that only moves the cursor is `id:` alone.

use std::{io::Write as _, ops::Range};

use bytes::Bytes;
use serde::Serialize;
use smallvec::SmallVec;

use super::{event_type::EventType, line_breaks};
use crate::domain::cursor::Cursor;

const ID: &str = "id: ";
const EVENT: &str = "event: ";
const DATA: &str = "data: ";

/// The parts of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block<'a> {
    /// The cursor after the event, if the event moves the cursor.
    pub cursor: Option<&'a str>,
    /// None for a block that only moves the cursor.
    pub event: Option<EventType>,
    /// One line of JSON.
    pub data: &'a str,
}

/// Complete events as one text. A clone shares the text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Blocks {
    bytes: Bytes,
    parts: SmallVec<[Parts; 1]>,
}

/// Where the parts of one event stand in the text; an empty `cursor` is none.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Parts {
    event: Option<EventType>,
    cursor: Range<u32>,
    data: Range<u32>,
}

impl Blocks {
    /// Takes over the text of one change that another instance rendered. None when this version does not know its form, which a
    /// later version may have extended.
    pub fn of_change(bytes: Bytes) -> Option<Self> {
        let mut fields = Fields { text: str::from_utf8(&bytes).ok()?, at: 0 };
        let mut parts = SmallVec::new();
        while fields.at < fields.text.len() {
            parts.push(fields.change()?);
        }
        // Without a cursor behind it, a client that comes back gets the change once more.
        let is_whole = parts.last().is_some_and(|last: &Parts| !last.cursor.is_empty());
        is_whole.then_some(Self { bytes, parts })
    }

    /// A block that moves the client's cursor without an event: without `data:` no client fires one.
    pub fn of_cursor(cursor: &Cursor) -> Self {
        let mut renderer = Renderer::default();
        renderer.push_cursor(cursor);
        renderer.finish()
    }

    /// The text.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The text, for a transport that takes it over.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }

    /// Whether there is no event.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The parts of each event, in order.
    pub fn all(&self) -> impl Iterator<Item = Block<'_>> {
        self.parts.iter().map(|Parts { event, cursor, data }| Block {
            cursor: Some(self.text(cursor)).filter(|cursor| !cursor.is_empty()),
            event: *event,
            data: self.text(data),
        })
    }

    /// A part. Whatever made the text has checked that it is UTF-8.
    fn text(&self, range: &Range<u32>) -> &str {
        let part = self.bytes.get(range.start as usize..range.end as usize).map(str::from_utf8);
        debug_assert!(matches!(part, Some(Ok(_))), "{range:?} is no part of {self:?}");
        part.and_then(Result::ok).unwrap_or_default()
    }
}

/// Renders events, one after the other, into one text.
#[derive(Default)]
pub struct Renderer {
    text: Vec<u8>,
    parts: SmallVec<[Parts; 1]>,
}

impl Renderer {
    /// With room for so many bytes: a text that grows is copied.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self { text: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// Lets a text come first that is no event, or the first line of one.
    pub(super) fn after(text: String) -> Self {
        Self { text: text.into_bytes(), ..Self::default() }
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// Whether nothing was rendered.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Renders an event; with a cursor it moves the client's.
    pub fn push(&mut self, cursor: Option<&Cursor>, event: EventType, data: &impl Serialize) {
        self.push_with(cursor, event, |text| {
            let start = text.len();
            // Writing to memory cannot fail, and plain data with text keys always serialises.
            let _ = serde_json::to_writer(&mut *text, data);
            line_breaks::escape(text, start);
        });
    }

    /// Renders an event whose data `write` appends: one line of JSON, with all line breaks of Unicode escaped.
    pub(super) fn push_with(&mut self, cursor: Option<&Cursor>, event: EventType, write: impl FnOnce(&mut Vec<u8>)) {
        let cursor = cursor.map_or(0..0, |cursor| self.line_of_cursor(cursor));
        for part in [EVENT, event.as_str(), "\n", DATA] {
            self.text.extend_from_slice(part.as_bytes());
        }
        let start = self.text.len();
        write(&mut self.text);
        let data = range(start, self.text.len());
        self.text.extend_from_slice(b"\n\n");
        self.parts.push(Parts { event: Some(event), cursor, data });
    }

    /// Renders a block that only moves the cursor.
    pub fn push_cursor(&mut self, cursor: &Cursor) {
        let cursor = self.line_of_cursor(cursor);
        self.text.push(b'\n');
        self.parts.push(Parts { event: None, cursor, data: 0..0 });
    }

    /// Appends what was rendered elsewhere.
    pub fn append(&mut self, Blocks { bytes, parts }: &Blocks) {
        let by = self.text.len() as u32;
        self.text.extend_from_slice(bytes);
        self.parts.extend(parts.iter().map(|Parts { event, cursor, data }| Parts {
            event: *event,
            // An empty range stays none wherever it lies.
            cursor: cursor.start + by..cursor.end + by,
            data: data.start + by..data.end + by,
        }));
    }

    /// What was rendered.
    pub fn finish(self) -> Blocks {
        Blocks { bytes: self.text.into(), parts: self.parts }
    }

    fn line_of_cursor(&mut self, Cursor { epoch, seq }: &Cursor) -> Range<u32> {
        self.text.extend_from_slice(ID.as_bytes());
        let start = self.text.len();
        self.text.extend_from_slice(epoch.as_str().as_bytes());
        // Writing to memory cannot fail.
        let _ = write!(self.text, ".{seq}");
        let end = self.text.len();
        self.text.push(b'\n');
        range(start, end)
    }
}

/// A text is far shorter than 4 GiB: a frame is bounded by a publish, a page by its slices.
fn range(start: usize, end: usize) -> Range<u32> {
    debug_assert!(start <= end && u32::try_from(end).is_ok());
    start as u32..end as u32
}

/// Reads a text line by line.
struct Fields<'a> {
    text: &'a str,
    at: usize,
}

impl Fields<'_> {
    /// The next block, if it is a change.
    fn change(&mut self) -> Option<Parts> {
        let cursor = self.value(ID).unwrap_or_default();
        let event = self.value(EVENT)?;
        let event = EventType::of_change(&self.text[event.start as usize..event.end as usize])?;
        let data = self.value(DATA)?;
        self.value("")?.is_empty().then_some(Parts { event: Some(event), cursor, data })
    }

    /// What follows this name on the next line.
    fn value(&mut self, name: &str) -> Option<Range<u32>> {
        let value = self.text[self.at..].strip_prefix(name)?;
        let start = self.at + name.len();
        let end = start + value.find('\n')?;
        self.at = end + 1;
        Some(range(start, end))
    }
}

impl<'a> Block<'a> {
    /// A block of an event that stands by itself.
    pub(super) const fn event(event: EventType, data: &'a str) -> Self {
        Self { cursor: None, event: Some(event), data }
    }
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, option, prelude::*};
    use serde_json::Value;

    use super::*;
    use crate::domain::cursor::Epoch;

    fn cursor(seq: i64) -> Cursor {
        Cursor { epoch: Epoch::from("e".to_owned()), seq }
    }

    /// What a client reads: an independent reading of the text, by the rules of SSE.
    fn read(text: &str) -> Vec<(Option<&str>, Option<&str>, &str)> {
        text.split_terminator("\n\n")
            .map(|block| {
                let field = |name| block.lines().find_map(|line| line.strip_prefix(name));
                (field("id: "), field("event: "), field("data: ").unwrap_or_default())
            })
            .collect()
    }

    proptest! {
        #[test]
        fn the_parts_are_those_of_the_text(
            events in vec((option::of(1_i64..), 0_usize..5, "\\PC*|[\\r\\n:]*"), 0..6), split in 0_usize..6,
        ) {
            let (mut first, mut second) = (Renderer::default(), Renderer::default());
            for (place, (seq, event, text)) in events.iter().enumerate() {
                let renderer = if place < split { &mut first } else { &mut second };
                let at = seq.map(cursor);
                match EventType::CHANGES.get(*event) {
                    Some(event) => renderer.push(at.as_ref(), *event, &Value::from(text.as_str())),
                    None => renderer.push_cursor(&at.unwrap_or_else(|| cursor(1))),
                }
            }
            first.append(&second.finish());
            let blocks = first.finish();
            let text = str::from_utf8(blocks.bytes()).unwrap();
            let parts: Vec<_> =
                blocks.all().map(|block| (block.cursor, block.event.map(EventType::as_str), block.data)).collect();
            prop_assert_eq!(parts, read(text));
        }

        #[test]
        fn a_change_of_another_instance_keeps_its_parts(
            events in vec((option::of(1_i64..), 0_usize..4, "\\PC*"), 0..4), last in 1_i64..,
        ) {
            let mut renderer = Renderer::default();
            for (seq, event, text) in &events {
                renderer.push(seq.map(cursor).as_ref(), EventType::CHANGES[*event], &Value::from(text.as_str()));
            }
            renderer.push(Some(&cursor(last)), EventType::State, &Value::Null);
            let blocks = renderer.finish();
            prop_assert_eq!(Blocks::of_change(blocks.bytes().clone()), Some(blocks));
        }

        #[test]
        fn foreign_bytes_never_panic(bytes in vec(any::<u8>(), 0..60), text in "(id: |event: |data: |state|[a-z.{}\\n]){0,20}") {
            let _ = Blocks::of_change(bytes.into());
            if let Some(blocks) = Blocks::of_change(text.clone().into()) {
                prop_assert_eq!(blocks.all().count(), read(&text).len());
            }
        }
    }

    #[test]
    fn a_text_of_another_form_is_no_change() {
        for text in [
            "",
            "id: e.1\n\n",
            "id: e.1\nevent: hello\ndata: {}\n\n",
            "id: e.1\nevent: later\ndata: {}\n\n",
            "event: state\ndata: {}\n\n",
            "id: e.1\nevent: state\ndata: {}\n\nevent: state\ndata: {}\n\n",
            "id: e.1\nevent: state\ndata: {}\n",
            "id: e.1\nevent: state\ndata: {}\ndata: {}\n\n",
            "event: state\nid: e.1\ndata: {}\n\n",
        ] {
            assert_eq!(Blocks::of_change(text.into()), None, "{text:?}");
        }
        assert_eq!(Blocks::of_change(Bytes::from_static(b"id: e.1\nevent: state\ndata: \xff\n\n")), None);
    }
}
