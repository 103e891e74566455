//! Clients that do not read: they cost little, delay no other client, and miss nothing.

use serde_json::json;

use super::calm;
use crate::harness::*;

/// Publishes of one test, each large enough that they overflow every buffer on the way.
const LARGE: usize = 400;

async fn publish_large(cluster: &Cluster, user: &str) {
    let text = "x".repeat(9_000);
    for batch in (0..LARGE).collect::<Vec<_>>().chunks(50) {
        let body = |number: &usize| json!({"users": [user], "title": format!("n{number}"), "message": text, "data": {"pad": text}});
        let bodies: Vec<_> = batch.iter().map(body).collect();
        cluster.publisher().post("/api/notifications/batch", &json!(bodies)).await.expect(200);
    }
}

fn titles(from: usize) -> Vec<String> {
    (from..LARGE).map(|number| format!("n{number}")).collect()
}

/// The query that has everything sent from the beginning of the user's log.
async fn beginning(user: &Caller) -> String {
    let list = user.list("?limit=1").await;
    let (epoch, _) = list["cursor"].as_str().unwrap().split_once('.').unwrap();
    format!("?cursor={epoch}.0")
}

/// The instance's memory in KiB.
fn memory(instance: &Instance) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", instance.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_client_that_reads_nothing_for_a_while_delays_no_other_and_gets_everything_in_order() {
    let cluster = calm().set("TIDINGS_WRITE_STALL_SECONDS", "600").start().await;
    let user = cluster.user("u1");
    let (mut slow, mut quick) = (user.socket("").await, user.socket("").await);
    slow.connected().await;
    quick.connected().await;
    publish_large(&cluster, "u1").await;
    assert_eq!(quick.titles(LARGE).await, titles(0));
    assert_eq!(slow.titles(LARGE).await, titles(0));
}

#[tokio::test]
async fn a_client_that_reads_nothing_for_too_long_is_closed_and_resumes_exactly() {
    let cluster = calm().set("TIDINGS_WRITE_STALL_SECONDS", "0.5").start().await;
    let (edge, user) = (cluster.edge(), cluster.user("u1"));
    publish_large(&cluster, "u1").await;
    let mut slow = user.socket(&beginning(&user).await).await;
    // It reads on as soon as it is found too slow: the last word waits for a few seconds only.
    eventually("it is found too slow", async || {
        (edge.metric("tidings_limit_hits_total", &["write_stall"]).await == 1).then_some(())
    })
    .await;
    let (messages, closed) = slow.rest().await;
    assert_eq!(closed, Some(4008));
    let seen = messages.iter().filter(|message| message["type"] == "notification").count();
    assert!(seen < LARGE);
    let mut socket = user.socket(&format!("?cursor={}", slow.cursor.unwrap())).await;
    assert_eq!(socket.connected().await["verdict"], "resumed");
    assert_eq!(socket.titles(LARGE - seen).await, titles(seen));
}

#[tokio::test]
async fn a_client_that_never_reads_is_dropped() {
    let cluster = calm().set("TIDINGS_WRITE_STALL_SECONDS", "0.5").start().await;
    let edge = cluster.edge();
    let mut slow = cluster.user("u1").socket("").await;
    slow.connected().await;
    publish_large(&cluster, "u1").await;
    eventually("it is gone", async || (edge.metric("tidings_connections", &["websocket"]).await == 0).then_some(()))
        .await;
}

#[tokio::test]
async fn clients_that_read_nothing_cost_little_memory() {
    const CLIENTS: usize = 60;
    let cluster = calm().set("TIDINGS_WRITE_STALL_SECONDS", "600").start().await;
    let user = cluster.user("u1");
    publish_large(&cluster, "u1").await;
    let beginning = beginning(&user).await;
    // All code that replays has run before memory is looked at.
    assert_eq!(user.socket(&beginning).await.next_of("notification").await["payload"]["title"], "n0");
    let before = memory(&cluster.instances[0]);
    let mut slow = Vec::new();
    for _ in 0..CLIENTS {
        slow.push(user.socket(&beginning).await);
    }
    let mut quick = user.socket("").await;
    quick.connected().await;
    publish_large(&cluster, "u1").await;
    assert_eq!(quick.titles(LARGE).await, titles(0));
    let each = memory(&cluster.instances[0]).saturating_sub(before) / CLIENTS;
    println!("{each} KiB for each client that reads nothing");
    // The queued messages of each are some 15 MB.
    assert!(each < 400, "{each} KiB for each client that reads nothing");
    for socket in &mut slow[..2] {
        socket.connected().await;
        assert_eq!(socket.titles(LARGE).await, titles(0));
    }
}

#[tokio::test]
async fn a_client_marks_nothing_as_read_that_it_was_not_sent() {
    let cluster = calm().set("TIDINGS_WRITE_STALL_SECONDS", "600").start().await;
    let user = cluster.user("u1");
    let mut slow = user.socket("").await;
    slow.connected().await;
    publish_large(&cluster, "u1").await;
    slow.send(&json!({"type": "mark_all_read"})).await;
    eventually("it is done", async || (user.unread().await < LARGE as i64).then_some(())).await;
    let list = user.list("?limit=100").await;
    let unread = usize::try_from(list["unread"].as_u64().unwrap()).unwrap();
    assert!(unread > 100, "{unread} of {LARGE}");
    let newest = list["notifications"].as_array().unwrap();
    assert!(newest.iter().all(|item| item["readAt"].is_null()), "none of these was sent");
    let marked = slow.next_of("marked_all_read").await;
    assert_eq!(marked["unread"], unread);
}
