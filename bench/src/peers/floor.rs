//! The cheapest server that could do it: one thread, one Redis subscription for all users, each frame written at once.
//!
//! No tokens, no storage, no resume, no heartbeat, no queue: a client that cannot take a frame is dropped.

use std::{
    collections::HashMap,
    io::{self, Read as _, Write as _},
    net::SocketAddr,
};

use clap::Args;
use memchr::memmem;
use mio::{
    Events, Interest, Poll, Token,
    net::{TcpListener, TcpStream},
};
use socket2::{Domain, Socket, Type};

const LISTENER: Token = Token(usize::MAX - 1);
const REDIS: Token = Token(usize::MAX - 2);
/// As the other servers are configured, where they can be.
const BACKLOG: i32 = 4_096;
const BUFFER: usize = 256 * 1024;
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-cache\r\n\r\n";

/// The addresses of the server.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// The address for clients
    #[arg(long)]
    listen: SocketAddr,
    /// The address of Redis
    #[arg(long)]
    redis: SocketAddr,
}

struct Floor {
    poll: Poll,
    clients: Vec<Option<TcpStream>>,
    /// Each user's indices in `clients`.
    users: HashMap<Box<[u8]>, Vec<u32>>,
    frame: Vec<u8>,
}

/// Serves until killed.
///
/// # Errors
/// When it cannot listen or Redis goes away.
pub fn serve(options: &Options) -> anyhow::Result<()> {
    let mut listener = listen(options.listen)?;
    let mut redis = std::net::TcpStream::connect(options.redis)?;
    redis.write_all(b"*2\r\n$10\r\nPSUBSCRIBE\r\n$7\r\nbench-*\r\n")?;
    redis.set_nonblocking(true)?;
    let mut redis = TcpStream::from_std(redis);
    let poll = Poll::new()?;
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
    poll.registry().register(&mut redis, REDIS, Interest::READABLE)?;
    let mut floor = Floor { poll, clients: Vec::new(), users: HashMap::new(), frame: Vec::new() };
    let mut events = Events::with_capacity(1_024);
    let mut buffer = vec![0; BUFFER];
    let mut filled = 0;
    loop {
        match floor.poll.poll(&mut events, None) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error.into()),
            _ => {}
        }
        for event in &events {
            match event.token() {
                LISTENER => floor.accept(&listener)?,
                REDIS => floor.messages(&mut redis, &mut buffer, &mut filled)?,
                Token(index) => floor.request(index),
            }
        }
    }
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}

impl Floor {
    fn accept(&mut self, listener: &TcpListener) -> io::Result<()> {
        loop {
            let mut socket = match listener.accept() {
                Ok((socket, _)) => socket,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            };
            socket.set_nodelay(true)?;
            self.poll.registry().register(&mut socket, Token(self.clients.len()), Interest::READABLE)?;
            self.clients.push(Some(socket));
        }
    }

    /// Reads a request, which comes whole, or the client's end.
    fn request(&mut self, index: usize) {
        let Some(client) = self.clients[index].as_mut() else { return };
        let mut request = [0; 1_024];
        let length = client.read(&mut request).unwrap_or(0);
        let user =
            request[..length].strip_prefix(b"GET /sub/").and_then(|rest| rest.split(|byte| *byte == b' ').next());
        match user {
            Some(user) if client.write(HEAD).is_ok_and(|length| length == HEAD.len()) => {
                self.users.entry(user.into()).or_default().push(index as u32);
            }
            _ => self.clients[index] = None,
        }
    }

    /// Takes the messages of Redis: `*4 pmessage pattern channel payload`, again and again.
    fn messages(&mut self, redis: &mut TcpStream, buffer: &mut [u8], filled: &mut usize) -> io::Result<()> {
        loop {
            match redis.read(&mut buffer[*filled..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(length) => *filled += length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
            let mut rest = &buffer[..*filled];
            while let Some((message, length)) = first(rest) {
                if let Some((user, text)) = message {
                    self.deliver(user, text);
                }
                rest = &rest[length..];
            }
            let left = rest.len();
            buffer.copy_within(*filled - left..*filled, 0);
            *filled = left;
        }
    }

    fn deliver(&mut self, user: &[u8], text: &[u8]) {
        self.frame.clear();
        self.frame.extend_from_slice(b"data: ");
        self.frame.extend_from_slice(text);
        self.frame.extend_from_slice(b"\n\n");
        for &index in self.users.get(user).into_iter().flatten() {
            let slot = &mut self.clients[index as usize];
            let whole =
                slot.as_mut().map(|client| client.write(&self.frame).is_ok_and(|sent| sent == self.frame.len()));
            if whole == Some(false) {
                *slot = None;
            }
        }
    }
}

/// A message's channel and payload.
type Message<'a> = (&'a [u8], &'a [u8]);

/// The first message of Redis, once it is whole: a message, none for the answer to the subscription, and its length.
fn first(bytes: &[u8]) -> Option<(Option<Message<'_>>, usize)> {
    let mut at = line(bytes)?.len() + 2;
    let parts = if bytes.starts_with(b"*4") { 4 } else { 3 };
    let mut texts: [&[u8]; 4] = [&[]; 4];
    for text in texts.iter_mut().take(parts) {
        let head = line(bytes.get(at..)?)?;
        at += head.len() + 2;
        // Only the answer to the subscription holds a number.
        if let Some(length) = head.strip_prefix(b"$") {
            let length: usize = str::from_utf8(length).ok()?.parse().ok()?;
            *text = bytes.get(at..at + length)?;
            at += length + 2;
        }
    }
    let message = (parts == 4).then_some((texts[2], texts[3]));
    (at <= bytes.len()).then_some((message, at))
}

/// The bytes up to the end of the line; none if it is incomplete.
fn line(bytes: &[u8]) -> Option<&[u8]> {
    memmem::find(bytes, b"\r\n").map(|end| &bytes[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_for_every_cut_of_the_bytes() {
        let answer = b"*3\r\n$10\r\npsubscribe\r\n$2\r\nu*\r\n:1\r\n".as_slice();
        let message = b"*4\r\n$8\r\npmessage\r\n$2\r\nu*\r\n$2\r\nu7\r\n$5\r\nhello\r\n".as_slice();
        let both = [answer, message].concat();
        for cut in 0..both.len() {
            let expected = (cut >= answer.len()).then_some((None, answer.len()));
            assert_eq!(first(&both[..cut]), expected, "cut at {cut}");
        }
        for cut in 0..message.len() {
            assert_eq!(first(&message[..cut]), None, "cut at {cut}");
        }
        assert_eq!(first(message), Some((Some((b"u7".as_slice(), b"hello".as_slice())), message.len())));
    }
}
