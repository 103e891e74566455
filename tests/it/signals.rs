//! Signals: ephemeral events on topics and users.

use serde_json::{Value, json};

use crate::harness::*;

/// Subscribes users of the default tenant to a topic.
async fn subscribe(cluster: &Cluster, topic: &str, users: &[&str]) {
    let database = cluster.postgres.connect().await;
    database
        .execute("insert into topics (tenant, topic) values ('default', $1) on conflict do nothing", &[&topic])
        .await
        .unwrap();
    for user in users {
        let insert =
            "insert into subscriptions (tenant, topic, user_id) values ('default', $1, $2) on conflict do nothing";
        database.execute(insert, &[&topic, user]).await.unwrap();
    }
}

async fn kind(cluster: &Cluster, kind: &str, access: &str, interval_ms: i32) {
    let insert = "insert into topic_kinds (tenant, kind, access, signal_interval_ms) values ('default', $1, $2, $3)";
    cluster.postgres.connect().await.execute(insert, &[&kind, &access, &interval_ms]).await.unwrap();
}

fn signal(topic: &str, key: &str, data: impl Into<Value>) -> Value {
    json!({"topic": topic, "kind": "metrics", "key": key, "data": data.into()})
}

/// A stream of a user whose topics are in force when this returns.
async fn listening(caller: &Caller) -> Frames {
    let mut stream = caller.stream_with("?signals=last", None).await;
    stream.hello().await;
    stream
}

async fn data(stream: &mut Frames) -> Value {
    let frame = stream.next_of("signal").await;
    assert_eq!(frame.id, None, "a signal does not move the cursor");
    frame.json()["data"].clone()
}

