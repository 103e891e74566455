//! Messages are encoded beforehand and sent open loop over bare sockets, each at its time. A late or refused message delays no
//! other, and answers are read and dropped.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use anyhow::{Context, bail};
use redis::{ConnectionAddr, IntoConnectionInfo};

use super::pace::Pace;
use crate::clock::{self, micros};

/// Most messages that become due between two looks at the sockets.
const TURN: u64 = 1_000;
/// Between tries where the other side reads slower than this writes.
const CROWDED: Duration = Duration::from_micros(50);
/// Longest wait for the answer to a greeting.
const GREETING: Duration = Duration::from_secs(5);
const BUFFER: usize = 64 * 1024;

/// The first bytes of a connection.
#[derive(Debug, Clone, Default)]
pub struct Greeting {
    /// Sent to the server.
    pub send: Vec<u8>,
    /// The end of its answer.
    pub expect: &'static [u8],
}

impl Greeting {
    /// Of a Redis server without a password.
    pub fn redis() -> Self {
        Self { send: redis::cmd("PING").get_packed_command(), expect: b"+PONG\r\n" }
    }
}

/// Writes a `PUBLISH` of Redis.
pub fn redis_publish(channel: &str, message: &[u8], out: &mut Vec<u8>) {
    redis::cmd("PUBLISH").arg(channel).arg(message).write_packed_command(out);
}

/// Connections to a server that takes messages.
pub struct Announcer {
    lines: Vec<Line>,
    /// The messages that are ready, in order: on which line each goes, and its bytes.
    ready: Vec<(u16, u32)>,
}

/// One connection, and the bytes that are ready for it.
struct Line {
    socket: TcpStream,
    bytes: Vec<u8>,
    /// How many of them are due.
    due: usize,
    written: usize,
}

impl Announcer {
    /// Connects so many times.
    ///
    /// # Errors
    /// When the server is not there, or answers otherwise than it should.
    pub fn connect(address: impl ToSocketAddrs, greeting: &Greeting, connections: usize) -> anyhow::Result<Self> {
        let address = address.to_socket_addrs()?.next().context("a host without an address")?;
        let line = || Line::connect(address, greeting).with_context(|| format!("cannot publish to {address}"));
        Ok(Self { lines: (0..connections).map(|_| line()).collect::<anyhow::Result<_>>()?, ready: Vec::new() })
    }

    /// Connects to a Redis server, at this URL.
    ///
    /// # Errors
    /// When the server is not there or refuses, or is not reached over plain TCP.
    pub fn to_redis(url: &str) -> anyhow::Result<Self> {
        let server = url.into_connection_info().context("--redis-url is no Redis address")?;
        let ConnectionAddr::Tcp(host, port) = server.addr() else {
            bail!("announcements go to one Redis server over plain TCP, without TLS");
        };
        let settings = server.redis_settings();
        let mut send = Vec::new();
        if let Some(password) = settings.password() {
            let mut auth = redis::cmd("AUTH");
            if let Some(name) = settings.username() {
                auth.arg(name);
            }
            send.extend(auth.arg(password).get_packed_command());
        }
        let greeting = Greeting::redis();
        send.extend(greeting.send);
        Self::connect((host.as_str(), *port), &Greeting { send, ..greeting }, 1)
    }

    /// Makes a message ready, to be sent after those before; of messages on one line the order is kept.
    pub fn add(&mut self, line: usize, write: impl FnOnce(&mut Vec<u8>)) {
        let line_of = line % self.lines.len();
        let bytes = &mut self.lines[line_of].bytes;
        let before = bytes.len();
        write(bytes);
        self.ready.push((line_of as u16, (bytes.len() - before) as u32));
    }

    /// Sends the ready messages, each at its time after `origin` of the shared clock. Nothing is ready afterwards.
    ///
    /// It stops when it falls so far behind its plan that the other side does not take that rate, and answers how many were sent.
    ///
    /// # Errors
    /// When a connection breaks.
    pub async fn send(mut self, rate: u64, origin: u64, behind: Duration) -> anyhow::Result<(Self, u64)> {
        // On a thread of its own, which may sleep for less than a timer's tick.
        let sending = tokio::task::spawn_blocking(move || {
            let sent = self.send_blocking(rate, origin, micros(behind));
            self.clear();
            sent.map(|sent| (self, sent))
        });
        sending.await.context("sending ended early")?.context("a connection that messages are sent on broke")
    }

