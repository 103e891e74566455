//! Signals: ephemeral events on topics and users.

mod flood;
mod order;
mod redis;
mod rights;
mod rooms;

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
    told(stream).await["data"].clone()
}

/// The next signal but those of presence.
async fn told(stream: &mut Frames) -> Value {
    let frame = stream.next().await;
    assert!(frame.is("signal"), "{frame:?}");
    assert_eq!(frame.id, None, "a signal does not move the cursor");
    frame.json()
}

/// Sends again and again, for a signal may be lost on a path that is not whole yet.
async fn signals_until_one_comes(stream: &mut Frames, mut send: impl AsyncFnMut()) {
    eventually("a signal comes through", async || {
        send().await;
        let next = tokio::time::timeout(std::time::Duration::from_millis(200), stream.next());
        next.await.ok().filter(|frame| frame.is("signal")).map(drop)
    })
    .await;
}

#[tokio::test]
async fn a_signal_reaches_the_streams_of_subscribers_on_every_instance_and_no_others() {
    every_instance(cluster().instances(3)).await;
}

#[tokio::test]
async fn a_signal_reaches_the_streams_of_subscribers_on_every_instance_and_no_others_over_postgres_too() {
    every_instance(cluster().on_postgres_alone(3)).await;
}

async fn every_instance(plan: Plan) {
    let cluster = plan.start().await;
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
        let told = told(stream).await;
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
        let told = told(stream).await;
        assert_eq!(told, json!({"kind": "typing", "key": "", "data": {"a": 1}}));
    }
}

#[tokio::test]
async fn filters_hold_for_signals_and_switch_them_off() {
    let cluster = cluster().start().await;
    subscribe(&cluster, "team:7", &["u1"]).await;
    let user = cluster.user("u1");
    let (mut all, mut some) = (listening(&user).await, user.stream_with("?kinds=wanted", None).await);
    let mut none = user.stream_with("?signals=none", None).await;
    for stream in [&mut some, &mut none] {
        stream.hello().await;
    }
    for kind in ["other", "wanted"] {
        let body = json!({"topic": "team:7", "kind": kind, "data": kind});
        cluster.publisher().post("/api/signals", &body).await.expect(202);
    }
    assert_eq!(data(&mut all).await, "other");
    assert_eq!((data(&mut all).await, data(&mut some).await), ("wanted".into(), "wanted".into()));
    cluster.publisher().notify("u1", "after").await;
    assert!(none.next().await.is("notification"));
}

#[tokio::test]
async fn a_subject_is_sent_at_most_once_per_interval_and_its_newest_value_last() {
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
async fn a_late_client_that_asks_gets_the_last_value_of_each_subject() {
    for plan in [cluster(), cluster().instances(2), cluster().on_postgres_alone(2)] {
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
