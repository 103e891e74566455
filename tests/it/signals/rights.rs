//! The signals that each caller may send, and their rate.

use super::*;

#[tokio::test]
async fn users_signal_topics_that_they_are_subscribed_to_and_nothing_else() {
    let cluster = cluster().start().await;
    kind(&cluster, "news", "readOnly", 0).await;
    subscribe(&cluster, "team:7", &["u1", "u2"]).await;
    subscribe(&cluster, "team:8", &["u2"]).await;
    subscribe(&cluster, "news:7", &["u1"]).await;
    let mut stream = listening(&cluster.user("u2")).await;
    let user = cluster.user("u1");
    user.post("/api/signals", &signal("team:7", "", "hi")).await.expect(202);
    assert_eq!(data(&mut stream).await, "hi");
    let refused = [
        (signal("team:8", "", 1), "not-subscribed"),
        (signal("team:9", "", 1), "not-subscribed"),
        (signal("news:7", "", 1), "only-publishers"),
        (json!({"user": "u2", "kind": "typing"}), "only-publishers"),
    ];
    for (body, name) in refused {
        let problem = user.post("/api/signals", &body).await.problem(403);
        assert_eq!(problem["type"], format!("urn:tidings:problem:{name}"), "{body}");
    }
    cluster.publisher().post("/api/signals", &signal("news:7", "", 1)).await.expect(202);
}

#[tokio::test]
async fn bad_signals_are_refused_with_the_pointer() {
    let cluster = cluster().set("TIDINGS_SIGNAL_BYTES", "100").start().await;
    subscribe(&cluster, "team:7", &[]).await;
    let long = "x".repeat(200);
    for (body, pointer) in [
        (json!({"kind": "k"}), ""),
        (json!({"kind": "k", "topic": "team:7", "user": "u1"}), ""),
        (json!({"topic": "team:7"}), ""),
        (json!({"topic": "team 7", "kind": "k"}), "/topic"),
        (json!({"topic": "team:9", "kind": "k"}), "/topic"),
        (json!({"topic": "team:7", "kind": "a b"}), "/kind"),
        (json!({"topic": "team:7", "kind": "k", "key": "a\nb"}), "/key"),
        (json!({"topic": "team:7", "kind": "k", "data": long}), "/data"),
        (json!({"topic": "team:7", "kind": "k", "more": 1}), "/more"),
    ] {
        let problem = cluster.publisher().post("/api/signals", &body).await.problem(422);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let unknown = cluster.publisher().post("/api/signals", &signal("team:9", "", 1)).await.problem(422);
    assert!(unknown["errors"][0]["detail"].as_str().unwrap().contains("team:9"));
    cluster.publisher().post("/api/signals", &signal("team:7", "", "x".repeat(4_000))).await.problem(413);
    cluster.user("u1").get("/api/signals").await.problem(405);
    cluster.edge().nobody().post("/api/signals", &signal("team:7", "", 1)).await.problem(401);
    let problem = cluster.user("u1").get("/api/notifications/stream?signals=some").await.problem(400);
    assert_eq!(problem["errors"][0]["parameter"], "signals");
}

#[tokio::test]
async fn a_flood_of_signals_is_refused_and_slows_no_other_sender() {
    let cluster = cluster().set("TIDINGS_SIGNALS_PER_USER", "2").start().await;
    subscribe(&cluster, "team:7", &["u1", "u2"]).await;
    let user = cluster.user("u1");
    let refused = eventually("the user is refused", async || {
        let answer = user.post("/api/signals", &signal("team:7", "", 1)).await;
        (answer.status != 202).then_some(answer)
    })
    .await;
    let problem = refused.problem(429);
    assert!(problem["detail"].as_str().unwrap().contains("signals_per_user"), "{problem}");
    assert_eq!(refused.header("retry-after"), "1");
    cluster.user("u2").post("/api/signals", &signal("team:7", "", 1)).await.expect(202);
    cluster.publisher().notify("u1", "as ever").await;
}