/// Sends again and again, for a signal may be lost on a path that is not whole yet.
async fn signals_until_one_comes(stream: &mut Frames, mut send: impl AsyncFnMut()) {
    eventually("a signal comes through", async || {
        send().await;
        let frame = tokio::time::timeout(std::time::Duration::from_millis(200), stream.block()).await.ok()??;
        frame.is("signal").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_signal_reaches_the_streams_of_subscribers_on_every_instance_and_nobody_else() {
    let cluster = cluster().instances(3).start().await;
    subscribe(&cluster, "queue:7", &["u0", "u1", "u2"]).await;
    let edges = cluster.edges();
    let mut streams = Vec::new();
    for (number, edge) in edges.iter().enumerate() {
        streams.push(listening(&edge.user(&format!("u{number}"))).await);
    }
    let mut other = listening(&edges[1].user("other")).await;
    let foreigner = Token::of("u0").tenant("elsewhere");
    let mut foreign = listening(&edges[0].caller(&foreigner)).await;
    let send = edges[2].publisher().post("/api/signals", &signal("queue:7", "waiting", 3)).await;
    assert_eq!((send.status, send.text.as_str()), (202, ""));
    for stream in &mut streams {
        let told = stream.next_of("signal").await.json();
        assert_eq!(told, json!({"topic": "queue:7", "kind": "metrics", "key": "waiting", "data": 3}));
    }
    for (stream, user, tenant) in [(&mut other, "other", "default"), (&mut foreign, "u0", "elsewhere")] {
        let publisher = edges[0].caller(&Token::publisher().tenant(tenant));
        publisher.notify(user, "after").await;
        assert!(stream.next().await.is("notification"), "the signal was not for them");
    }
}

#[tokio::test]
async fn a_signal_to_a_user_reaches_all_of_the_users_streams() {
    let cluster = cluster().instances(2).start().await;
    let edges = cluster.edges();
    let (mut one, mut two) = (listening(&edges[0].user("u1")).await, listening(&edges[1].user("u1")).await);
    edges[0]
        .publisher()
        .post("/api/signals", &json!({"user": "u1", "kind": "typing", "data": {"a": 1}}))
        .await
        .expect(202);
    for stream in [&mut one, &mut two] {
        let told = stream.next_of("signal").await.json();
        assert_eq!(told, json!({"kind": "typing", "key": "", "data": {"a": 1}}));
    }
}

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
        (signal("team:8", "", 1), "may-not-join"),
        (signal("team:9", "", 1), "may-not-join"),
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
async fn bad_signals_are_refused_with_the_place() {
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
async fn a_flood_of_signals_is_refused_and_slows_nobody_else() {
    let cluster = cluster().set("TIDINGS_SIGNALS_PER_USER", "2").start().await;
    subscribe(&cluster, "team:7", &["u1", "u2"]).await;
    let user = cluster.user("u1");
    let refused = eventually("the user is refused", async || {
        let answer = user.post("/api/signals", &signal("team:7", "", 1)).await;
        (answer.status != 202).then_some(answer)
    })
    .await;
    let problem = refused.problem(429);
    assert!(problem["detail"].as_str().unwrap().contains("signals-per-user"), "{problem}");
    assert_eq!(refused.header("retry-after"), "1");
    cluster.user("u2").post("/api/signals", &signal("team:7", "", 1)).await.expect(202);
    cluster.publisher().notify("u1", "as ever").await;
}

#[tokio::test]
async fn filters_hold_for_signals_and_switch_them_off() {
    let cluster = cluster().start().await;
    subscribe(&cluster, "team:7", &["u1"]).await;
    let user = cluster.user("u1");
    let (mut all, mut some) = (listening(&user).await, user.stream_with("?kinds=wanted", None).await);
    let mut none = user.stream_with("?signals=none", None).await;
    for kind in ["other", "wanted"] {
        let body = json!({"topic": "team:7", "kind": kind, "data": kind});
        cluster.publisher().post("/api/signals", &body).await.expect(202);
    }
    assert_eq!(data(&mut all).await, "other");
    assert_eq!((data(&mut all).await, data(&mut some).await), ("wanted".into(), "wanted".into()));
    cluster.publisher().notify("u1", "after").await;
    none.hello().await;
    assert!(none.next().await.is("notification"));
}

#[tokio::test]
async fn a_subject_is_told_at_most_once_per_interval_and_its_newest_value_last() {
    let cluster = cluster().instances(2).start().await;
    kind(&cluster, "queue", "open", 1_000).await;
    subscribe(&cluster, "queue:7", &["u1"]).await;
    let mut stream = listening(&cluster.user("u1")).await;
    let start = std::time::Instant::now();
    for value in 0..30 {
        cluster.publisher().post("/api/signals", &signal("queue:7", "a", value)).await.expect(202);
    }
    cluster.publisher().post("/api/signals", &signal("queue:7", "b", "own pace")).await.expect(202);
    let mut told = vec![];
    let mut other = false;
    while told.last() != Some(&29) || !other {
        match data(&mut stream).await {
            Value::Number(number) => told.push(number.as_i64().unwrap()),
            _ => other = true,
        }
    }
    assert_eq!(told[0], 0, "the first goes at once");
    assert!(told.is_sorted(), "{told:?}");
    let intervals = start.elapsed().as_secs() as usize;
    assert!(told.len() <= intervals + 2, "{told:?} in {intervals} intervals");
}

#[tokio::test]
async fn who_comes_late_and_asks_is_told_the_last_value_of_each_subject() {
    for plan in [cluster(), cluster().instances(2)] {
        let cluster = plan.start().await;
        subscribe(&cluster, "queue:7", &["u1"]).await;
        subscribe(&cluster, "queue:8", &["u2"]).await;
        for (topic, key, value) in [("queue:7", "a", 1), ("queue:7", "a", 2), ("queue:7", "b", 3), ("queue:8", "a", 4)]
        {
            cluster.publisher().post("/api/signals", &signal(topic, key, value)).await.expect(202);
        }
        let late = cluster.edges().last().unwrap().user("u1");
        let told = eventually("both values are kept", async || {
            let mut stream = listening(&late).await;
            cluster.publisher().notify("u1", "the end").await;
            let mut told = Vec::new();
            loop {
                let frame = stream.next().await;
                if frame.is("notification") {
                    break;
                }
                told.push(frame.json()["data"].clone());
            }
            (told.len() == 2).then_some(told)
        })
        .await;
        assert_eq!(told, [json!(2), json!(3)]);
        let mut unasked = late.stream().await;
        unasked.hello().await;
        cluster.publisher().notify("u1", "first").await;
        assert!(unasked.next().await.is("notification"));
    }
}

#[tokio::test]
async fn what_redis_publishes_is_signalled_once_each_and_what_is_wrong_becomes_a_dead_letter() {
    let mut cluster = cluster().instances(2).start().await;
    subscribe(&cluster, "queue:7", &["u1"]).await;
    let mut stream = listening(&cluster.user("u1")).await;
    let mut redis = cluster.redis().connect().await;
    let mut publish = async |channel: &str, body: &str| {
        redis::cmd("PUBLISH").arg(channel).arg(body).query_async::<i64>(&mut redis).await.unwrap()
    };
    eventually("an instance listens", async || {
        (publish("tidings:signal:default:topic:queue:7", r#"{"kind":"k","data":"first"}"#).await > 0).then_some(())
    })
    .await;
    assert_eq!(data(&mut stream).await, "first");
    // The same again counts: nothing takes equal signals for one.
    for (value, key) in [("same", "1"), ("same", "2"), ("other", "3")] {
        let body = json!({"kind": "k", "key": key, "data": value}).to_string();
        assert_eq!(publish("tidings:signal:default:topic:queue:7", &body).await, 1, "one instance listens for all");
        assert_eq!(data(&mut stream).await, value);
    }
    publish("tidings:signal:default:user:u1", r#"{"kind":"k","data":"direct"}"#).await;
    assert_eq!(data(&mut stream).await, "direct");
    for (channel, body, reason) in [
        ("tidings:signal:default:topic:queue:9", r#"{"kind":"k"}"#, "there is no topic queue:9"),
        (
            "tidings:signal:default:topic:queue:7",
            r#"{"kind":"k","user":"u1"}"#,
            "/user: the channel names the recipient",
        ),
        ("tidings:signal:default:topic:queue:7", "no json", "expected"),
        ("tidings:signal:default:elsewhere:7", r#"{"kind":"k"}"#, "the channel is not"),
    ] {
        publish(channel, body).await;
        eventually(reason, async || {
            let mut redis = cluster.redis().connect().await;
            let mut read = redis::cmd("XREVRANGE");
            read.arg("tidings:ingest:dead").arg("+").arg("-").arg("COUNT").arg(1);
            let dead: redis::Value = read.query_async(&mut redis).await.unwrap();
            format!("{dead:?}").contains(reason).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn when_the_listening_instance_dies_another_takes_over() {
    let mut cluster = cluster().instances(2).start().await;
    subscribe(&cluster, "queue:7", &["u1"]).await;
    // One of the two is the one that listens.
    for (killed, left) in [(0, 1), (1, 0)] {
        cluster.instances[killed].kill();
        let mut redis = cluster.redis().connect().await;
        let mut stream = listening(&cluster.instances[left].edge().user("u1")).await;
        signals_until_one_comes(&mut stream, async || {
            let mut publish = redis::cmd("PUBLISH");
            publish.arg("tidings:signal:default:topic:queue:7").arg(r#"{"kind":"k","data":1}"#);
            publish.query_async::<i64>(&mut redis).await.unwrap();
        })
        .await;
        cluster.instances[killed].restart().await;
    }
}

#[tokio::test]
async fn what_changed_while_the_bus_was_down_holds_before_the_next_signal() {
    let mut cluster = cluster().instances(2).set("TIDINGS_HEAD_CHECK_SECONDS", "3600").start().await;
    subscribe(&cluster, "team:7", &["stays", "leaves"]).await;
    let edges = cluster.edges();
    let (mut stays, mut leaves) = (listening(&edges[0].user("stays")).await, listening(&edges[0].user("leaves")).await);
    cluster.redis().kill();
    eventually("signals are refused while the bus is down", async || {
        (edges[1].publisher().post("/api/signals", &signal("team:7", "", 0)).await.status == 503).then_some(())
    })
    .await;
    let remove = "delete from subscriptions where user_id = 'leaves'";
    assert_eq!(cluster.postgres.connect().await.execute(remove, &[]).await.unwrap(), 1);
    cluster.redis().start_empty().await;
    signals_until_one_comes(&mut stays, async || {
        edges[1].publisher().post("/api/signals", &signal("team:7", "", "new")).await;
    })
    .await;
    edges[1].publisher().notify("leaves", "after").await;
    let next = leaves.next().await;
    assert!(next.is("notification"), "{next:?}");
}

#[tokio::test]
async fn a_subscription_made_while_a_stream_is_open_is_in_force_at_once() {
    let cluster = cluster().instances(2).set("TIDINGS_HEAD_CHECK_SECONDS", "3600").start().await;
    let edges = cluster.edges();
    let mut stream = listening(&edges[0].user("u1")).await;
    edges[1].admin().set("/api/topics/team:7/subscribers/u1").await.expect(204);
    stream.next_of("subscription").await;
    signals_until_one_comes(&mut stream, async || {
        edges[1].publisher().post("/api/signals", &signal("team:7", "", 1)).await.expect(202);
    })
    .await;
}

#[tokio::test]
async fn a_removed_member_gets_no_signal_that_is_sent_after_the_removal_was_answered() {
    let cluster = cluster().instances(3).set("TIDINGS_HEAD_CHECK_SECONDS", "3600").start().await;
    let edges = cluster.edges();
    let (mut leaves, mut stays) = (edges[0].user("leaves"), edges[0].user("stays"));
    for round in 0..20 {
        for user in ["leaves", "stays"] {
            edges[1].admin().set(&format!("/api/topics/team:7/members/{user}")).await.expect(204);
            edges[1].admin().set(&format!("/api/topics/team:7/subscribers/{user}")).await.expect(204);
        }
        let (mut gone, mut there) = (listening(&leaves).await, listening(&stays).await);
        edges[1].admin().delete("/api/topics/team:7/members/leaves").await.expect(204);
        edges[2].publisher().post("/api/signals", &signal("team:7", "", round)).await.expect(202);
        // Both were told the last value of the round before.
        while data(&mut there).await != round {}
        edges[2].publisher().notify("leaves", "after").await;
        loop {
            let frame = gone.next().await;
            assert!(!frame.is("signal") || frame.json()["data"] != round, "round {round}: {frame:?}");
            if frame.is("notification") {
                break;
            }
        }
        let mut late = edges[0].user("leaves").stream_with("?signals=last", None).await;
        late.hello().await;
        edges[2].publisher().notify("leaves", "later").await;
        assert!(late.next().await.is("notification"), "nor is it kept for a removed member");
        (leaves, stays) = (edges[round % 2].user("leaves"), edges[round % 2].user("stays"));
    }
}

#[tokio::test]
async fn a_subscription_that_nobody_told_of_is_found() {
    let cluster = cluster().instances(2).set("TIDINGS_HEAD_CHECK_SECONDS", "0.2").start().await;
    let mut stream = listening(&cluster.user("u1")).await;
    subscribe(&cluster, "team:7", &["u1"]).await;
    signals_until_one_comes(&mut stream, async || {
        cluster.publisher().post("/api/signals", &signal("team:7", "", 1)).await.expect(202);
    })
    .await;
}
