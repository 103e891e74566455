//! An incremental parser of `text/event-stream`, after the WHATWG HTML standard, section 9.2.6.
//!
//! Bytes come in chunks of any size; the events do not depend on where the chunks end.

use std::time::Duration;

/// Bytes that one line, or the data of one event, may have before the parser gives up.
pub const DEFAULT_LIMIT: usize = 16 * 1024 * 1024;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// One event, borrowed from the parser's buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// The `event:` field; `message` when there was none.
    pub kind: &'a str,
    /// The `data:` lines, joined by newlines.
    pub data: &'a str,
    /// The last event id at this event: its own, or that of an earlier block.
    pub id: &'a str,
}

/// A line or an event was longer than the parser's limit; the stream cannot be read further.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an event of the stream is longer than {0} bytes")]
pub struct Oversized(pub usize);

/// The state between two chunks of one stream.
#[derive(Debug)]
pub struct Parser {
    limit: usize,
    line: Vec<u8>,
    first_line: bool,
    after_cr: bool,
    kind: String,
    data: String,
    id: String,
    last_event_id: String,
    retry: Option<Duration>,
}

impl Default for Parser {
    fn default() -> Self {
        Self::new(DEFAULT_LIMIT)
    }
}

impl Parser {
    /// A parser for one response; `limit` bounds a line and an event's data, in bytes.
    pub fn new(limit: usize) -> Self {
        Self {
            limit,
            line: Vec::new(),
            first_line: true,
            after_cr: false,
            kind: String::new(),
            data: String::new(),
            id: String::new(),
            last_event_id: String::new(),
            retry: None,
        }
    }

    /// The parser of a reconnect: events without an id of their own get this one.
    #[must_use]
    pub fn resuming(mut self, last_event_id: &str) -> Self {
        self.id.push_str(last_event_id);
        self.last_event_id.push_str(last_event_id);
        self
    }

    /// The `Last-Event-ID` of a reconnect; it moves at the end of a block, even if the block has no data.
    pub fn last_event_id(&self) -> &str {
        &self.last_event_id
    }

    /// The newest `retry:` of this response.
    pub fn retry(&self) -> Option<Duration> {
        self.retry
    }

    /// Takes the next bytes and passes every event that they complete to `each`.
    ///
    /// # Errors
    /// [`Oversized`] when a line or an event passes the limit; the parser is of no use afterwards.
    pub fn feed(&mut self, mut chunk: &[u8], mut each: impl FnMut(Event<'_>)) -> Result<(), Oversized> {
        while !chunk.is_empty() {
            if std::mem::take(&mut self.after_cr) && chunk[0] == b'\n' {
                chunk = &chunk[1..];
                continue;
            }
            let Some(end) = chunk.iter().position(|&byte| byte == b'\n' || byte == b'\r') else {
                return self.keep(chunk);
            };
            self.after_cr = chunk[end] == b'\r';
            self.end_line(&chunk[..end], &mut each)?;
            chunk = &chunk[end + 1..];
        }
        Ok(())
    }

    /// Keeps the beginning of a line whose end is in a later chunk.
    fn keep(&mut self, part: &[u8]) -> Result<(), Oversized> {
        if self.line.len() + part.len() > self.limit {
            return Err(Oversized(self.limit));
        }
        self.line.extend_from_slice(part);
        Ok(())
    }

    fn end_line(&mut self, rest: &[u8], each: &mut impl FnMut(Event<'_>)) -> Result<(), Oversized> {
        if self.line.is_empty() {
            return self.take_line(rest, each);
        }
        self.keep(rest)?;
        let mut line = std::mem::take(&mut self.line);
        let taken = self.take_line(&line, each);
        line.clear();
        self.line = line;
        taken
    }

    fn take_line(&mut self, line: &[u8], each: &mut impl FnMut(Event<'_>)) -> Result<(), Oversized> {
        let line = if std::mem::take(&mut self.first_line) { line.strip_prefix(BOM).unwrap_or(line) } else { line };
        if line.is_empty() {
            self.dispatch(each);
            return Ok(());
        }
        let (name, value) = match line.iter().position(|&byte| byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (line, &[][..]),
        };
        self.take_field(name, value.strip_prefix(b" ").unwrap_or(value))
    }

    fn take_field(&mut self, name: &[u8], value: &[u8]) -> Result<(), Oversized> {
        match name {
            b"data" => return self.take_data(value),
            b"event" => {
                self.kind.clear();
                self.kind.push_str(&String::from_utf8_lossy(value));
            }
            b"id" if !value.contains(&0) => {
                self.id.clear();
                self.id.push_str(&String::from_utf8_lossy(value));
            }
            b"retry" => self.retry = milliseconds(value).or(self.retry),
            _ => {}
        }
        Ok(())
    }

    fn take_data(&mut self, value: &[u8]) -> Result<(), Oversized> {
        if self.data.len() + value.len() > self.limit {
            return Err(Oversized(self.limit));
        }
        self.data.push_str(&String::from_utf8_lossy(value));
        self.data.push('\n');
        Ok(())
    }

    fn dispatch(&mut self, each: &mut impl FnMut(Event<'_>)) {
        if self.last_event_id != self.id {
            self.last_event_id.clone_from(&self.id);
        }
        if let Some(data) = self.data.strip_suffix('\n') {
            let kind = if self.kind.is_empty() { "message" } else { &self.kind };
            each(Event { kind, data, id: &self.last_event_id });
        }
        self.data.clear();
        self.kind.clear();
    }
}

/// Digits only, as the standard wants; a number too large for 64 bits is ignored.
fn milliseconds(value: &[u8]) -> Option<Duration> {
    if !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    str::from_utf8(value).ok()?.parse().ok().map(Duration::from_millis)
}

#[cfg(test)]
#[path = "sse_tests.rs"]
mod tests;
