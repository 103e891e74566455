//! A Redis server of a test's own, which may be stopped, emptied and paused.

use std::{net::TcpStream, path::Path, process::Command};

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
    options: Vec<String>,
}

impl Redis {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    async fn start_with(options: &[&str]) -> Self {
        let options = options.iter().map(ToString::to_string).collect();
        let mut redis = Self { process: None, directory: tempfile::tempdir().unwrap(), port: free_port(), options };
        redis.start_empty().await;
        redis
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
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
        command.arg("--dir").arg(directory).args(&self.options);
        Process::spawn("redis", &mut command, &directory.join("log"), Signal::KILL)
    }
}

/// Three primaries that share the slots of one Redis Cluster.
pub struct RedisCluster {
    nodes: Vec<Redis>,
}

impl RedisCluster {
    pub async fn start() -> Self {
        let mut nodes = Vec::new();
        for _ in 0..3 {
            let bus_port = free_port().to_string();
            nodes.push(Redis::start_with(&["--cluster-enabled", "yes", "--cluster-port", &bus_port]).await);
        }
        let addresses = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
        let create =
            Command::new("redis-cli").args(["--cluster", "create"]).args(addresses).arg("--cluster-yes").output();
        let create = create.expect("redis-cli runs");
        assert!(create.status.success(), "{}", String::from_utf8_lossy(&create.stdout));
        for node in &nodes {
            let connection = node.connect().await;
            eventually("the cluster is whole", async || {
                let info: String =
                    redis::cmd("CLUSTER").arg("INFO").query_async(&mut connection.clone()).await.unwrap();
                info.contains("cluster_state:ok").then_some(())
            })
            .await;
        }
        Self { nodes }
    }

    /// The seed nodes as a setting of an instance.
    pub fn urls(&self) -> String {
        self.nodes.iter().map(Redis::url).collect::<Vec<_>>().join(",")
    }

    /// A connection that follows the slots.
    pub async fn connect(&self) -> redis::cluster_async::ClusterConnection {
        let client = redis::cluster::ClusterClient::new(self.nodes.iter().map(Redis::url)).unwrap();
        client.get_async_connection().await.unwrap()
    }
}
