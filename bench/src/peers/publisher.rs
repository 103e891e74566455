//! Publishes open loop: each message has its time, whatever became of those before.

use std::{
    io::{self, Write as _},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant, SystemTime},
};

use anyhow::Context as _;

use super::system::{Cursor, Message, System};

/// Most messages that are written at once.
const BATCH: u64 = 1_000;
/// How far behind its plan a publisher may fall before it gives up: then the broker does not take that rate.
const BEHIND: Duration = Duration::from_secs(3);

/// Connections of a publisher; a user's messages all go over the same one.
pub struct Publisher {
    system: System,
    connections: Vec<(TcpStream, Vec<u8>)>,
}

/// Which messages, and how fast.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// The number of the first.
    pub first: u64,
    /// How many.
    pub count: u64,
    /// Per second.
    pub rate: u64,
    /// When the first is due.
    pub began: Instant,
}

impl Plan {
    /// When the message at this place of the plan is due, in microseconds since it began. The same formula is in `store.sql`.
    fn due(&self, place: u64) -> u64 {
        place * 1_000_000 / self.rate
    }
}

impl Publisher {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn connect(system: System, address: SocketAddr) -> anyhow::Result<Self> {
        let connect = || {
            let mut socket = TcpStream::connect(address)?;
            socket.set_nodelay(true)?;
            socket.write_all(&system.greeting())?;
            socket.set_nonblocking(true)?;
            io::Result::Ok((socket, Vec::new()))
        };
        let connections: io::Result<_> = (0..system.publishing_connections()).map(|_| connect()).collect();
        Ok(Self { system, connections: connections.with_context(|| format!("cannot publish to {address}"))? })
    }

    /// The other halves of the connections, on which answers come.
    ///
    /// # Errors
    /// When there are too many open files.
    pub fn answers(&self) -> io::Result<Vec<mio::net::TcpStream>> {
        let clone = |(socket, _): &(TcpStream, _)| socket.try_clone().map(mio::net::TcpStream::from_std);
        self.connections.iter().map(clone).collect()
    }

    /// Publishes the plan to users whose logs stand at `cursors`; returns how many were sent.
    ///
    /// # Errors
    /// When a connection breaks.
    pub fn publish(&mut self, plan: Plan, cursors: &[Cursor]) -> io::Result<u64> {
        let users = cursors.len() as u64;
        let calendar = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_micros() as u64;
        let mut sent = 0;
        while sent < plan.count {
            let elapsed = plan.began.elapsed().as_micros() as u64;
            if elapsed > plan.due(sent) + BEHIND.as_micros() as u64 {
                break;
            }
            let due = (elapsed * plan.rate / 1_000_000 + 1).min(plan.count).min(sent + BATCH);
            for place in sent..due {
                let number = plan.first + place;
                let (user, before) = (number % users, number / users);
                let due = plan.due(place);
                let message = Message { user, number, before, due, due_at: calendar + due };
                let connection = user as usize % self.connections.len();
                let out = &mut self.connections[connection].1;
                self.system.publish(&message, &cursors[user as usize], out);
            }
            self.flush()?;
            sent = due;
            let next = plan.began + Duration::from_micros(plan.due(sent));
            thread::sleep(next.saturating_duration_since(Instant::now()));
        }
        Ok(sent)
    }

    fn flush(&mut self) -> io::Result<()> {
        for (socket, out) in self.connections.iter_mut().filter(|(_, out)| !out.is_empty()) {
            let mut rest = &out[..];
            while !rest.is_empty() {
                match socket.write(rest) {
                    Ok(length) => rest = &rest[length..],
                    // The other side reads slower than this; its answers are taken away by the receiver.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => thread::sleep(Duration::from_micros(50)),
                    Err(error) => return Err(error),
                }
            }
            out.clear();
        }
        Ok(())
    }
}
