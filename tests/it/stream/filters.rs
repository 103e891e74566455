//! Changes that a filter leaves out still move the cursor.

use serde_json::json;

use crate::harness::*;

#[tokio::test]
async fn a_filter_leaves_out_frames_and_moves_the_cursor_past_them() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    let mut stream = user.stream_with("?kinds=wanted,also&minPriority=high", None).await;
    stream.hello().await;
    let publish = async |kind: &str, priority: &str, title: &str| {
        let body = json!({"users": ["u1"], "kind": kind, "priority": priority, "title": title});
        cluster.publisher().notify_with(body).await
    };
    publish("other", "critical", "wrong kind").await;
    let bare = stream.block_after_heartbeats().await;
    assert!(bare.id.as_deref().is_some_and(|id| id.ends_with(".1")), "{bare:?}");
    assert_eq!((bare.event, bare.data), (None, None), "a block without data fires no event");

    publish("wanted", "medium", "too low").await;
    publish("wanted", "high", "first").await;
    publish("also", "critical", "second").await;
    assert_eq!(stream.titles(2).await, ["first", "second"]);
    assert!(stream.cursor.as_deref().is_some_and(|cursor| cursor.ends_with(".4")));
}

#[tokio::test]
async fn a_filter_applies_to_the_replay() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    let start = user.list("").await["cursor"].as_str().unwrap().to_owned();
    for (kind, title) in [("a", "one"), ("b", "two"), ("a", "three"), ("b", "four")] {
        cluster.publisher().notify_with(json!({"users": ["u1"], "kind": kind, "title": title})).await;
    }
    let mut stream = user.stream_with("?kinds=a", Some(&start)).await;
    stream.hello().await;
    assert_eq!(stream.titles(2).await, ["one", "three"]);
    eventually("the cursor is at the head", async || {
        stream.block().await.expect("a block");
        stream.cursor.as_deref().is_some_and(|cursor| cursor.ends_with(".4")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn changes_of_state_pass_every_filter() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    let id = cluster.publisher().notify("u1", "one").await;
    let mut stream = user.stream_with("?kinds=none", None).await;
    stream.hello().await;
    user.touch(&format!("/api/notifications/{id}/read")).await.expect(200);
    assert!(stream.next().await.is("state"));
}

#[tokio::test]
async fn a_query_that_is_not_understood_is_refused_with_its_name() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    for (query, name) in [
        ("?replay=x", "replay"),
        ("?replay=-1", "replay"),
        ("?minPriority=urgent", "minPriority"),
        ("?kinds=", "kinds"),
        ("?kinds=a,,b", "kinds"),
        ("?kinds=a&kinds=b", "kinds"),
        ("?surprise=1", "surprise"),
    ] {
        let problem = user.get(&format!("/api/notifications/stream{query}")).await.problem(400);
        assert_eq!(problem["errors"][0]["parameter"], name, "{problem}");
    }
}
