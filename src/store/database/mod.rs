//! The way to Postgres: connections, their security, failures and what limits concurrency.

pub(crate) mod activity;
pub(crate) mod clock;
#[cfg(feature = "embedded")]
pub(crate) mod embedded;
pub(crate) mod failure;
pub(crate) mod keyed_semaphore;
pub(crate) mod pool;
pub(crate) mod prepared;
pub(crate) mod tls;
pub(crate) mod unexpected;
