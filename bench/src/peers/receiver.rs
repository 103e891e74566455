//! The thread that opens all streams and reads what comes on them.

use std::{
    io::{self, Read as _},
    net::SocketAddr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, net::TcpStream};
use socket2::{Domain, Socket, Type};

use super::{
    record::{Record, Times},
    stream::{News, Stream},
    system::{Cursor, System},
};

/// Connections that are begun between two looks at the others.
const OPENED_AT_ONCE: usize = 64;
/// Streams may all have news at the same time.
const EVENTS: usize = 4_096;
const BUFFER: usize = 64 * 1024;
/// Client ports, above those that the script gives to servers.
const FIRST_PORT: u16 = 32_768;
const PORTS: usize = 32_000;
/// `EINPROGRESS`: the connection is under way.
const IN_PROGRESS: i32 = 115;
/// Between looks whether to stop, when nothing comes.
const IDLE: Duration = Duration::from_millis(50);

/// What the receiver tells the rest of the program.
pub struct Shared {
    seen: Mutex<Seen>,
    stop: AtomicBool,
}

/// What it has seen so far.
pub struct Seen {
    /// The phase under way.
    pub record: Record,
    /// From the first connection until the last stream was open.
    pub opening: Duration,
    /// From a stream's connection until it was open.
    pub connect: Times,
    /// Streams that opened.
    pub opened: usize,
    /// Streams that did not.
    pub failed: usize,
    /// Streams that ended after they had opened.
    pub ended: usize,
    /// Where each user's log stood.
    pub cursors: Vec<Cursor>,
}

impl Shared {
    /// Nothing seen yet.
    ///
    /// # Errors
    /// As [`Times::new`].
    pub fn new(users: u64) -> anyhow::Result<Self> {
        let record = Record::begin(0, Instant::now())?;
        let cursors = vec![Cursor::default(); users as usize];
        let seen =
            Seen { record, opening: Duration::ZERO, connect: Times::new()?, opened: 0, failed: 0, ended: 0, cursors };
        Ok(Self { seen: Mutex::new(seen), stop: AtomicBool::new(false) })
    }

    /// What was seen; the receiver waits meanwhile.
    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the receiver soon.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// Opens streams and reads them.
pub struct Receiver<'a> {
    /// What is told.
    pub shared: &'a Shared,
    /// Whose server it is.
    pub system: System,
    /// Where it listens.
    pub server: SocketAddr,
    /// What each stream asks.
    pub requests: Vec<Vec<u8>>,
    /// Number of users; stream `i` is of user `i % users`.
    pub users: u64,
    /// Most streams that are opening at the same time.
    pub opening: usize,
    /// Connections whose answers only need to be taken away.
    pub answers: Vec<TcpStream>,
}

impl Receiver<'_> {
    /// Runs until told to stop.
    ///
    /// # Errors
    /// When sockets cannot be made or watched.
    pub fn run(mut self) -> io::Result<()> {
        let mut poll = Poll::new()?;
        let mut events = Events::with_capacity(EVENTS);
        let mut streams: Vec<Stream> = Vec::with_capacity(self.requests.len());
        let mut buffer = vec![0; BUFFER];
        let first_answer = self.requests.len();
        for (index, socket) in self.answers.iter_mut().enumerate() {
            poll.registry().register(socket, Token(first_answer + index), Interest::READABLE)?;
        }
        let began = Instant::now();
        while !self.shared.stop.load(Ordering::Relaxed) {
            let more = self.open_some(&poll, &mut streams)?;
            poll.poll(&mut events, Some(if more { Duration::ZERO } else { IDLE })).or_else(interrupted)?;
            if events.is_empty() {
                continue;
            }
            let mut seen = self.shared.seen();
            for event in &events {
                let Token(index) = event.token();
                let Some(stream) = streams.get_mut(index) else {
                    drain(&mut self.answers[index - first_answer], &mut buffer);
                    continue;
                };
                if event.is_writable() {
                    let news = stream.connected(&self.requests[index]);
                    self.note(news, stream, index, began, &mut seen);
                }
                if event.is_readable() {
                    let news = stream.readable(&mut buffer, self.users, &mut seen.record);
                    self.note(news, stream, index, began, &mut seen);
                }
            }
        }
        Ok(())
    }

    /// Begins some connections; whether more may be begun at once.
    fn open_some(&self, poll: &Poll, streams: &mut Vec<Stream>) -> io::Result<bool> {
        if streams.len() == self.requests.len() {
            return Ok(false);
        }
        let settled = {
            let seen = self.shared.seen();
            seen.opened + seen.failed
        };
        let most = (settled + self.opening).min(self.requests.len()).min(streams.len() + OPENED_AT_ONCE);
        while streams.len() < most {
            let index = streams.len();
            let mut socket = connect(index, self.server)?;
            poll.registry().register(&mut socket, Token(index), Interest::READABLE | Interest::WRITABLE)?;
            streams.push(Stream::new(socket, self.system, index as u64 % self.users));
        }
        Ok(streams.len() < (settled + self.opening).min(self.requests.len()))
    }

    fn note(&self, news: News, stream: &Stream, index: usize, began: Instant, seen: &mut Seen) {
        match news {
            News::None => {}
            News::Failed => seen.failed += 1,
            News::Ended => seen.ended += 1,
            News::Opened(cursor) => {
                seen.opened += 1;
                seen.opening = began.elapsed();
                seen.connect.add(stream.began.elapsed().as_micros() as u64);
                seen.cursors[index % self.users as usize] = cursor;
            }
        }
    }
}

/// Begins a connection from a port of the client's own choice: the kernel's search for one grows with the streams that are
/// open, up to a hundred times the cost of the rest.
fn connect(index: usize, server: SocketAddr) -> io::Result<TcpStream> {
    const ADDRESS: [u8; 4] = [127, 0, 0, 2];
    let port = FIRST_PORT + (index % PORTS) as u16;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    // Ports of a run before may still wait for strays.
    socket.set_reuse_address(true)?;
    socket.bind(&SocketAddr::from((ADDRESS, port)).into())?;
    match socket.connect(&server.into()) {
        Err(error) if error.raw_os_error() != Some(IN_PROGRESS) => Err(error),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}

/// Takes a broker's answers away: what it refuses shows as lost messages, and so does its end.
fn drain(socket: &mut TcpStream, buffer: &mut [u8]) {
    loop {
        match socket.read(buffer) {
            Ok(length) if length == buffer.len() => {}
            _ => return,
        }
    }
}

fn interrupted(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) }
}
