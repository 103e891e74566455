//! The load against the cheapest server: what it counts is what there was.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{Mutex, PoisonError},
    thread,
    time::Duration,
};

use crate::BENCH;

/// The next port to try, held while a port is tried and while a process starts: until its `exec`, the child of one thread has
/// what another one listens on, and would be taken for the server that is still to come.
static NEXT_PORT: Mutex<u16> = Mutex::new(20_000);

/// A process that ends with the test.
struct Server(Child);

impl Server {
    /// Starts it and waits until it listens.
    fn start(command: &mut Command, address: SocketAddr) -> Self {
        let spawned = {
            let _nobody_tries_a_port = NEXT_PORT.lock().unwrap_or_else(PoisonError::into_inner);
            command.stdout(Stdio::null()).spawn().unwrap()
        };
        let mut server = Self(spawned);
        while TcpStream::connect(address).is_err() {
            assert_eq!(server.0.try_wait().unwrap(), None, "{command:?} ended before it listened");
            thread::sleep(Duration::from_millis(5));
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A free address that is given to no other test and to no outgoing connection, whose ports begin higher.
/// (A socket that connects to a free port of that range may be given this very port, and is then connected to itself.)
fn free_address() -> SocketAddr {
    let mut port = NEXT_PORT.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, *port));
        *port += 1;
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

fn load(flags: &[String]) -> serde_json::Value {
    let (redis_at, server_at) = (free_address(), free_address());
    let port = redis_at.port().to_string();
    let redis = Server::start(Command::new("redis-server").args(["--port", &port, "--save", ""]), redis_at);
    let listen =
        ["peers".to_owned(), "floor".to_owned(), format!("--listen={server_at}"), format!("--redis={redis_at}")];
    let server = Server::start(Command::new(BENCH).args(listen), server_at);
    let run = Command::new(BENCH)
        .args(["peers", "run", "--system=floor", "--label=floor", "--scenario=unicast", "--streams=50", "--opening=50"])
        .args([format!("--server={server_at}"), format!("--publish-to={redis_at}")])
        .args([format!("--server-pid={}", server.0.id()), format!("--broker-pid={}", redis.0.id())])
        .args(flags)
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    serde_json::from_slice(&run.stdout).unwrap()
}

fn flags(users: u32, phases: &str) -> Vec<String> {
    // A debug build on a busy machine is slow: the rates are low, and no lag is too long.
    vec![format!("--users={users}"), format!("--phases={phases}"), format!("--p99-ms={}", Duration::MAX.as_millis())]
}

#[test]
fn every_message_comes_once_to_its_user() {
    let report = load(&flags(50, "100x1,200x1"));
    assert_eq!(report["connect"]["opened"], 50);
    for (phase, messages) in [(0, 100), (1, 200)] {
        let phase = &report["phases"][phase];
        assert_eq!(phase["received"], messages);
        for fault in ["lost", "repeated", "out_of_order", "foreign", "resets"] {
            assert_eq!(phase[fault], 0, "{fault}");
        }
        assert!(phase["server_cpu_us"].as_f64().unwrap() > 0.0 && phase["p99_ms"].as_f64().unwrap() > 0.0);
    }
}

#[test]
fn a_message_to_one_user_comes_on_all_streams() {
    let report = load(&flags(1, "10x1"));
    assert_eq!(report["phases"][0]["expected"], 500);
    assert_eq!(report["phases"][0]["received"], 500);
}
