//! The sockets that streams write by themselves, once the HTTP server has answered the head and let go of them.
//!
//! An idle stream is a few hundred bytes here: no task, no buffers. The thread that rings a connection (for the bus, the wheel or an end)
//! asks it for its next step and writes the chunk on the spot. A chunk waits only while the socket does not accept it, and only a read of
//! the log becomes a task. One thread watches for clients that left and for sockets that accept bytes again. It knows no HTTP.

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

/// A connection that is being opened, or the text that the client gets instead.
pub type Opening = BoxFuture<'static, Result<Connection, Bytes>>;
