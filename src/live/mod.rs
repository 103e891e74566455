//! Who hears of a committed change in this process: hub, connections and their sockets. It knows no HTTP.

pub mod announce;
pub mod connection;
pub mod hub;
pub mod sockets;
