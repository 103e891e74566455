//! Delivers committed changes within this process: hub, connections and their sockets. It knows no HTTP.

pub mod announce;
pub mod connection;
pub mod hub;
pub mod sockets;