    fn send_blocking(&mut self, rate: u64, origin: u64, behind: u64) -> io::Result<u64> {
        let pace = Pace { rate, total: self.ready.len() as u64 };
        let due_at = |index| origin + micros(pace.due(index));
        let mut buffer = vec![0; BUFFER];
        let mut sent = 0;
        while sent < pace.total {
            let now = clock::now();
            if now < due_at(sent) {
                std::thread::sleep(Duration::from_micros(due_at(sent) - now));
                continue;
            }
            if now - due_at(sent) > behind {
                break;
            }
            let due = pace.due_by(now - origin).clamp(sent + 1, sent + TURN);
            for &(line, bytes) in &self.ready[sent as usize..due as usize] {
                self.lines[usize::from(line)].due += bytes as usize;
            }
            for line in self.lines.iter_mut().filter(|line| line.written < line.due) {
                line.flush(&mut buffer)?;
            }
            sent = due;
        }
        Ok(sent)
    }

    fn clear(&mut self) {
        self.ready.clear();
        for line in &mut self.lines {
            line.bytes.clear();
            (line.due, line.written) = (0, 0);
        }
    }
}

impl Line {
    fn connect(address: std::net::SocketAddr, greeting: &Greeting) -> anyhow::Result<Self> {
        let mut socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(GREETING))?;
        socket.write_all(&greeting.send)?;
        let (mut answer, mut buffer) = (Vec::new(), [0; 1024]);
        while !answer.ends_with(greeting.expect) {
            let length = socket.read(&mut buffer).context("no answer to the greeting")?;
            answer.extend_from_slice(&buffer[..length]);
            if length == 0 || answer.starts_with(b"-") {
                bail!("the server answers: {}", String::from_utf8_lossy(&answer).trim());
            }
        }
        socket.set_nonblocking(true)?;
        Ok(Self { socket, bytes: Vec::new(), due: 0, written: 0 })
    }

    /// Writes the bytes that are due, and drops the answers.
    fn flush(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        self.take_answers(buffer)?;
        while self.written < self.due {
            match self.socket.write(&self.bytes[self.written..self.due]) {
                Ok(length) => self.written += length,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.take_answers(buffer)?;
                    std::thread::sleep(CROWDED);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads and drops answers. A refused message shows as a lost one.
    fn take_answers(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        loop {
            match self.socket.read(buffer) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(length) if length < buffer.len() => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, thread};

    use super::*;

    /// A server that answers a greeting, and returns the rest of the bytes of each connection.
    fn server(connections: usize) -> (std::net::SocketAddr, thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let greet = move || {
            let (mut socket, _) = listener.accept().unwrap();
            socket.read_exact(&mut [0; 2]).unwrap();
            socket.write_all(b"hello").unwrap();
            socket
        };
        let serve = move || {
            let sockets: Vec<_> = (0..connections).map(|_| greet()).collect();
            sockets.into_iter().map(|socket| io::read_to_string(socket).unwrap()).collect()
        };
        (address, thread::spawn(serve))
    }

    #[tokio::test]
    async fn messages_go_out_in_order_on_their_lines() {
        let (address, served) = server(2);
        let greeting = Greeting { send: b"hi".to_vec(), expect: b"hello" };
        let mut announcer = Announcer::connect(address, &greeting, 2).unwrap();
        for _ in 0..2 {
            for n in 0..5 {
                announcer.add(n, |bytes| bytes.extend_from_slice(format!("{n},").as_bytes()));
            }
            let sent;
            (announcer, sent) = announcer.send(1_000_000, clock::now(), Duration::MAX).await.unwrap();
            assert_eq!(sent, 5);
        }
        drop(announcer);
        assert_eq!(served.join().unwrap(), ["0,2,4,0,2,4,", "1,3,1,3,"]);
    }

    #[tokio::test]
    async fn a_sender_that_is_too_far_behind_gives_up() {
        let (address, served) = server(1);
        let mut announcer =
            Announcer::connect(address, &Greeting { send: b"hi".to_vec(), expect: b"hello" }, 1).unwrap();
        announcer.add(0, |bytes| bytes.push(b'x'));
        let (announcer, sent) = announcer.send(1, 0, Duration::ZERO).await.unwrap();
        assert_eq!(sent, 0);
        drop(announcer);
        assert_eq!(served.join().unwrap(), [""]);
    }

    #[test]
    fn the_error_quotes_the_words_of_a_server_that_refuses() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let refusing = thread::spawn(move || {
            let (mut socket, _) = listener.accept().unwrap();
            socket.read_exact(&mut [0; 14]).unwrap();
            socket.write_all(b"-NOAUTH no\r\n").unwrap();
        });
        let error = format!("{:#}", Announcer::connect(address, &Greeting::redis(), 1).err().unwrap());
        refusing.join().unwrap();
        assert!(error.contains("NOAUTH"), "{error}");
    }
}
