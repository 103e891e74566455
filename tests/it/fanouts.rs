//! Publishes to topics and to everyone: every recipient gets them, once and in order, even if instances die meanwhile.

use redis::{AsyncCommands, streams::StreamRangeReply};
use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::harness::*;

/// Makes a topic of the default tenant with these subscribers.
async fn subscribe(database: &Client, topic: &str, users: &[&str]) {
    let made = "insert into topics (tenant, topic) values ('default', $1) on conflict do nothing";
    database.execute(made, &[&topic]).await.unwrap();
    let subscribed = "insert into subscriptions (tenant, topic, user_id) select 'default', $1, unnest($2::text[])";
    database.execute(subscribed, &[&topic, &users]).await.unwrap();
}

/// A topic with so many subscribers, `m1` and on.
async fn subscribe_many(database: &Client, topic: &str, count: i32) {
    let users: Vec<_> = (1..=count).map(|number| format!("m{number}")).collect();
    subscribe(database, topic, &users.iter().map(String::as_str).collect::<Vec<_>>()).await;
}

async fn progress(publisher: &Caller, id: &str) -> Value {
    publisher.get(&format!("/api/fanouts/{id}")).await.expect(200)
}

async fn finished(publisher: &Caller, id: &str) -> Value {
    eventually("the fan-out is finished", async || {
        let progress = progress(publisher, id).await;
        (progress["state"] == "finished").then_some(progress)
    })
    .await
}

/// The titles of the next notifications; other events of topics and presence are skipped.
async fn titles(stream: &mut Frames, count: usize) -> Vec<String> {
    let mut titles = Vec::new();
    while titles.len() < count {
        let item = stream.next_of("notification").await.json();
        titles.push(item["title"].as_str().unwrap().to_owned());
    }
    titles
}

/// The reason and the topic by which a user has the notification, from the API.
async fn why(edge: &Edge, user: &str, id: &str) -> (Value, Value) {
    let item = edge.user(user).get(&format!("/api/notifications/{id}")).await.expect(200);
    (item["reason"].clone(), item["topic"].clone())
}

async fn number(database: &Client, query: &str) -> i64 {
    database.query_one(query, &[]).await.unwrap().get(0)
}

/// Checks every log: no gap, no double, and counts that agree with the items.
async fn is_sound(database: &Client) {
    let gaps = "select count(*) from streams as s where head_seq <> (select count(*) from inbox as i \
        where i.tenant = s.tenant and i.user_id = s.user_id) or head_seq <> coalesce((select max(seq) from inbox as i \
        where i.tenant = s.tenant and i.user_id = s.user_id), 0)";
    let counts = "select count(*) from streams as s where unread <> head_seq or listed <> head_seq or unread <> \
        (select count(*) from inbox_unread as u where u.tenant = s.tenant and u.user_id = s.user_id)";
    assert_eq!((number(database, gaps).await, number(database, counts).await), (0, 0));
}

