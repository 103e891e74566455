//! One stream: a socket, how far its opening has come, and the order of what it got.

use std::{
    io::{self, Read as _, Write as _},
    time::Instant,
};

use mio::net::TcpStream;

use super::{
    marker::{self, Found},
    record::{Order, Record},
    system::{Cursor, Opening, System},
    wire,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connecting,
    Opening { answered: bool },
    Open,
    Closed,
}

/// What became of a stream when its socket had news.
#[derive(Debug, PartialEq, Eq)]
pub enum News {
    /// Nothing to tell.
    None,
    /// It is open now.
    Opened(Cursor),
    /// It will never open.
    Failed,
    /// It was open and has ended.
    Ended,
}

/// A client's stream.
pub struct Stream {
    socket: TcpStream,
    system: System,
    user: u64,
    stage: Stage,
    /// Bytes that were looked at and belong before the next ones; nearly always none.
    carry: Vec<u8>,
    order: Order,
    /// When it was asked for.
    pub began: Instant,
}

impl Stream {
    /// A stream of this user over a socket that is still connecting.
    pub fn new(socket: TcpStream, system: System, user: u64) -> Self {
        let stage = Stage::Connecting;
        Self { socket, system, user, stage, carry: Vec::new(), order: Order::default(), began: Instant::now() }
    }

    /// Sends the request once the socket is connected.
    pub fn connected(&mut self, request: &[u8]) -> News {
        if self.stage != Stage::Connecting {
            return News::None;
        }
        let refused = matches!(self.socket.take_error(), Err(_) | Ok(Some(_)));
        match self.socket.peer_addr() {
            Ok(_) if !refused => {}
            Err(error) if error.kind() == io::ErrorKind::NotConnected && !refused => return News::None,
            _ => return self.close(),
        }
        self.stage = Stage::Opening { answered: false };
        self.say(request)
    }

    /// Takes all that has come; `buffer` is shared by all streams.
    pub fn readable(&mut self, buffer: &mut [u8], users: u64, record: &mut Record) -> News {
        while !matches!(self.stage, Stage::Connecting | Stage::Closed) {
            match self.socket.read(buffer) {
                Ok(0) => return self.close(),
                Ok(length) => {
                    record.counts.bytes += length as u64;
                    let news = self.take(&buffer[..length], users, record);
                    // A short read has emptied the socket: the next bytes ring again.
                    if news != News::None || length < buffer.len() {
                        return news;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return News::None,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return self.close(),
            }
        }
        News::None
    }

    fn take(&mut self, bytes: &[u8], users: u64, record: &mut Record) -> News {
        if let Stage::Opening { answered } = self.stage {
            self.carry.extend_from_slice(bytes);
            return self.open(answered);
        }
        if self.carry.is_empty() {
            let end = self.scan(bytes, users, record);
            self.carry.extend_from_slice(&bytes[end..]);
        } else {
            let mut joined = std::mem::take(&mut self.carry);
            joined.extend_from_slice(bytes);
            let end = self.scan(&joined, users, record);
            joined.drain(..end);
            self.carry = joined;
        }
        News::None
    }

    fn open(&mut self, answered: bool) -> News {
        match self.system.opening(&self.carry, answered) {
            Opening::Waiting => News::None,
            Opening::Refused => self.close(),
            Opening::Answer(answer) => {
                self.stage = Stage::Opening { answered: true };
                self.say(&answer)
            }
            Opening::Open(cursor) => {
                self.stage = Stage::Open;
                self.carry = Vec::new();
                News::Opened(cursor)
            }
        }
    }

    /// Records what the bytes hold; returns where an unfinished message begins.
    fn scan(&mut self, bytes: &[u8], users: u64, record: &mut Record) -> usize {
        let now = Instant::now();
        let (order, user) = (&mut self.order, self.user);
        let mut pinged = false;
        let end = marker::scan(bytes, |found| match found {
            Found::Message { number, due } => record.take(order, (user, users), number, due, now),
            Found::Ping => pinged = true,
        });
        if pinged {
            self.say(&wire::client_frame("3"));
        }
        end
    }

    /// Requests and answers are short and the socket is idle: they fit, or the connection is broken.
    fn say(&mut self, bytes: &[u8]) -> News {
        match self.socket.write(bytes) {
            Ok(length) if length == bytes.len() => News::None,
            _ => self.close(),
        }
    }

    fn close(&mut self) -> News {
        let was = std::mem::replace(&mut self.stage, Stage::Closed);
        match was {
            Stage::Open => News::Ended,
            Stage::Closed => News::None,
            Stage::Connecting | Stage::Opening { .. } => News::Failed,
        }
    }
}
