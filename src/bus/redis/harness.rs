//! Real Redis servers for tests: each on a free port, in a directory of its own, ended by its process id.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use secrecy::SecretString;
use tempfile::TempDir;
use tokio::{io::copy_bidirectional, net::TcpStream, sync::watch};

use crate::config::RedisSettings;

/// Longest time that a test waits for something that must happen.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A server that keeps nothing.
pub(crate) struct RedisServer {
    child: Child,
    port: u16,
    arguments: Vec<String>,
    dir: TempDir,
}

impl RedisServer {
    pub(crate) async fn start() -> Self {
        Self::with(&[]).await
    }

    pub(crate) async fn with(arguments: &[&str]) -> Self {
        let port = free_port();
        let dir = tempfile::tempdir().unwrap();
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let child = spawn(port, &arguments, &dir);
        let server = Self { child, port, arguments, dir };
        server.ready().await;
        server
    }

    pub(crate) fn settings(&self) -> RedisSettings {
        settings(&[self.port], false)
    }

    pub(crate) async fn connect(&self) -> redis::aio::MultiplexedConnection {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap();
        client.get_multiplexed_async_connection().await.unwrap()
    }

    /// As `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Replaces the server by a fresh and empty one on the same port.
    pub(crate) async fn restart(&mut self) {
        self.child = spawn(self.port, &self.arguments, &self.dir);
        self.ready().await;
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    async fn ready(&self) {
        let client = redis::Client::open(format!("redis://127.0.0.1:{}", self.port)).unwrap();
        until(async || {
            let Ok(mut connection) = client.get_multiplexed_async_connection().await else { return false };
            redis::cmd("PING").query_async::<String>(&mut connection).await.is_ok()
        })
        .await;
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A cluster of three primaries.
pub(crate) struct RedisCluster {
    pub(crate) nodes: Vec<RedisServer>,
}

impl RedisCluster {
    pub(crate) async fn start() -> Self {
        let mut nodes = Vec::new();
        for _ in 0..3 {
            let bus_port = free_port().to_string();
            nodes.push(RedisServer::with(&["--cluster-enabled", "yes", "--cluster-port", &bus_port]).await);
        }
        let addresses: Vec<String> = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        let mut create = Command::new("redis-cli");
        create.args(["--cluster", "create"]).args(&addresses).args(["--cluster-yes"]).stdout(Stdio::null());
        assert!(create.status().unwrap().success());
        let cluster = Self { nodes };
        for node in &cluster.nodes {
            let mut connection = node.connect().await;
            until(async || {
                let info: String = redis::cmd("CLUSTER").arg("INFO").query_async(&mut connection).await.unwrap();
                info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384")
            })
            .await;
        }
        cluster
    }

    pub(crate) fn settings(&self) -> RedisSettings {
        let ports: Vec<u16> = self.nodes.iter().map(|node| node.port).collect();
        settings(&ports, true)
    }
}

/// A network between an instance and a server, whose connections can go silent without ending.
pub(crate) struct Network {
    port: u16,
    epoch: watch::Sender<u64>,
}

impl Network {
    pub(crate) async fn to(server: &RedisServer) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, target) = (listener.local_addr().unwrap().port(), server.port);
        let (epoch, current) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((mut inner, _)) = listener.accept().await {
                let mut current = current.clone();
                tokio::spawn(async move {
                    current.mark_unchanged();
                    let mut outer = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
                    tokio::select! {
                        _ = copy_bidirectional(&mut inner, &mut outer) => {}
                        // Both ends stay open and receive nothing.
                        Ok(()) = current.changed() => std::future::pending().await,
                    }
                });
            }
        });
        Self { port, epoch }
    }

    pub(crate) fn settings(&self) -> RedisSettings {
        settings(&[self.port], false)
    }

    /// Every connection of now falls silent; those to come work.
    pub(crate) fn fall_silent(&self) {
        self.epoch.send_modify(|epoch| *epoch += 1);
    }
}

/// Waits until something holds.
pub(crate) async fn until(mut holds: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !holds().await {
        assert!(start.elapsed() < PATIENCE, "it did not come to pass");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn settings(ports: &[u16], cluster: bool) -> RedisSettings {
    let url = |port: &u16| SecretString::from(format!("redis://127.0.0.1:{port}"));
    RedisSettings { urls: ports.iter().map(url).collect(), cluster }
}

/// A free port below those of outgoing connections: a socket that connects to a free one of theirs may meet itself.
fn free_port() -> u16 {
    loop {
        let port = rand::random_range(12_000..32_000);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

fn spawn(port: u16, arguments: &[String], dir: &TempDir) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
        .args(arguments)
        .current_dir(dir.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}
