//! The sockets that streams write by themselves, once the HTTP server has answered the head and let go of them.
//!
//! An idle stream is a few hundred bytes here: no task, no buffers. Whoever rings a connection (the bus, the wheel, an
//! order) asks it for its next step and writes what it says, on the spot; only what the socket does not accept waits,
//! and only what must be read from the log becomes a task. One thread hears of clients that left and of sockets that
//! accept bytes again. It knows no HTTP.

#[cfg(target_os = "linux")]
mod epoll;
#[cfg(not(target_os = "linux"))]
mod nowhere;
#[cfg(target_os = "linux")]
mod socket;

use bytes::Bytes;
use futures_util::future::BoxFuture;

#[cfg(target_os = "linux")]
pub use self::epoll::Sockets;
#[cfg(not(target_os = "linux"))]
pub use self::nowhere::Sockets;

use crate::live::connection::Connection;

/// A connection that is being opened; else what to say to the client instead.
pub type Opening = BoxFuture<'static, Result<Connection, Bytes>>;
