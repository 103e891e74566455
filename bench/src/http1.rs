//! As much of HTTP/1.1 as a load tool needs: request heads by hand, answers decoded without copying the body.

use std::io;

use tokio::net::TcpStream;

/// Bytes that an answer's head may have.
const HEAD_LIMIT: usize = 16 * 1024;
const BUFFER: usize = 64 * 1024;

thread_local! {
    /// One read buffer for all connections of a thread: an idle connection owns none.
    static SHARED: std::cell::RefCell<Vec<u8>> = std::cell::RefCell::new(vec![0; BUFFER]);
}

/// Waits for bytes and hands them over; an empty slice is the end of the connection.
pub async fn read<T>(stream: &TcpStream, mut take: impl FnMut(&[u8]) -> T) -> io::Result<T> {
    loop {
        stream.readable().await?;
        let taken = SHARED.with_borrow_mut(|buffer| stream.try_read(buffer).map(|length| take(&buffer[..length])));
        match taken {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            taken => return taken,
        }
    }
}

/// The fault of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an HTTP/1.1 answer: {0}")]
pub struct Broken(&'static str);

/// Decodes one answer after another of a connection.
#[derive(Debug)]
pub struct Decoder {
    head: Vec<u8>,
    status: u16,
    body: Body,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Body {
    Head,
    Length(u64),
    Size(u64),
    Extension(u64),
    Chunk(u64),
    ChunkEnd,
    Trailer { empty: bool },
    UntilClose,
    Done,
}

impl Decoder {
    /// A decoder at the beginning of an answer.
    pub fn new() -> Self {
        Self { head: Vec::new(), status: 0, body: Body::Head }
    }

    /// The answer's status; 0 before its head has come.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The answer has come whole.
    pub fn is_done(&self) -> bool {
        self.body == Body::Done
    }

    /// Takes the next bytes and passes those of the body to `sink`.
    ///
    /// # Errors
    /// [`Broken`] when this is no HTTP/1.1 answer.
    pub fn feed(&mut self, mut bytes: &[u8], mut sink: impl FnMut(&[u8])) -> Result<(), Broken> {
        if self.body == Body::Head {
            let before = self.head.len();
            self.head.extend_from_slice(bytes);
            let Some(end) = find(&self.head, b"\r\n\r\n") else {
                return if self.head.len() > HEAD_LIMIT { Err(Broken("endless head")) } else { Ok(()) };
            };
            (self.status, self.body) = parse_head(&self.head[..end])?;
            self.head = Vec::new();
            bytes = &bytes[end + 4 - before..];
        }
        while !bytes.is_empty() && self.body != Body::Done {
            bytes = self.step(bytes, &mut sink)?;
        }
        Ok(())
    }

    fn step<'a>(&mut self, bytes: &'a [u8], sink: &mut impl FnMut(&[u8])) -> Result<&'a [u8], Broken> {
        let (first, rest) = (bytes[0], &bytes[1..]);
        self.body = match self.body {
            Body::Length(left) | Body::Chunk(left) => {
                let taken = usize::try_from(left).map_or(bytes.len(), |left| left.min(bytes.len()));
                sink(&bytes[..taken]);
                self.body = after(self.body, left - taken as u64);
                return Ok(&bytes[taken..]);
            }
            Body::UntilClose => {
                sink(bytes);
                return Ok(&[]);
            }
            Body::Size(size) => match (first, char::from(first).to_digit(16)) {
                (_, Some(digit)) if size < 1 << 56 => Body::Size(size * 16 + u64::from(digit)),
                (b'\r' | b';' | b' ', _) => Body::Extension(size),
                _ => return Err(Broken("a chunk without a size")),
            },
            Body::Extension(0) if first == b'\n' => Body::Trailer { empty: true },
            Body::Extension(size) if first == b'\n' => Body::Chunk(size),
            Body::ChunkEnd if first == b'\n' => Body::Size(0),
            Body::Trailer { empty: true } if first == b'\n' => Body::Done,
            Body::Trailer { empty } => Body::Trailer { empty: first == b'\n' || (empty && first == b'\r') },
            unchanged => unchanged,
        };
        Ok(rest)
    }
}

fn after(body: Body, left: u64) -> Body {
    match (body, left) {
        (Body::Chunk(_), 0) => Body::ChunkEnd,
        (Body::Chunk(_), left) => Body::Chunk(left),
        (_, 0) => Body::Done,
        (_, left) => Body::Length(left),
    }
}

fn parse_head(head: &[u8]) -> Result<(u16, Body), Broken> {
    let head = str::from_utf8(head).map_err(|_| Broken("a head that is not text"))?;
    let mut lines = head.split("\r\n");
    let mut start = lines.next().unwrap_or_default().split(' ');
    if !start.next().is_some_and(|version| version.starts_with("HTTP/1.")) {
        return Err(Broken("no HTTP version"));
    }
    let status = start.next().and_then(|status| status.parse().ok()).ok_or(Broken("no status"))?;
    let mut body = if status == 204 { Body::Done } else { Body::UntilClose };
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        let value = value.trim();
        if name.eq_ignore_ascii_case("transfer-encoding") && value.eq_ignore_ascii_case("chunked") {
            body = Body::Size(0);
        } else if name.eq_ignore_ascii_case("content-length") {
            body = after(Body::Length(0), value.parse().map_err(|_| Broken("a bad length"))?);
        }
    }
    Ok((status, body))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(answer: &[u8], step: usize) -> (u16, String, bool) {
        let mut decoder = Decoder::new();
        let mut body = Vec::new();
        for part in answer.chunks(step) {
            decoder.feed(part, |bytes| body.extend_from_slice(bytes)).unwrap();
        }
        (decoder.status(), String::from_utf8(body).unwrap(), decoder.is_done())
    }

    #[test]
    fn an_answer_is_the_same_however_it_is_cut() {
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nA;x=y\r\n, world...\r\n0\r\na: b\r\n\r\n";
        let sized = b"HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\nabcd";
        for step in 1..chunked.len() {
            assert_eq!(decode(chunked, step), (200, "hello, world...".into(), true), "{step}");
            assert_eq!(decode(sized, step), (201, "abcd".into(), true), "{step}");
        }
    }

    #[test]
    fn an_answer_without_length_lasts_until_the_close() {
        assert_eq!(decode(b"HTTP/1.0 200 OK\r\n\r\nabc", 3), (200, "abc".into(), false));
        assert_eq!(decode(b"HTTP/1.1 204 No Content\r\n\r\n", 9), (204, String::new(), true));
        assert_eq!(decode(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 9), (200, String::new(), true));
    }

    #[test]
    fn other_protocols_are_refused() {
        let broken = |bytes: &[u8]| Decoder::new().feed(bytes, |_| {}).is_err();
        assert!(broken(b"SSH-2.0-x\r\n\r\n"));
        assert!(broken(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"));
        assert!(broken(&vec![b'a'; HEAD_LIMIT + 1]));
    }
}
