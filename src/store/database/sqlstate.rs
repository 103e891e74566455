//! The SQLSTATE of each error, which the stream from the server writes before the error's message: `40P01: deadlock detected`.
//!
//! Diesel keeps everything of an error but its code, and the language of the message is the server's choice. The message
//! is the one part that reaches Diesel's callers unchanged, so the code is written into it.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf as _, BytesMut};
use diesel::result::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::error::SqlState;

/// Kind and length of a message. The length counts itself and the body.
const HEADER: usize = 5;
const LENGTH: usize = 4;
/// The kind of an error's message.
const ERROR: u8 = b'E';
/// Fields of an error's message.
const CODE: u8 = b'C';
const TEXT: u8 = b'M';
const SEPARATOR: &str = ": ";

/// The code of a server's error; none of an error that the driver made.
pub(crate) fn of(error: &Error) -> Option<SqlState> {
    let Error::DatabaseError(_, information) = error else { return None };
    let (code, _) = information.message().split_once(SEPARATOR)?;
    let is_code = code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    is_code.then(|| SqlState::from_code(code))
}

/// A stream from a server that adds their code to the messages of errors. It begins after the negotiation of TLS: from
/// there on everything that the server sends is a message with a header.
pub(crate) struct Coded<S> {
    pub(crate) stream: S,
    messages: Messages,
    /// Begins with an error that has not arrived in full; empty between errors.
    held: BytesMut,
    /// Complete, and not read yet.
    ready: BytesMut,
}

