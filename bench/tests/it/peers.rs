//! The load against the cheapest server: the counts are those of the messages that were sent.

use std::{net::TcpStream, process::Command, time::Duration};

use serde_json::Value;

use crate::{
    BENCH,
    harness::{
        Redis, eventually, free_port,
        process::{Process, Signal, mortal},
    },
};

async fn load(flags: &[String]) -> Value {
    let redis = Redis::start().await;
    let redis_at = redis.url().trim_start_matches("redis://").trim_end_matches('/').to_owned();
    let (directory, server_at) = (tempfile::tempdir().unwrap(), format!("127.0.0.1:{}", free_port()));
    let mut floor = mortal(BENCH, Signal::KILL, None);
    floor.args(["peers", "floor", "--listen", &server_at, "--redis", &redis_at]);
    let floor = Process::spawn("floor", &mut floor, &directory.path().join("log"), Signal::KILL);
    eventually("the floor listens", async || TcpStream::connect(&server_at).ok()).await;
    let run = Command::new(BENCH)
        .args(["peers", "run", "--system=floor", "--label=floor", "--scenario=unicast", "--streams=50", "--opening=50"])
        .args([format!("--server={server_at}"), format!("--publish-to={redis_at}")])
        .args([format!("--server-pid={}", floor.pid().as_raw_pid())])
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

#[tokio::test]
async fn every_message_comes_once_to_its_user() {
    let report = load(&flags(50, "100x1,200x1")).await;
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

#[tokio::test]
async fn a_message_to_one_user_comes_on_all_streams() {
    let report = load(&flags(1, "10x1")).await;
    assert_eq!(report["phases"][0]["expected"], 500);
    assert_eq!(report["phases"][0]["received"], 500);
}
