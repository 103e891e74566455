//! Bounds on connections: a client beyond them is asked to come back later, never to give up.

use crate::harness::*;

/// Reads a stream that was turned away: 200, a retry, an end, and no verdict.
async fn turned_away(mut stream: Frames) {
    let frames = stream.rest().await;
    assert!(frames.iter().any(|frame| frame.retry.is_some()), "{frames:?}");
    assert!(frames.iter().all(|frame| !frame.is("hello") && frame.id.is_none()), "{frames:?}");
}

#[tokio::test]
async fn a_user_with_too_many_streams_is_turned_away_until_one_ends() {
    let cluster = cluster().set("TIDINGS_MAX_CONNECTIONS_PER_USER", "2").start().await;
    let (edge, user) = (cluster.edge(), cluster.user("u1"));
    let (mut first, mut second) = (user.stream().await, user.stream().await);
    first.hello().await;
    second.hello().await;
    turned_away(user.stream().await).await;
    edge.user("u2").stream().await.hello().await;
    assert_eq!(edge.metric("tidings_connects_refused_total", &["per_user"]).await, 1);
    drop(second);
    eventually("there is room again", async || {
        let mut stream = user.stream().await;
        stream.next_or_end().await.filter(|frame| frame.is("hello"))
    })
    .await;
    cluster.publisher().notify("u1", "still served").await;
    assert_eq!(first.titles(1).await, ["still served"]);
}

#[tokio::test]
async fn a_full_instance_refuses_new_streams_and_keeps_open_ones() {
    let cluster = cluster().set("TIDINGS_MAX_CONNECTIONS", "2").start().await;
    let edge = cluster.edge();
    let (mut first, mut second) = (edge.user("u1").stream().await, edge.user("u2").stream().await);
    first.hello().await;
    second.hello().await;
    turned_away(edge.user("u3").stream().await).await;
    assert_eq!(edge.metric("tidings_connects_refused_total", &["per_instance"]).await, 1);
    assert_eq!(edge.metric("tidings_connections", &[]).await, 2);
    cluster.publisher().notify("u2", "still served").await;
    assert_eq!(second.titles(1).await, ["still served"]);
}

#[tokio::test]
async fn requests_other_than_streams_are_served_when_streams_are_full() {
    let cluster = cluster().set("TIDINGS_MAX_CONNECTIONS", "1").start().await;
    let mut stream = cluster.user("u1").stream().await;
    stream.hello().await;
    cluster.publisher().notify("u2", "stored").await;
    assert_eq!(cluster.user("u2").list("").await["total"], 1);
}
