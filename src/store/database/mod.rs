//! The way to Postgres: connections, their security, failures and the limits of concurrency.

pub(crate) mod clock;
#[cfg(feature = "embedded")]
pub(crate) mod embedded;
pub(crate) mod failure;
pub(crate) mod generation;
pub(crate) mod keyed_semaphore;
pub(crate) mod migrations;
mod negotiation;
pub(crate) mod pool;
pub(crate) mod pooler;
pub(crate) mod prepared;
pub(crate) mod server;
pub(crate) mod shared;
mod sqlstate;
pub(crate) mod stored;
pub(crate) mod tls;
pub(crate) mod unavailable;
pub(crate) mod zones;