#[tokio::test]
async fn subscribers_get_a_publish_once_with_its_reason_and_the_actor_does_not() {
    let cluster = cluster().instances(3).start().await;
    let database = cluster.postgres.connect().await;
    subscribe(&database, "team:7", &["a", "b", "actor", "direct"]).await;
    subscribe(&database, "queue:x", &["b", "c"]).await;
    let mut streams = Vec::new();
    for (edge, user) in cluster.edges().iter().zip(["a", "b", "direct"]) {
        let mut stream = edge.user(user).stream().await;
        stream.hello().await;
        streams.push(stream);
    }
    let body = json!({"users": ["direct"], "topics": ["team:7", "queue:x"], "actor": "actor", "title": "t"});
    let receipt = cluster.publisher().publish(&body).await.expect(201);
    assert_eq!((&receipt["recipients"], &receipt["fanout"]), (&json!(1), &json!(true)));
    let id = receipt["id"].as_str().unwrap();
    let progress = finished(&cluster.publisher(), id).await;
    assert_eq!((&progress["recipients"], &progress["remaining"]), (&json!(4), &json!(0)), "{progress}");
    assert_eq!(progress["topics"], json!(["team:7", "queue:x"]));

    let expected =
        [("a", "topic", json!("team:7")), ("b", "topic", json!("team:7")), ("direct", "direct", Value::Null)];
    for (stream, (user, reason, topic)) in streams.iter_mut().zip(&expected) {
        let frame = stream.next_of("notification").await.json();
        assert_eq!((&frame["reason"], &frame["topic"], &frame["unread"]), (&json!(reason), topic, &json!(1)), "{user}");
        let replay = cluster.user(user).stream_with("?replay=5", None).await.next_of("notification").await.json();
        assert_eq!((&replay["reason"], &replay["topic"]), (&json!(reason), topic), "{user}");
        let item = &cluster.user(user).list("").await["notifications"][0];
        assert_eq!((&item["reason"], &item["topic"]), (&json!(reason), topic), "{user}");
        assert_eq!(why(&cluster.edge(), user, id).await, (json!(reason), topic.clone()));
    }
    assert_eq!(why(&cluster.edge(), "c", id).await, (json!("topic"), json!("queue:x")));
    assert_eq!(cluster.user("actor").list("").await["total"], 0);
    is_sound(&database).await;
}

#[tokio::test]
async fn an_actor_who_is_named_is_a_recipient() {
    let cluster = cluster().start().await;
    subscribe(&cluster.postgres.connect().await, "team:7", &["actor", "a"]).await;
    let body = json!({"users": ["actor"], "topics": ["team:7"], "actor": "actor", "title": "t"});
    let id = cluster.publisher().notify_with(body).await;
    assert_eq!(finished(&cluster.publisher(), &id).await["recipients"], 2);
    assert_eq!(why(&cluster.edge(), "actor", &id).await, (json!("direct"), Value::Null));
}

#[tokio::test]
async fn everyone_is_every_user_ever_seen_in_the_tenant() {
    let cluster = cluster().start().await;
    let foreign = cluster.edge().caller(&Token::of("foreign").tenant("other"));
    for user in ["a", "b", "actor"] {
        cluster.user(user).list("").await;
    }
    foreign.list("").await;
    subscribe(&cluster.postgres.connect().await, "team:7", &["b"]).await;
    let body = json!({"topics": ["team:7"], "everyone": true, "actor": "actor", "title": "t"});
    let id = cluster.publisher().notify_with(body).await;
    assert_eq!(finished(&cluster.publisher(), &id).await["recipients"], 2);
    assert_eq!(why(&cluster.edge(), "a", &id).await, (json!("everyone"), Value::Null));
    assert_eq!(why(&cluster.edge(), "b", &id).await, (json!("topic"), json!("team:7")));
    assert_eq!(cluster.user("actor").list("").await["total"], 0);
    assert_eq!(foreign.list("").await["total"], 0);
    let elsewhere = cluster.edge().caller(&Token::publisher().tenant("other"));
    elsewhere.get(&format!("/api/fanouts/{id}")).await.problem(404);
    cluster.user("a").get(&format!("/api/fanouts/{id}")).await.problem(403);
}

#[tokio::test]
async fn a_repeated_key_starts_no_second_fan_out() {
    let cluster = cluster().instances(2).start().await;
    let database = cluster.postgres.connect().await;
    subscribe(&database, "team:7", &["a", "b"]).await;
    let body = json!({"topics": ["team:7"], "title": "t", "idempotencyKey": "k"});
    let edges = cluster.edges();
    let tries = (0..20).map(|index| {
        let publisher = edges[index % 2].publisher();
        let body = &body;
        async move { publisher.publish(body).await.expect(201) }
    });
    let answers = futures_util::future::join_all(tries).await;
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    finished(&cluster.publisher(), answers[0]["id"].as_str().unwrap()).await;
    subscribe(&database, "team:7", &["late"]).await;
    assert_eq!(cluster.publisher().publish(&body).await.expect(201), answers[0]);
    let other = json!({"topics": ["team:7"], "everyone": true, "title": "t", "idempotencyKey": "k"});
    cluster.publisher().publish(&other).await.problem(422);
    assert_eq!(number(&database, "select count(*) from fanouts").await, 1);
    assert_eq!(number(&database, "select count(*) from inbox").await, 2);
}

