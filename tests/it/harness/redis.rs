//! A Redis server of a test's own, which may be stopped, emptied and paused.

use std::{net::TcpStream, path::Path};

use redis::aio::MultiplexedConnection;
use tempfile::TempDir;

use super::{
    eventually, free_port,
    process::{Process, Signal, mortal},
};

/// A Redis without persistence: every restart begins empty.
pub struct Redis {
    process: Option<Process>,
    directory: TempDir,
    port: u16,
}

impl Redis {
    pub async fn start() -> Self {
        let mut redis = Self { process: None, directory: tempfile::tempdir().unwrap(), port: free_port() };
        redis.start_empty().await;
        redis
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Starts it again, with nothing in it.
    pub async fn start_empty(&mut self) {
        self.process = Some(self.spawn());
        eventually("Redis answers", async || self.try_connect().await).await;
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Stops it in its tracks: connections stay open and nothing answers.
    pub fn pause(&self) {
        self.process.as_ref().unwrap().signal(Signal::STOP);
    }

    pub fn resume(&self) {
        self.process.as_ref().unwrap().signal(Signal::CONT);
    }

    /// A connection of the test's own.
    pub async fn connect(&self) -> MultiplexedConnection {
        eventually("Redis answers", async || self.try_connect().await).await
    }

    async fn try_connect(&self) -> Option<MultiplexedConnection> {
        // Asked first without the client, which would wait out its own timeout.
        TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.ok()?;
        redis::cmd("PING").query_async::<String>(&mut connection).await.ok()?;
        Some(connection)
    }

    fn spawn(&self) -> Process {
        let directory: &Path = self.directory.path();
        let mut command = mortal("redis-server", Signal::KILL, None);
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
        command.arg("--dir").arg(directory);
        Process::spawn("redis", &mut command, &directory.join("log"), Signal::KILL)
    }
}
