//! All sockets, and the thread that receives their events from the kernel.

use std::{
    io::{self, IoSlice, Write as _},
    mem::MaybeUninit,
    net::TcpStream,
    os::fd::OwnedFd,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use rustix::{
    event::{
        EventfdFlags,
        epoll::{self, CreateFlags, EventData, EventFlags},
        eventfd,
    },
    io::Errno,
};
use slab::Slab;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::{Opening, socket::Socket};
use crate::{domain::lock::lock, live::connection::Connection, store::Store};

/// Events taken from the kernel at once.
const EVENTS: usize = 256;
/// Watched for from the start: bytes or the end from the client. Edge-triggered, so an event need not be answered to be reported once.
pub(super) const READABLE: EventFlags = EventFlags::IN.union(EventFlags::RDHUP).union(EventFlags::ET);

/// The event that ends the watching; no socket has this index.
const STOP: EventData = EventData::new_u64(u64::MAX);

/// The sockets of this instance's streams; cheap to clone.
#[derive(Clone)]
pub struct Sockets(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) epoll: OwnedFd,
    /// An event counter: counts when there is to be no more watching.
    stop: OwnedFd,
    /// By the index that the kernel names in its events.
    open: Mutex<Slab<Arc<Socket>>>,
    pub(super) store: Store,
    pub(super) runtime: Handle,
}

impl Sockets {
    /// No sockets yet. To be called on the runtime that is to read the log for them.
    ///
    /// # Errors
    /// When the kernel gives no descriptors to watch with.
    pub fn open(store: Store) -> io::Result<Option<Self>> {
        let epoll = epoll::create(CreateFlags::CLOEXEC)?;
        let stop = eventfd(0, EventfdFlags::CLOEXEC)?;
        epoll::add(&epoll, &stop, STOP, EventFlags::IN)?;
        let runtime = Handle::current();
        Ok(Some(Self(Arc::new(Inner { epoll, stop, open: Mutex::default(), store, runtime }))))
    }

    /// Opens a connection and serves it on a non-blocking socket, to which the response's head is still to be written.
    /// Closes it when the stream ends or the client leaves.
    pub fn adopt(&self, stream: TcpStream, head: Bytes, opening: Opening) {
        let sockets = self.clone();
        self.0.runtime.spawn(async move {
            match opening.await {
                Ok(connection) => sockets.serve(stream, head, connection),
                // A few bytes for a fresh socket: it takes them all or has broken.
                Err(farewell) => drop((&stream).write_vectored(&[IoSlice::new(&head), IoSlice::new(&farewell)])),
            }
        });
    }

    fn serve(&self, stream: TcpStream, head: Bytes, connection: Connection) {
        let socket = {
            let mut open = lock(&self.0.open);
            let entry = open.vacant_entry();
            let socket = Arc::new(Socket::new(stream, head, connection, entry.key(), self.clone()));
            entry.insert(socket.clone());
            socket
        };
        match epoll::add(&self.0.epoll, socket.stream(), socket.event(), READABLE) {
            Ok(()) => socket.run(),
            Err(error) => {
                log::warn!("a stream cannot be watched: {error}");
                socket.close();
            }
        }
    }

    /// Watches for clients that left and for sockets that accept bytes again, until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let sockets = self.clone();
        // Blocking, for the kernel is asked directly.
        let watch = tokio::task::spawn_blocking(move || sockets.watch());
        if let Some(ended) = stop.run_until_cancelled(watch).await {
            return log::error!("sockets cannot be watched: {ended:?}");
        }
        // An event counter takes any number but the greatest, so this cannot fail.
        let _ = rustix::io::write(&self.0.stop, &1_u64.to_ne_bytes());
    }

    /// Takes events as they come, until the one that means to stop.
    fn watch(&self) -> io::Result<()> {
        let mut space = [const { MaybeUninit::uninit() }; EVENTS];
        loop {
            let events = match epoll::wait(&self.0.epoll, &mut space, None) {
                Ok((events, _)) => events,
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            for event in &*events {
                let data = event.data;
                if data == STOP {
                    return Ok(());
                }
                self.report(data);
            }
        }
    }

    /// An event of a socket that was closed meanwhile may reach the next one at its index, which then has a run without work.
    fn report(&self, data: EventData) {
        let index = usize::try_from(data.u64()).unwrap_or(usize::MAX);
        let socket = lock(&self.0.open).get(index).cloned();
        if let Some(socket) = socket {
            socket.ready();
        }
    }

    pub(super) fn forget(&self, index: usize) {
        lock(&self.0.open).try_remove(index);
    }
}

pub(super) fn event_data(index: usize) -> EventData {
    EventData::new_u64(index as u64)
}
