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
