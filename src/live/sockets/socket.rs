//! One socket and its connection: whoever rings the connection's member takes its turn here, one at a time.

use std::{
    io::{self, ErrorKind, IoSlice, Read as _, Write as _},
    net::TcpStream,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Wake, Waker},
};

use bytes::{Buf as _, Bytes};
use rustix::event::epoll::{self, EventData, EventFlags};
use smallvec::SmallVec;

use super::epoll::{READABLE, Sockets, event_data};
use crate::{
    domain::lock::lock,
    live::{
        connection::{Chunk, Connection, Step},
        hub::GATHERED,
    },
    store::Ask,
};

/// A client that has asked for a stream has nothing more to say: so much is overlooked at once, more ends the stream.
const OVERLOOKED: usize = 1024;

/// A socket that a stream owns.
pub(super) struct Socket {
    stream: TcpStream,
    place: usize,
    sockets: Sockets,
    /// Turns asked for and not taken yet. Who asks for the first takes it, and all that are asked for meanwhile.
    turns: AtomicU32,
    /// Whether the kernel has told of the socket since its last turn.
    told: AtomicBool,
    /// None when closed.
    state: Mutex<Option<State>>,
}

struct State {
    connection: Connection,
    /// Goes out with the first chunk.
    head: Option<Bytes>,
    /// What the socket did not accept yet.
    unsent: Option<Box<Chunk>>,
    /// Whether the log is being read, after which there is a turn.
    fetching: bool,
}

/// Where a turn ends.
enum Rest {
    /// Until the member is rung.
    Idle,
    /// Until the socket accepts bytes.
    Full,
    /// Until the log has answered.
    Fetching(Ask),
    /// For good.
    Over,
}

impl Wake for Socket {
    fn wake(self: Arc<Self>) {
        self.turn();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.turn();
    }
}

impl Socket {
    pub(super) fn new(stream: TcpStream, head: Bytes, connection: Connection, place: usize, sockets: Sockets) -> Self {
        let state = Mutex::new(Some(State { connection, head: Some(head), unsent: None, fetching: false }));
        Self { stream, place, sockets, turns: AtomicU32::new(0), told: AtomicBool::new(false), state }
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    pub(super) fn event(&self) -> EventData {
        event_data(self.place)
    }

    /// The kernel has news of the socket.
    pub(super) fn ready(self: &Arc<Self>) {
        self.told.store(true, Ordering::Release);
        self.turn();
    }

    /// Sends what there is to send, now or as soon as whoever is at it has done so.
    pub(super) fn turn(self: &Arc<Self>) {
        if self.turns.fetch_add(1, Ordering::AcqRel) > 0 {
            return;
        }
        let mut seen = 1;
        while seen > 0 {
            let over = self.state().as_mut().is_none_or(|state| self.take_turn(state));
            if over {
                self.close();
            }
            seen = self.turns.fetch_sub(seen, Ordering::AcqRel) - seen;
        }
    }

    /// Leaves the hub; the socket is closed with the last handle to it.
    pub(super) fn close(&self) {
        let state = self.state().take();
        if state.is_some() {
            self.sockets.forget(self.place);
        }
    }

    /// True when the stream is over.
    fn take_turn(self: &Arc<Self>, state: &mut State) -> bool {
        loop {
            match self.advance(state) {
                Rest::Over => return true,
                Rest::Full => return false,
                Rest::Fetching(ask) => {
                    state.fetching = true;
                    self.fetch(ask);
                    return false;
                }
                // What rings between the last look and this is looked at at once.
                Rest::Idle if !state.connection.member().listen(&Waker::from(self.clone())) => return false,
                Rest::Idle => {}
            }
        }
    }

    fn advance(&self, state: &mut State) -> Rest {
        let told = self.told.swap(false, Ordering::AcqRel);
        if told && self.has_left() {
            return Rest::Over;
        }
        if state.fetching || (state.unsent.is_some() && !told) {
            return Rest::Full;
        }
        if let Some(unsent) = state.unsent.take()
            && let Some(rest) = self.send(state, *unsent)
        {
            return rest;
        }
        loop {
            match state.connection.step() {
                Step::Send(mut chunk) => {
                    if let Some(head) = state.head.take() {
                        chunk.insert(0, head);
                    }
                    if let Some(rest) = self.send(state, chunk) {
                        return rest;
                    }
                }
                Step::Fetch(ask) => return Rest::Fetching(ask),
                Step::Wait => return Rest::Idle,
                Step::End => return Rest::Over,
            }
        }
    }

    /// Writes a chunk; tells where the turn ends if not all of it could be written.
    fn send(&self, state: &mut State, mut chunk: Chunk) -> Option<Rest> {
        match self.write(&mut chunk) {
            Ok(()) => None,
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                state.unsent = Some(Box::new(chunk));
                state.connection.pause();
                let wanted = READABLE.union(EventFlags::OUT);
                let watched = epoll::modify(&self.sockets.0.epoll, &self.stream, self.event(), wanted);
                Some(if watched.is_ok() { Rest::Full } else { Rest::Over })
            }
            Err(_) => Some(Rest::Over),
        }
    }

    /// Writes to the end or until the socket accepts no more; what was written is taken off the chunk.
    fn write(&self, chunk: &mut Chunk) -> io::Result<()> {
        while let Some(first) = chunk.first() {
            let result = if chunk.len() == 1 {
                (&self.stream).write(first)
            } else {
                let slices: SmallVec<[IoSlice<'_>; GATHERED]> = chunk.iter().map(|bytes| IoSlice::new(bytes)).collect();
                (&self.stream).write_vectored(&slices)
            };
            match result {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => advance(chunk, written),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whether the client has closed its side or the connection has broken.
    fn has_left(&self) -> bool {
        match (&self.stream).read(&mut [0; OVERLOOKED]) {
            Ok(read) => read == 0 || read == OVERLOOKED,
            Err(error) => !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted),
        }
    }

    fn fetch(self: &Arc<Self>, ask: Ask) {
        let socket = self.clone();
        self.sockets.0.runtime.spawn(async move {
            let page = socket.sockets.0.store.page(ask).await;
            if let Some(state) = socket.state().as_mut() {
                state.fetching = false;
                state.connection.take_in(page);
            }
            socket.turn();
        });
    }

    /// Nothing under the lock leaves the state half-way when it panics: the stream would only go on without a chunk.
    fn state(&self) -> MutexGuard<'_, Option<State>> {
        lock(&self.state)
    }
}

/// Takes `written` bytes off the front.
fn advance(chunk: &mut Chunk, mut written: usize) {
    let whole = chunk.iter().take_while(|bytes| {
        let fits = bytes.len() <= written;
        written -= if fits { bytes.len() } else { 0 };
        fits
    });
    let whole = whole.count();
    chunk.drain(..whole);
    if let Some(first) = chunk.first_mut() {
        first.advance(written);
    }
}
