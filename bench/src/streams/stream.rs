//! One stream of the load: opened by hand on a bare socket, read into the shared buffer, come back to with its cursor.

use std::{
    fmt::Write as _,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::{io::AsyncWriteExt, net::TcpStream, sync::SemaphorePermit};

use crate::{
    clock,
    http1::{Decoder, read},
    streams::{
        member::{Member, elsewhere},
        phase::{Phase, lock},
        reader::Shared,
        scan::{Block, Said, Scanner},
        track::{Marker, Track, seq_of},
    },
};
use tidings::client::{
    backoff::Backoff,
    wire::{Hello, Verdict},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);
/// Receipts may seem this much earlier than due: the clock is read once for all that one read brings.
const EARLY_MICROS: u64 = 2_000;

/// Keeps a stream open until the phase stops.
pub async fn keep_open(shared: Arc<Shared>, phase: Arc<Phase>, member: Arc<Member>) {
    let mut stream = Stream { shared: &shared, phase: &phase, member: &member, arrived: false, moved: false };
    let mut backoff = Backoff::default();
    let trying = async {
        loop {
            tokio::select! {
                end = stream.once(&mut backoff) => {
                    phase.retried(end.why);
                    tokio::time::sleep(end.wait).await;
                }
                () = member.leave.notified() => tokio::time::sleep(shared.away()).await,
            }
        }
    };
    tokio::select! {
        () = phase.stop.cancelled() => {}
        () = trying => {}
    }
}

struct Stream<'a> {
    shared: &'a Shared,
    phase: &'a Phase,
    member: &'a Member,
    arrived: bool,
    moved: bool,
}

/// How a connection ended, and when to come back.
struct End {
    why: String,
    wait: Duration,
}

/// One connection of a stream.
struct Connection<'a> {
    decoder: Decoder,
    scanner: Scanner,
    permit: Option<SemaphorePermit<'a>>,
    /// The seq from which on the stream is live; none before the hello.
    live_from: Option<i64>,
    /// The newest wait that the server asked for.
    wait: Option<Duration>,
}