impl<S> Coded<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, messages: Messages::default(), held: BytesMut::new(), ready: BytesMut::new() }
    }

    /// Takes in the bytes that arrived in `buffer` after `before`; leaves there the bytes that pass unchanged.
    fn take_in(&mut self, buffer: &mut ReadBuf<'_>, before: usize) {
        let fresh = &buffer.filled()[before..];
        let unchanged = if self.held.is_empty() { self.messages.skip_to_error(fresh) } else { 0 };
        self.held.extend_from_slice(&fresh[unchanged..]);
        buffer.set_filled(before + unchanged);
        while let Some(error) = self.take_error() {
            self.ready.extend_from_slice(&with_code(&error));
            let unchanged = self.messages.skip_to_error(&self.held);
            self.ready.extend_from_slice(&self.held.split_to(unchanged));
        }
    }

    /// The error at the front of the held bytes, once it is complete.
    fn take_error(&mut self) -> Option<BytesMut> {
        let header = *self.held.first_chunk()?;
        let length = HEADER + body_length(header);
        (self.held.len() >= length).then(|| self.held.split_to(length))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Coded<S> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        // An answer without a byte would mean the end, so a part of an error is no answer yet.
        while buffer.remaining() > 0 && buffer.filled().len() == before {
            if !this.ready.is_empty() {
                let length = this.ready.len().min(buffer.remaining());
                buffer.put_slice(&this.ready[..length]);
                this.ready.advance(length);
                break;
            }
            ready!(Pin::new(&mut this.stream).poll_read(context, buffer))?;
            if buffer.filled().len() == before {
                if this.held.is_empty() {
                    break;
                }
                // The server is gone in the middle of an error: the driver must see the bytes that there are.
                this.ready = this.held.split();
                continue;
            }
            this.take_in(buffer, before);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Coded<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// The boundaries of messages in a stream that arrives in parts.
#[derive(Default)]
struct Messages {
    header: [u8; HEADER],
    /// Bytes of the header that have arrived.
    arrived: usize,
    /// Bytes of the body that have not arrived.
    body: usize,
}

impl Messages {
    /// How many of these bytes come before the next error's header.
    fn skip_to_error(&mut self, bytes: &[u8]) -> usize {
        let mut skipped = 0;
        while skipped < bytes.len() {
            if self.body > 0 {
                let length = self.body.min(bytes.len() - skipped);
                self.body -= length;
                skipped += length;
                continue;
            }
            if self.arrived == 0 && bytes[skipped] == ERROR {
                break;
            }
            self.header[self.arrived] = bytes[skipped];
            self.arrived += 1;
            skipped += 1;
            if self.arrived == HEADER {
                self.body = body_length(self.header);
                self.arrived = 0;
            }
        }
        skipped
    }
}

fn body_length([_, length @ ..]: [u8; HEADER]) -> usize {
    (u32::from_be_bytes(length) as usize).saturating_sub(LENGTH)
}

/// An error's message with its code before its text. One that lacks either stays as it is, for the driver to refuse.
fn with_code(error: &[u8]) -> BytesMut {
    let mut changed = BytesMut::from(error);
    let (Some((code, code_length)), Some((text, _))) = (field(error, CODE), field(error, TEXT)) else { return changed };
    changed.truncate(text);
    changed.extend_from_slice(&error[code..code + code_length]);
    changed.extend_from_slice(SEPARATOR.as_bytes());
    changed.extend_from_slice(&error[text..]);
    let length = changed.len() + LENGTH - HEADER;
    changed[1..HEADER].copy_from_slice(&(length as u32).to_be_bytes());
    changed
}

/// Start and length of a field's value. Each field is a byte for its name and a value that ends with a zero.
fn field(error: &[u8], name: u8) -> Option<(usize, usize)> {
    let mut start = HEADER;
    loop {
        let found = *error.get(start)?;
        let value = &error[start + 1..];
        let length = value.iter().position(|byte| *byte == 0)?;
        if found == name {
            return Some((start + 1, length));
        }
        start += length + 2;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    const ROW: &[u8] = b"D\0\0\0\x09EEEEE";
    const READY: &[u8] = b"Z\0\0\0\x05I";

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = (body.len() + LENGTH) as u32;
        [&[kind], &length.to_be_bytes()[..], body].concat()
    }

    fn error(text: &str) -> Vec<u8> {
        message(ERROR, format!("SFEHLER\0VERROR\0C40P01\0M{text}\0Rx\0\0").as_bytes())
    }

    /// The text that a reader gets of a stream that arrives in such parts.
    async fn read(sent: &[u8], part: usize, room: usize) -> Vec<u8> {
        let mut parts = parts_of(sent, part);
        let (mut got, mut buffer) = (Vec::new(), vec![0; room]);
        loop {
            match parts.read(&mut buffer).await.unwrap() {
                0 => return got,
                length => got.extend_from_slice(&buffer[..length]),
            }
        }
    }

    /// Hands out at most `part` bytes at a time.
    struct Parts {
        bytes: Vec<u8>,
        part: usize,
    }

    fn parts_of(bytes: &[u8], part: usize) -> Coded<Parts> {
        Coded::new(Parts { bytes: bytes.to_owned(), part })
    }

    impl AsyncRead for Parts {
        fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            let length = self.part.min(buffer.remaining()).min(self.bytes.len());
            let rest = self.bytes.split_off(length);
            buffer.put_slice(&std::mem::replace(&mut self.bytes, rest));
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn errors_carry_their_code_however_the_stream_is_cut() {
        let sent = [ROW, &error("eins"), READY, &error("zwei"), &error("drei"), ROW].concat();
        let expected = [ROW, &error("40P01: eins"), READY, &error("40P01: zwei"), &error("40P01: drei"), ROW].concat();
        for part in 1..=sent.len() {
            for room in [1, 3, 7, 1_000] {
                assert_eq!(read(&sent, part, room).await, expected, "parts of {part} into {room}");
            }
        }
    }

    #[tokio::test]
    async fn bytes_that_are_no_whole_error_pass_unchanged() {
        let cut = &error("eins")[..20];
        let codeless = message(ERROR, b"SERROR\0Mtext\0\0");
        let empty = message(ERROR, b"");
        for sent in [cut, &codeless, &empty, b"E\0\0\0\0", b"E\0", b""] {
            assert_eq!(read(sent, 3, 8).await, sent);
        }
    }

    #[test]
    fn only_a_message_that_begins_with_a_code_has_one() {
        let code = |text: &str| {
            let information = Box::new(text.to_owned());
            of(&Error::DatabaseError(diesel::result::DatabaseErrorKind::Unknown, information))
        };
        assert_eq!(code("40P01: Verklemmung (Deadlock) entdeckt"), Some(SqlState::T_R_DEADLOCK_DETECTED));
        for text in ["connection closed", "error: closed", "40P01 deadlock", "40p01: deadlock", ""] {
            assert_eq!(code(text), None, "{text}");
        }
        assert_eq!(of(&Error::NotFound), None);
    }
}
