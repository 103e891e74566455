//! One stream of the load: opened on a bare socket without a client library, read into the shared buffer, resumed with its cursor.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tidings::client::{
    backoff::Backoff,
    wire::{Hello, Verdict},
};
use tokio::{net::TcpStream, sync::SemaphorePermit};

use super::{
    connect::connect,
    member::{Member, elsewhere},
    phase::{Phase, lock},
    scan::{Block, Event, Scanner},
    shared::Shared,
    track::{Track, seq_of},
};
use crate::{
    clock,
    http1::{Decoder, read},
    marker::Marker,
    peers::socketio,
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
        let cursor = lock(&self.member.track).cursor.clone();
        let target = &self.shared.targets[self.target()];
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, connect(target, self.member, &cursor));
        let socket = match connecting.await {
            Ok(Ok(socket)) => socket,
            Ok(Err(error)) => return failed(backoff, format!("cannot connect: {error:#}")),
            Err(_) => return failed(backoff, "cannot connect in time".to_owned()),
        };
        let (decoder, scanner) = (Decoder::new(), Scanner::of(self.shared.system));
        let mut connection = Connection { decoder, scanner, permit, live_from: None, wait: None };
        let why = self.read(&socket, &mut connection).await;
        if connection.live_from.is_none() {
            connection.wait.into_iter().for_each(|wait| backoff.ask(wait));
            return failed(backoff, why);
        }
        backoff.succeeded();
        // A browser comes back after exactly the time that the server asked for.
        End { why, wait: connection.wait.unwrap_or_else(|| backoff.wait()) }
    }

    /// The server to connect to: another one after the first server went away.
    fn target(&self) -> usize {
        match self.member.target {
            0 if self.shared.left.load(Relaxed) > 0 => elsewhere(self.member.number, self.shared.targets.len()),
            target => target,
        }
    }

    async fn read(&mut self, socket: &TcpStream, connection: &mut Connection<'a>) -> String {
        loop {
            let reading = read(socket, |bytes| match bytes {
                [] => Some("the stream ended".to_owned()),
                bytes => self.take(bytes, socket, connection).err(),
            });
            match reading.await {
                Ok(None) if connection.decoder.is_done() => return "the stream ended".to_owned(),
                Ok(None) => {}
                Ok(Some(why)) => return why,
                Err(error) => return format!("cannot read: {error}"),
            }
        }
    }

    fn take(&mut self, bytes: &[u8], socket: &TcpStream, connection: &mut Connection<'a>) -> Result<(), String> {
        let now = clock::now();
        let Connection { decoder, scanner, live_from, wait, .. } = connection;
        let mut track = lock(&self.member.track);
        let (mut endless, mut came, mut asked) = (None, 0, None);
        let decoded = decoder.feed(bytes, |body| {
            let fed = scanner.feed(body, |block| {
                *wait = block.retry.or(*wait);
                if let Event::Expects(answer) = block.event {
                    asked = Some(answer);
                }
                came += u64::from(self.block(block, &mut track, live_from, now));
            });
            endless = endless.or(fed.err());
        });
        self.shared.bytes.fetch_add(bytes.len() as u64, Relaxed);
        if came > 0 {
            self.shared.came(came, now);
        }
        decoded.map_err(|error| error.to_string())?;
        self.check_status(decoder.status())?;
        if decoder.status() != 0 && !self.shared.system.greets() {
            live_from.get_or_insert(0);
        }
        if connection.permit.is_some() && live_from.is_some_and(|from| track.last() >= from) {
            drop(track);
            self.live(connection);
        }
        asked.map_or(Ok(()), |answer| reply(socket, answer))?;
        endless.map_or(Ok(()), |why| Err(why.to_owned()))
    }

    /// Takes a block; true when it is a notification, or a signal of the bench's own, that came for the first time.
    fn block(&self, block: Block<'_>, track: &mut Track, live_from: &mut Option<i64>, now: u64) -> bool {
        match &block.event {
            Event::Hello(hello) => *live_from = self.hello(hello, track),
            Event::Open => *live_from = Some(0),
            _ => block.id.and_then(seq_of).into_iter().for_each(|seq| track.step(seq)),
        }
        if let Some(id) = block.id {
            id.clone_into(&mut track.cursor);
        }
        match block.event {
            Event::Notification(Some(marker)) => self.timed(track.take(marker), marker, now),
            Event::Signal(Some(marker)) => self.timed(track.take_signal(marker.n), marker, now),
            Event::Signal(None) => {
                self.shared.told.fetch_add(1, Relaxed);
                false
            }
            Event::ForAll(t) => {
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
            0 | 101 | 200 => Ok(()),
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

    /// Notes how late it is if it came for the first time and counts, and answers whether it does.
    fn timed(&self, first: bool, marker: Marker, now: u64) -> bool {
        let Shared { origin, first: begin, early, left, lag, moved_lag, .. } = self.shared;
        let counts = first && marker.n >= begin.load(Relaxed);
        if counts {
            let due = origin.load(Relaxed) + marker.t;
            early.fetch_add(u64::from(due > now + EARLY_MICROS), Relaxed);
            let moves = self.member.target == 0 && left.load(Relaxed) > 0;
            lock(if moves { moved_lag } else { lag }).record(now.saturating_sub(due));
        }
        counts
    }
}

/// Sends the answer that the server asked for. It is short and nothing else is written, so it fits, or the connection is broken.
fn reply(socket: &TcpStream, answer: &str) -> Result<(), String> {
    let frame = socketio::client_frame(answer);
    match socket.try_write(&frame) {
        Ok(length) if length == frame.len() => Ok(()),
        _ => Err("the server takes no answer".to_owned()),
    }
}

fn failed(backoff: &mut Backoff, why: String) -> End {
    backoff.failed();
    End { why, wait: backoff.wait() }
}
