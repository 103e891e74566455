//! The tools of tests: servers and clients as real processes, and one way to wait.

mod address;
pub mod browser;
mod cluster;
mod edge;
pub mod instance;
mod nginx;
mod pgbouncer;
pub mod postgres;
pub mod process;
mod redis;
pub mod socket;
mod sse;
pub mod token;

use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

pub use address::Address;
pub use browser::Browser;
pub use cluster::{Cluster, Plan, cluster};
pub use edge::{Answer, Caller, Edge};
pub use instance::Instance;
pub use nginx::Nginx;
pub use pgbouncer::PgBouncer;
pub use postgres::Postgres;
pub use redis::{Redis, RedisCluster};
pub use socket::Socket;
pub use sse::{Frame, Frames};
pub use token::Token;

/// How long anything may take before a test fails: generous, for it is never waited out when all is well.
pub const DEADLINE: Duration = Duration::from_mins(1);

/// Asks again and again until the answer is there; panics with `what` when the deadline has passed.
pub async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(Instant::now() < deadline, "this never came about: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Awaits `work`, which must end before the deadline.
pub async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, work).await.unwrap_or_else(|_| panic!("this never ended: {what}"))
}

/// A loopback port that is free now and that no outgoing connection will be given: it lies below the ephemeral range.
pub fn free_port() -> u16 {
    loop {
        let port = rand::random_range(12_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
