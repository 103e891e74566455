//! The stream as a WebSocket.

mod bounds;
mod browser;
mod faults;
mod handshake;
mod lifetime;
mod messages;
mod narrowing;
mod slow;
mod wire;

use crate::harness::*;

/// Heartbeats so rare that a client may be left unread for a while: a client that answers no ping is dropped.
fn calm() -> Plan {
    cluster().set("TIDINGS_HEARTBEAT_SECONDS", "20")
}