impl<'a> Stream<'a> {
    /// Opens the stream and reads it to its end.
    async fn once(&mut self, backoff: &mut Backoff) -> End {
        let permit = self.phase.permits.acquire().await.ok();
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, self.connect());
        let socket = match connecting.await {
            Ok(Ok(socket)) => socket,
            Ok(Err(error)) => return failed(backoff, format!("cannot connect: {error:#}")),
            Err(_) => return failed(backoff, "cannot connect in time".to_owned()),
        };
        let mut connection =
            Connection { decoder: Decoder::new(), scanner: Scanner::default(), permit, live_from: None, wait: None };
        let why = self.read(&socket, &mut connection).await;
        if connection.live_from.is_none() {
            connection.wait.into_iter().for_each(|wait| backoff.ask(wait));
            return failed(backoff, why);
        }
        backoff.succeeded();
        // A browser comes back after exactly the time that the server asked for.
        End { why, wait: connection.wait.unwrap_or_else(|| backoff.wait()) }
    }

    /// Where to connect: elsewhere once the first server went away.
    fn target(&self) -> usize {
        match self.member.target {
            0 if self.shared.left.load(Relaxed) > 0 => elsewhere(self.member.number, self.shared.targets.len()),
            target => target,
        }
    }

    async fn connect(&self) -> anyhow::Result<TcpStream> {
        let target = &self.shared.targets[self.target()];
        let mut socket = TcpStream::connect(target.address).await?;
        socket.set_nodelay(true)?;
        let mut head = format!(
            "GET {}/api/notifications/stream HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\nAuthorization: Bearer {}\r\n",
            target.base, target.host, self.member.token,
        );
        let cursor = lock(&self.member.track).cursor.clone();
        if !cursor.is_empty() {
            let _ = write!(head, "Last-Event-ID: {cursor}\r\n");
        }
        head.push_str("\r\n");
        socket.write_all(head.as_bytes()).await?;
        Ok(socket)
    }

    async fn read(&mut self, socket: &TcpStream, connection: &mut Connection<'a>) -> String {
        loop {
            let reading = read(socket, |bytes| match bytes {
                [] => Some("the stream ended".to_owned()),
                bytes => self.take(bytes, connection).err(),
            });
            match reading.await {
                Ok(None) if connection.decoder.is_done() => return "the stream ended".to_owned(),
                Ok(None) => {}
                Ok(Some(why)) => return why,
                Err(error) => return format!("cannot read: {error}"),
            }
        }
    }

    fn take(&mut self, bytes: &[u8], connection: &mut Connection<'a>) -> Result<(), String> {
        let now = clock::now();
        let Connection { decoder, scanner, live_from, wait, .. } = connection;
        let mut track = lock(&self.member.track);
        let (mut endless, mut came) = (None, 0);
        let decoded = decoder.feed(bytes, |body| {
            let fed = scanner.feed(body, |block| {
                *wait = block.retry.or(*wait);
                came += u64::from(self.block(block, &mut track, live_from, now));
            });
            endless = endless.or(fed.err());
        });
        if came > 0 {
            self.shared.came(came, now);
        }
        decoded.map_err(|error| error.to_string())?;
        self.check_status(decoder.status())?;
        if connection.permit.is_some() && live_from.is_some_and(|from| track.last() >= from) {
            drop(track);
            self.live(connection);
        }
        endless.map_or(Ok(()), |why| Err(why.to_owned()))
    }

    /// Takes a block; true when it is a notification, or a signal of the bench's own, that came for the first time.
    fn block(&self, block: Block<'_>, track: &mut Track, live_from: &mut Option<i64>, now: u64) -> bool {
        if let Said::Hello(hello) = &block.said {
            *live_from = self.hello(hello, track);
        } else if let Some(seq) = block.id.and_then(seq_of) {
            track.step(seq);
        }
        if let Some(id) = block.id {
            id.clone_into(&mut track.cursor);
        }
        match block.said {
            Said::Notification(Some(marker)) => self.timed(track.take(marker), marker, now),
            Said::Signal(Some(marker)) => self.timed(track.take_signal(marker.n), marker, now),
            Said::Signal(None) => {
                self.shared.told.fetch_add(1, Relaxed);
                false
            }
            Said::ForAll(t) => {
                if track.take_for_all() {
                    let due = self.shared.origin.load(Relaxed) + t;
                    lock(&self.shared.lag_for_all).record(now.saturating_sub(due));
                }
                false
            }
            _ => false,
        }
    }

    fn check_status(&self, status: u16) -> Result<(), String> {
        match status {
            0 | 200 => Ok(()),
            401 | 403 => {
                let why = format!("the server refuses the streams' token (status {status}): is --secret the server's?");
                let _ = self.phase.fatal.set(why.clone());
                Err(why)
            }
            status => Err(format!("status {status}")),
        }
    }

    /// The stream has caught up: another may open in its stead.
    fn live(&mut self, connection: &mut Connection<'a>) {
        connection.permit = None;
        if !std::mem::replace(&mut self.arrived, true) {
            self.phase.arrived();
        }
        let left = self.shared.left.load(Relaxed);
        if left > 0 && self.member.target == 0 && !std::mem::replace(&mut self.moved, true) {
            lock(&self.shared.moved_after).record(clock::now().saturating_sub(left));
            self.shared.moved.fetch_add(1, Relaxed);
        }
    }

    fn hello(&self, hello: &Hello, track: &mut Track) -> Option<i64> {
        let head = seq_of(&hello.cursor)?;
        self.phase.answered(hello.verdict);
        match hello.verdict {
            Verdict::Resumed => {}
            Verdict::Fresh => track.begin_at(head),
            Verdict::Reset => {
                track.faults.resets += 1;
                track.begin_at(head);
            }
        }
        Some(head)
    }

    /// Notes how late it is if it came for the first time, and answers whether it did.
    fn timed(&self, first: bool, marker: Marker, now: u64) -> bool {
        if first {
            let Shared { origin, early, left, lag, moved_lag, .. } = self.shared;
            let due = origin.load(Relaxed) + marker.t;
            early.fetch_add(u64::from(due > now + EARLY_MICROS), Relaxed);
            let moves = self.member.target == 0 && left.load(Relaxed) > 0;
            lock(if moves { moved_lag } else { lag }).record(now.saturating_sub(due));
        }
        first
    }
}

fn failed(backoff: &mut Backoff, why: String) -> End {
    backoff.failed();
    End { why, wait: backoff.wait() }
}

impl Shared {
    fn came(&self, count: u64, now: u64) {
        self.deliveries.fetch_add(count, Relaxed);
        self.last_delivery.fetch_max(now, Relaxed);
    }
}