#[tokio::test]
async fn an_unknown_topic_is_named_and_nothing_is_written() {
    let mut cluster = cluster().with_redis().start().await;
    let database = cluster.postgres.connect().await;
    subscribe(&database, "team:7", &["a"]).await;
    subscribe(&database, "empty", &[]).await;
    let publisher = cluster.publisher();
    let unknown = json!({"users": ["u"], "topics": ["team:7", "team:8"], "title": "t"});
    let problem = publisher.publish(&unknown).await.problem(422);
    assert_eq!(problem["errors"][0]["pointer"], "/topics/1");
    assert_eq!(problem["errors"][0]["detail"], "there is no topic team:8");
    cluster.edge().caller(&Token::publisher().tenant("other")).publish(&unknown).await.problem(422);
    let batch = json!([unknown, {"topics": ["empty"], "title": "to nobody"}, {"users": ["u"], "title": "direct"}]);
    let results = publisher.post("/api/notifications/batch", &batch).await.expect(200)["results"].clone();
    assert_eq!(results[0]["problem"]["errors"][0]["pointer"], "/topics/1");
    assert_eq!(finished(&publisher, results[1]["id"].as_str().unwrap()).await["recipients"], 0);
    assert_eq!((&results[2]["recipients"], &results[2]["fanout"]), (&json!(1), &Value::Null));
    publisher.get(&format!("/api/fanouts/{}", results[2]["id"].as_str().unwrap())).await.problem(404);

    let mut redis = cluster.redis().connect().await;
    let entry = [("tenant", "default"), ("message", r#"{"topics":["team:8"],"title":"t"}"#)];
    let _: String = redis.xadd("tidings:ingest", "*", &entry).await.unwrap();
    let _: usize = redis.publish("tidings:publish:default:topic:team:8", r#"{"title":"t"}"#).await.unwrap();
    eventually("both are dead letters", async || {
        let dead: StreamRangeReply = redis.clone().xrange_all("tidings:ingest:dead").await.unwrap();
        let reasons: Vec<String> = dead.ids.iter().filter_map(|letter| letter.get("reason")).collect();
        assert!(reasons.iter().all(|reason| reason == "/topics/0: there is no topic team:8"), "{reasons:?}");
        (reasons.len() == 2).then_some(())
    })
    .await;
    assert_eq!(number(&database, "select count(*) from notifications").await, 2);
    assert_eq!(number(&database, "select count(*) from inbox").await, 1);
}

#[tokio::test]
async fn redis_publishes_to_topics_by_channel_and_by_stream() {
    let mut cluster = cluster().instances(3).start().await;
    subscribe(&cluster.postgres.connect().await, "team:7", &["a"]).await;
    let mut stream = cluster.instances[2].edge().user("a").stream().await;
    stream.hello().await;
    let mut redis = cluster.redis().connect().await;
    let _: usize = redis.publish("tidings:publish:default:topic:team:7", r#"{"title":"channel"}"#).await.unwrap();
    assert_eq!(titles(&mut stream, 1).await, ["channel"]);
    let entry = [("tenant", "default"), ("message", r#"{"topics":["team:7"],"title":"stream"}"#)];
    let _: String = redis.xadd("tidings:ingest", "*", &entry).await.unwrap();
    assert_eq!(titles(&mut stream, 1).await, ["stream"]);
}

#[tokio::test]
async fn content_too_large_for_the_bus_is_read_from_the_log() {
    let cluster = cluster().instances(2).start().await;
    subscribe(&cluster.postgres.connect().await, "team:7", &["a", "b"]).await;
    let (mut here, mut there) =
        (cluster.user("a").stream().await, cluster.instances[1].edge().user("b").stream().await);
    here.hello().await;
    there.hello().await;
    let body = json!({"topics": ["team:7"], "title": "large", "data": "x".repeat(20_000)});
    cluster.publisher().notify_with(body).await;
    for stream in [&mut here, &mut there] {
        let frame = stream.next_of("notification").await.json();
        assert_eq!((&frame["title"], &frame["topic"]), (&json!("large"), &json!("team:7")));
    }
}

#[tokio::test]
async fn instances_that_are_killed_in_the_middle_leave_no_user_out_and_none_twice() {
    const SUBSCRIBERS: i32 = 20_000;
    let mut cluster = cluster().instances(3).start().await;
    let database = cluster.postgres.connect().await;
    subscribe_many(&database, "large", SUBSCRIBERS).await;
    subscribe_many(&database, "small", 3_000).await;
    let mut last = cluster.instances[2].edge().user(&format!("m{SUBSCRIBERS}")).stream().await;
    last.hello().await;
    let publishers: Vec<_> = cluster.edges().iter().map(Edge::publisher).collect();
    let body = json!({"users": ["m1", "x"], "topics": ["small", "large"], "title": "t"});
    let id = publishers[0].notify_with(body).await;
    for victim in [0, 1, 0, 1] {
        let before = progress(&publishers[2], &id).await["recipients"].as_i64().unwrap();
        eventually("it has gone on", async || {
            let now = progress(&publishers[2], &id).await;
            (now["recipients"].as_i64().unwrap() > before || now["state"] == "finished").then_some(())
        })
        .await;
        assert_eq!(progress(&publishers[2], &id).await["state"], "running", "it was killed in the middle");
        cluster.instances[victim].kill();
        cluster.instances[victim].restart().await;
    }
    let done = finished(&publishers[2], &id).await;
    assert_eq!(done["recipients"], SUBSCRIBERS + 1);
    assert_eq!(titles(&mut last, 1).await, ["t"]);
    assert_eq!(number(&database, "select count(*) from inbox").await, i64::from(SUBSCRIBERS) + 1);
    assert_eq!(number(&database, "select count(distinct user_id) from inbox").await, i64::from(SUBSCRIBERS) + 1);
    is_sound(&database).await;
    let by_reason = async |reason: &str| number(&database, &format!("select count(*) from inbox where {reason}")).await;
    assert_eq!(by_reason("reason = 0").await, 2);
    assert_eq!(by_reason("reason = 1 and topic = 1").await, 2_999);
    assert_eq!(by_reason("reason = 1 and topic = 2").await, i64::from(SUBSCRIBERS) - 3_000);
}

#[tokio::test]
async fn connected_users_and_other_tenants_do_not_wait_for_a_large_fan_out() {
    let cluster = cluster().instances(2).start().await;
    let database = cluster.postgres.connect().await;
    subscribe_many(&database, "large", 20_000).await;
    let mut late = cluster.instances[1].edge().user("m9999").stream().await;
    late.hello().await;
    database
        .batch_execute(
            "insert into topics (tenant, topic) values ('other', 'small');\
             insert into subscriptions (tenant, topic, user_id) values ('other', 'small', 'u')",
        )
        .await
        .unwrap();
    let elsewhere = cluster.edge().caller(&Token::of("u").tenant("other"));
    let mut other = elsewhere.stream().await;
    other.hello().await;
    let large = cluster.publisher().notify_with(json!({"topics": ["large"], "title": "large"})).await;
    let publisher = cluster.edge().caller(&Token::publisher().tenant("other"));
    publisher.notify_with(json!({"topics": ["small"], "title": "small"})).await;
    assert_eq!(titles(&mut late, 1).await, ["large"]);
    assert_eq!(titles(&mut other, 1).await, ["small"]);
    let still = progress(&cluster.publisher(), &large).await;
    assert_eq!(still["state"], "running", "{still}");
    assert!(still["remaining"].as_i64().unwrap() > 0, "{still}");
    finished(&cluster.publisher(), &large).await;
    is_sound(&database).await;
}

#[tokio::test]
async fn the_remaining_count_says_when_it_is_a_lower_bound() {
    const COUNTED: i32 = 10_000;
    let cluster = cluster().start().await;
    let database = cluster.postgres.connect().await;
    subscribe_many(&database, "all", COUNTED).await;
    subscribe_many(&database, "more", COUNTED + 1).await;
    let mut holder = cluster.postgres.connect().await;
    database.execute("insert into streams (tenant, user_id) values ('default', 'm1')", &[]).await.unwrap();
    let held = holder.transaction().await.unwrap();
    // The first in the order of their names, so that no chunk is written.
    held.execute("select from streams where user_id = 'm1' for update", &[]).await.unwrap();
    let mut ids = Vec::new();
    for (body, capped) in [
        (json!({"topics": ["all"], "title": "t"}), false),
        (json!({"topics": ["more"], "title": "t"}), true),
        (json!({"topics": ["all", "more"], "title": "t"}), true),
        (json!({"everyone": true, "title": "t"}), false),
    ] {
        let stages = if body["topics"] == json!(["all", "more"]) { 2 } else { 1 };
        let wanted = if body["everyone"] == true { 1 } else { stages * COUNTED };
        let id = cluster.publisher().notify_with(body).await;
        let progress = progress(&cluster.publisher(), &id).await;
        assert_eq!((&progress["remaining"], &progress["remainingIsCapped"]), (&json!(wanted), &json!(capped)));
        ids.push(id);
    }
    database.execute("delete from subscriptions where user_id <> 'm1'", &[]).await.unwrap();
    held.rollback().await.unwrap();
    for id in ids {
        let progress = finished(&cluster.publisher(), &id).await;
        assert_eq!((&progress["remaining"], &progress["remainingIsCapped"]), (&json!(0), &json!(false)));
    }
}

#[tokio::test]
async fn a_large_fan_out_leaves_inboxes_in_steps_and_is_forgotten_with_its_notification() {
    let cluster = cluster().set("TIDINGS_SWEEP_SECONDS", "0.2").start().await;
    let database = cluster.postgres.connect().await;
    subscribe_many(&database, "large", 501).await;
    let mut stream = cluster.user("m501").stream().await;
    stream.hello().await;
    let id = cluster.publisher().notify_with(json!({"users": ["x"], "topics": ["large"], "title": "t"})).await;
    finished(&cluster.publisher(), &id).await;
    assert_eq!(titles(&mut stream, 1).await, ["t"]);
    database.execute("update notifications set expires_at = now()", &[]).await.unwrap();
    let left = stream.next_of("state").await.json();
    assert_eq!((&left["deleted"], &left["unread"]), (&json!(true), &json!(0)));
    let swept = "select count(*) from notifications where swept_at is not null";
    eventually("it is swept", async || (number(&database, swept).await == 1).then_some(())).await;
    assert_eq!(number(&database, "select count(*) from inbox where deleted_at is null").await, 0);
    assert_eq!(number(&database, "select sum(unread + listed)::bigint from streams").await, 0);
    database.execute("update notifications set swept_at = now() - interval '30 days'", &[]).await.unwrap();
    let kept =
        "select (select count(*) from inbox) + (select count(*) from fanouts) + (select count(*) from notifications)";
    eventually("it is forgotten", async || (number(&database, kept).await == 0).then_some(())).await;
    let unpruned = "select count(*) from streams where pruned_seq <> head_seq";
    assert_eq!(number(&database, unpruned).await, 0);
    cluster.publisher().get(&format!("/api/fanouts/{id}")).await.problem(404);
}

#[tokio::test]
async fn a_fan_out_that_expires_under_way_reaches_no_more_inboxes_and_leaves_the_others() {
    // The first chunk is taken out by one transaction, which may take its time on a busy machine.
    let settings = cluster().set("TIDINGS_SWEEP_SECONDS", "0.2").set("TIDINGS_STATEMENT_TIMEOUT_SECONDS", "30");
    let cluster = settings.start().await;
    let database = cluster.postgres.connect().await;
    subscribe_many(&database, "large", 700).await;
    let mut holder = cluster.postgres.connect().await;
    database.execute("insert into streams (tenant, user_id) values ('default', 'm99')", &[]).await.unwrap();
    let held = holder.transaction().await.unwrap();
    // The last in the order of their names.
    held.execute("select from streams where user_id = 'm99' for update", &[]).await.unwrap();
    let id = cluster.publisher().notify_with(json!({"topics": ["large"], "title": "t"})).await;
    eventually("all but the last chunk is written", async || {
        (progress(&cluster.publisher(), &id).await["recipients"] == 500).then_some(())
    })
    .await;
    database.execute("update notifications set expires_at = now()", &[]).await.unwrap();
    held.rollback().await.unwrap();
    finished(&cluster.publisher(), &id).await;
    let listed = "select count(*) from inbox where deleted_at is null";
    eventually("it has left", async || (number(&database, listed).await == 0).then_some(())).await;
    let unswept = "select count(*) from notifications where swept_at is null";
    eventually("it is swept", async || (number(&database, unswept).await == 0).then_some(())).await;
}

#[tokio::test]
async fn a_tenant_with_too_many_open_fan_outs_must_wait_and_no_other() {
    let settings = cluster().set("TIDINGS_MAX_OPEN_FANOUTS", "2").set("TIDINGS_STATEMENT_TIMEOUT_SECONDS", "1");
    let cluster = settings.start().await;
    let database = cluster.postgres.connect().await;
    subscribe(&database, "team:7", &["a"]).await;
    let mut holder = cluster.postgres.connect().await;
    database.execute("insert into streams (tenant, user_id) values ('default', 'a')", &[]).await.unwrap();
    let held = holder.transaction().await.unwrap();
    held.execute("select from streams where user_id = 'a' for update", &[]).await.unwrap();
    let publisher = cluster.publisher();
    let keyed = |key: &str| json!({"topics": ["team:7"], "title": key, "idempotencyKey": key});
    let first = publisher.notify_with(keyed("1")).await;
    publisher.notify_with(keyed("2")).await;
    let refused = publisher.publish(&keyed("3")).await;
    assert_eq!(refused.problem(503)["type"], "urn:tidings:problem:overloaded");
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!(publisher.notify_with(keyed("1")).await, first, "what is known already is no new one");
    publisher.notify("b", "to a user").await;
    let elsewhere = cluster.edge().caller(&Token::publisher().tenant("other"));
    elsewhere.list("").await;
    elsewhere.notify_with(json!({"everyone": true, "title": "t"})).await;
    eventually("others are served", async || (elsewhere.list("").await["total"] == 1).then_some(())).await;
    held.rollback().await.unwrap();
    eventually("there is room again", async || (publisher.publish(&keyed("3")).await.status == 201).then_some(()))
        .await;
    eventually("all have come", async || (cluster.user("a").list("").await["total"] == 3).then_some(())).await;
}

#[tokio::test]
async fn the_terminal_publishes_to_topics_and_to_everyone() {
    let cluster = cluster().start().await;
    subscribe(&cluster.postgres.connect().await, "team:7", &["a"]).await;
    cluster.user("b").list("").await;
    let token = Token::publisher().sign();
    for target in [&["--topic", "team:7"][..], &["--everyone"]] {
        let mut publish = Instance::new(&[]);
        let access = ["publish", "--title", "t", "--url", &cluster.instances[0].base(), "--token", &token];
        publish.launch_with(&[&access, target].concat());
        assert!(publish.exit().await.success(), "{}", publish.log());
    }
    eventually("both have come", async || (cluster.user("a").list("").await["total"] == 2).then_some(())).await;
    eventually("one has come", async || (cluster.user("b").list("").await["total"] == 1).then_some(())).await;
}
