//! One socket and its connection. The thread that rings the connection's member makes a run here: it sends what is due, at once.
//!
//! There is one run at a time, and a thread never waits for the run of another one. `requested` counts the runs that were requested.
//!
//! 1. The thread that raises it from 0 works. A thread that finds it above 0 leaves its run to the working thread and returns.
//! 2. The working thread makes a run, then subtracts the requests that it had seen before.
//! 3. If the difference is above 0, others requested runs meanwhile, and it makes one more run for all of them. At 0 the next thread works.
//!
//! So no ring is lost: a run begins after it, whichever thread makes the run.

use std::{
    io::{self, ErrorKind, IoSlice, Read as _, Write as _},
    iter::once,
    net::TcpStream,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    task::{Wake, Waker},
};

use bytes::Bytes;
use rustix::event::epoll::{self, EventData, EventFlags};
use smallvec::SmallVec;

use super::epoll::{READABLE, Sockets, event_data};
use crate::{
    domain::lock::lock,
    live::{
        connection::{Chunk, Connection, Piece, Step},
        hub::GATHERED,
    },
    store::Ask,
};

/// A client sends nothing after its request. So many bytes at once are read and dropped; more end the stream.
const OVERLOOKED: usize = 1024;

/// A socket that a stream owns.
pub(super) struct Socket {
    stream: TcpStream,
    index: usize,
    sockets: Sockets,
    /// Runs that were requested and are not finished; see the module.
    requested: AtomicU32,
    /// Whether the kernel has reported an event of the socket since its last run.
    is_ready: AtomicBool,
    /// None when closed.
    state: Mutex<Option<State>>,
}

struct State {
    connection: Connection,
    /// The response's head, which goes out with the first chunk; empty afterwards.
    head: Bytes,
    /// The chunk that the socket did not accept whole.
    unsent: Option<Box<Unsent>>,
    /// Whether the log is being read, after which there is a run.
    fetching: bool,
}

struct Unsent {
    chunk: Chunk,
    /// How many bytes of the head and the chunk the socket accepted.
    written: usize,
}

/// The end of a run.
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
        self.run();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.run();
    }
}

impl Socket {
    pub(super) fn new(stream: TcpStream, head: Bytes, connection: Connection, index: usize, sockets: Sockets) -> Self {
        let state = Mutex::new(Some(State { connection, head, unsent: None, fetching: false }));
        Self { stream, index, sockets, requested: AtomicU32::new(0), is_ready: AtomicBool::new(false), state }
    }

    pub(super) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    pub(super) fn event(&self) -> EventData {
        event_data(self.index)
    }

    /// The kernel reports an event of the socket.
    pub(super) fn ready(self: &Arc<Self>) {
        // Before the run is requested, so that the run sees it.
        self.is_ready.store(true, Ordering::Release);
        self.run();
    }

    /// Sends what is due, here or on the thread that is at it already.
    pub(super) fn run(self: &Arc<Self>) {
        // Acquire and release: the working thread sees everything that came before the requests that it serves, and the next working
        // thread everything that this one did.
        if self.requested.fetch_add(1, Ordering::AcqRel) > 0 {
            return;
        }
        let mut seen = 1;
        while seen > 0 {
            // The lock is not contended: only `close` and `fetch` take it outside of a run.
            let over = self.state().as_mut().is_none_or(|state| self.run_once(state));
            if over {
                self.close();
            }
            let requested = self.requested.fetch_sub(seen, Ordering::AcqRel);
            debug_assert!(requested >= seen, "{seen} runs are finished, {requested} were requested");
            seen = requested - seen;
        }
    }

    /// Leaves the hub; the socket is closed with the last handle to it.
    pub(super) fn close(&self) {
        let state = self.state().take();
        if state.is_some() {
            self.sockets.forget(self.index);
        }
    }

    /// True when the stream has ended.
    fn run_once(self: &Arc<Self>, state: &mut State) -> bool {
        loop {
            match self.advance(state) {
                Rest::Over => return true,
                Rest::Full => return false,
                Rest::Fetching(ask) => {
                    state.fetching = true;
                    self.fetch(ask);
                    return false;
                }
                // A ring between the last step and this registration found no waker: then there is another step at once.
                Rest::Idle if !state.connection.member().listen(&Waker::from(self.clone())) => return false,
                Rest::Idle => {}
            }
        }
    }

    fn advance(&self, state: &mut State) -> Rest {
        let is_ready = self.is_ready.swap(false, Ordering::AcqRel);
        if is_ready && self.has_left() {
            return Rest::Over;
        }
        // The member may be rung while the socket is full. Only an event of the kernel is a reason to write again.
        if state.fetching || (state.unsent.is_some() && !is_ready) {
            return Rest::Full;
        }
        if let Some(unsent) = state.unsent.take()
            && let Some(rest) = self.send(state, *unsent)
        {
            return rest;
        }
        loop {
            match state.connection.step() {
                Step::Send(chunk) => {
                    if let Some(rest) = self.send(state, Unsent { chunk, written: 0 }) {
                        return rest;
                    }
                }
                Step::Fetch(ask) => return Rest::Fetching(ask),
                Step::Wait => return Rest::Idle,
                Step::End => return Rest::Over,
            }
        }
    }

    /// Writes a chunk; answers how the run ends if not all of it could be written.
    fn send(&self, state: &mut State, mut unsent: Unsent) -> Option<Rest> {
        match self.write(&state.head, &mut unsent) {
            Ok(()) => {
                state.head.clear();
                None
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                state.unsent = Some(Box::new(unsent));
                state.connection.pause();
                // The second registration reports an event if the socket accepts bytes again by now. With edges alone an event between the
                // write and this call would be missed.
                let wanted = READABLE.union(EventFlags::OUT);
                let watched = epoll::modify(&self.sockets.0.epoll, &self.stream, self.event(), wanted);
                Some(if watched.is_ok() { Rest::Full } else { Rest::Over })
            }
            Err(_) => Some(Rest::Over),
        }
    }

    /// Writes to the end or until the socket accepts no more, and notes how far it came.
    fn write(&self, head: &[u8], Unsent { chunk, written }: &mut Unsent) -> io::Result<()> {
        let texts = chunk.iter().map(Piece::text);
        let mut slices: SmallVec<[IoSlice<'_>; GATHERED]> =
            once(head).filter(|head| !head.is_empty()).chain(texts).map(IoSlice::new).collect();
        let mut left = &mut slices[..];
        IoSlice::advance_slices(&mut left, *written);
        while let Some(first) = left.first() {
            let result =
                if left.len() == 1 { (&self.stream).write(first) } else { (&self.stream).write_vectored(left) };
            match result {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(accepted) => {
                    *written += accepted;
                    IoSlice::advance_slices(&mut left, accepted);
                }
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
            // Closed meanwhile: the page is dropped.
            if let Some(state) = socket.state().as_mut() {
                state.fetching = false;
                state.connection.take_in(page);
            }
            socket.run();
        });
    }

    fn state(&self) -> MutexGuard<'_, Option<State>> {
        lock(&self.state)
    }
}
