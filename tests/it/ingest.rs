//! The ways in through Redis: channels, of which exactly one instance stores, and the stream with its consumer group.

use redis::{AsyncCommands, aio::MultiplexedConnection, streams::StreamRangeReply};
use serde_json::json;

use crate::harness::*;

const STREAM: &str = "tidings:ingest";
const DEAD: &str = "tidings:ingest:dead";

async fn add(redis: &mut MultiplexedConnection, tenant: &str, body: &str) -> String {
    redis.xadd(STREAM, "*", &[("tenant", tenant), ("message", body)]).await.unwrap()
}

async fn total(cluster: &Cluster, user: &str, expected: usize) {
    let user = cluster.user(user);
    eventually(&format!("{expected} are stored"), async || {
        (user.list("?limit=1").await["total"] == json!(expected)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_message_on_a_channel_is_stored_exactly_once_by_three_instances() {
    let cluster = cluster().instances(3).start().await;
    let mut redis = cluster.redis.as_ref().unwrap().connect().await;
    let mut streams = Vec::new();
    for edge in cluster.edges() {
        let mut stream = edge.user("u1").stream().await;
        stream.hello().await;
        streams.push(stream);
    }
    for number in 0..50 {
        let body = json!({"title": format!("n{number}"), "idempotencyKey": format!("k{number}")}).to_string();
        let heard: usize = redis.publish("tidings:publish:default:user:u1", body).await.unwrap();
        assert_eq!(heard, 3, "every instance hears it");
    }
    for stream in &mut streams {
        let mut titles = stream.titles(50).await;
        titles.sort_by_key(|title| title[1..].parse::<u32>().unwrap());
        assert_eq!(titles, (0..50).map(|number| format!("n{number}")).collect::<Vec<_>>());
    }
    total(&cluster, "u1", 50).await;
}

#[tokio::test]
async fn equal_payloads_without_a_key_count_as_one_for_a_moment() {
    let cluster = cluster().instances(3).start().await;
    let mut redis = cluster.redis.as_ref().unwrap().connect().await;
    let mut stream = cluster.user("u1").stream().await;
    stream.hello().await;
    for title in ["same", "same", "other"] {
        let body = json!({"title": title}).to_string();
        let _: usize = redis.publish("tidings:publish:default:user:u1", body).await.unwrap();
    }
    let mut titles = stream.titles(2).await;
    titles.sort();
    assert_eq!(titles, ["other", "same"]);
    total(&cluster, "u1", 2).await;
}

#[tokio::test]
async fn channels_name_tenant_and_user_and_other_channels_are_refused() {
    let cluster = cluster().instances(2).start().await;
    let redis = cluster.redis.as_ref().unwrap().connect().await;
    let edge = cluster.edge();
    let send = async |channel: &str, body: &str| {
        let _: usize = redis.clone().publish(channel, body).await.unwrap();
    };
    let good = json!({"title": "t"}).to_string();
    send("tidings:publish:acme:user:a:b*c", &good).await;
    let user = edge.caller(&Token::of("a:b*c").tenant("acme"));
    eventually("it is stored", async || (user.list("").await["total"] == 1).then_some(())).await;

    let refused = async || {
        let mut sum = 0;
        for edge in cluster.edges() {
            sum += edge.metric("tidings_ingest_dead_letters_total", &["channel"]).await;
        }
        sum
    };
    for (channel, body) in [
        ("tidings:publish:default:user:u1", "not json"),
        ("tidings:publish:default:user:u1", r#"{"title":""}"#),
        ("tidings:publish:default:user:u1", r#"{"title":"t","users":["u2"]}"#),
        ("tidings:publish:default:user:", good.as_str()),
        ("tidings:publish:te nant:user:u1", good.as_str()),
        ("tidings:publish:default:nothing:u1", good.as_str()),
    ] {
        let before = refused().await;
        send(channel, body).await;
        eventually("it is refused", async || (refused().await > before).then_some(())).await;
    }
    let _: usize =
        redis.clone().publish("tidings:publish:default:user:u1", &b"{\"title\":\"\xff\"}"[..]).await.unwrap();
    send("tidings:publish:default:user:u1", r#"{"title":"marker"}"#).await;
    total(&cluster, "u1", 1).await;
    assert_eq!(cluster.user("u2").list("").await["total"], 0);
}

#[tokio::test]
async fn entries_of_the_stream_are_stored_once_and_acknowledged() {
    let cluster = cluster().instances(3).start().await;
    let mut redis = cluster.redis.as_ref().unwrap().connect().await;
    for number in 0..100 {
        let body = json!({"users": ["u1"], "title": format!("n{number}")}).to_string();
        add(&mut redis, "default", &body).await;
    }
    let keyed = json!({"users": ["u1"], "title": "keyed", "idempotencyKey": "k"}).to_string();
    add(&mut redis, "default", &keyed).await;
    add(&mut redis, "default", &keyed).await;
    total(&cluster, "u1", 101).await;
    eventually("nothing is pending", async || {
        let pending: redis::streams::StreamPendingReply = redis.clone().xpending(STREAM, "tidings").await.unwrap();
        (pending.count() == 0).then_some(())
    })
    .await;
    assert_eq!(cluster.user("u1").list("?limit=1").await["total"], 101);
}

#[tokio::test]
async fn poison_goes_to_the_dead_letters_with_its_reason() {
    let cluster = cluster().instances(2).start().await;
    let mut redis = cluster.redis.as_ref().unwrap().connect().await;
    let bad = [
        ("default", "not json"),
        ("default", r#"{"title":"nobody"}"#),
        ("te nant", r#"{"users":["u1"],"title":"t"}"#),
        ("default", r#"{"users":["u1"],"title":"t","surprise":1}"#),
        ("default", r#"{"users":["u1"],"title":"t","tenant":"other"}"#),
    ];
    for (tenant, body) in bad {
        add(&mut redis, tenant, body).await;
    }
    let _: String = redis.xadd(STREAM, "*", &[("unknown", "fields")]).await.unwrap();
    let _: String =
        redis.xadd(STREAM, "*", &[("tenant", &b"default"[..]), ("message", &b"\xff\xfe"[..])]).await.unwrap();
    add(&mut redis, "default", r#"{"users":["u1"],"title":"good"}"#).await;
    total(&cluster, "u1", 1).await;
    let dead = eventually("seven are dead", async || {
        let dead: StreamRangeReply = redis.clone().xrange_all(DEAD).await.unwrap();
        (dead.ids.len() == 7).then_some(dead)
    })
    .await;
    for letter in dead.ids {
        let reason: String = letter.get("reason").expect("a reason");
        assert!(!reason.is_empty());
    }
}

#[tokio::test]
async fn a_number_that_would_change_is_a_dead_letter_that_names_it() {
    let cluster = cluster().with_redis().start().await;
    let mut redis = cluster.redis.as_ref().unwrap().connect().await;
    let body = |number: &str, users: &str| format!(r#"{{{users}"title":"t","data":{{"a":[0.5,{number}]}}}}"#);
    let numbers = ["18446744073709551616", "3.14159265358979323846", "1e-400", "1e400"];
    for number in numbers {
        add(&mut redis, "default", &body(number, r#""users":["u1"],"#)).await;
        let _: usize = redis.publish("tidings:publish:default:user:u1", body(number, "")).await.unwrap();
    }
    add(&mut redis, "default", &body("1e-300", r#""users":["u1"],"#)).await;
    total(&cluster, "u1", 1).await;
    let letters = eventually("all are dead", async || {
        let dead: StreamRangeReply = redis.clone().xrange_all(DEAD).await.unwrap();
        (dead.ids.len() == 2 * numbers.len()).then_some(dead.ids)
    })
    .await;
    for number in numbers {
        let named = |reason: &String| reason.contains("/data/a/1: ") && reason.contains(number);
        let reasons: Vec<String> = letters.iter().map(|letter| letter.get("reason").expect("a reason")).collect();
        assert_eq!(reasons.iter().filter(|reason| named(reason)).count(), 2, "{number}: {reasons:?}");
    }
}

#[tokio::test]
async fn entries_of_a_killed_consumer_are_taken_over() {
    let mut cluster = cluster().instances(2).start().await;
    let mut redis = cluster.redis.as_ref().unwrap().connect().await;
    // Without a database entries are read and stay pending.
    cluster.postgres.stop().await;
    cluster.instances[1].kill();
    for number in 0..10 {
        add(&mut redis, "default", &json!({"users": ["u1"], "title": format!("n{number}")}).to_string()).await;
    }
    eventually("they are pending", async || {
        let pending: redis::streams::StreamPendingReply = redis.clone().xpending(STREAM, "tidings").await.unwrap();
        (pending.count() > 0).then_some(())
    })
    .await;
    cluster.instances[0].kill();
    cluster.postgres.resume().await;
    cluster.instances[1].restart().await;
    let user = cluster.instances[1].edge().user("u1");
    eventually("all are stored", async || (user.list("?limit=1").await["total"] == 10).then_some(())).await;
    let reclaimed = cluster.instances[1].edge().metric("tidings_ingest_reclaimed_total", &[]).await;
    assert!(reclaimed > 0);
}

#[tokio::test]
async fn the_group_is_made_again_when_redis_comes_back_empty() {
    let mut cluster = cluster().instances(2).start().await;
    let mut redis = cluster.redis.as_ref().unwrap().connect().await;
    add(&mut redis, "default", r#"{"users":["u1"],"title":"before"}"#).await;
    total(&cluster, "u1", 1).await;
    cluster.redis().kill();
    cluster.redis().start_empty().await;
    let mut redis = cluster.redis.as_ref().unwrap().connect().await;
    add(&mut redis, "default", r#"{"users":["u1"],"title":"after"}"#).await;
    total(&cluster, "u1", 2).await;
    let _: usize = redis.del(STREAM).await.unwrap();
    add(&mut redis, "default", r#"{"users":["u1"],"title":"again"}"#).await;
    total(&cluster, "u1", 3).await;
}

#[tokio::test]
async fn entries_survive_the_death_of_every_instance() {
    let mut cluster = cluster().instances(2).start().await;
    let mut redis = cluster.redis.as_ref().unwrap().connect().await;
    for number in 0..200 {
        add(&mut redis, "default", &json!({"users": ["u1"], "title": format!("n{number}")}).to_string()).await;
        if number == 100 {
            cluster.instances.iter_mut().for_each(Instance::kill);
        }
    }
    for instance in &mut cluster.instances {
        instance.restart().await;
    }
    total(&cluster, "u1", 200).await;
}

#[tokio::test]
async fn everything_in_redis_lies_under_the_prefix() {
    let cluster = cluster().instances(2).set("TIDINGS_PREFIX", "own").start().await;
    let mut redis = cluster.redis.as_ref().unwrap().connect().await;
    let mut stream = cluster.user("u1").stream().await;
    stream.hello().await;
    let body = r#"{"users":["u1"],"title":"t"}"#;
    let _: String = redis.xadd("own:ingest", "*", &[("tenant", "default"), ("message", body)]).await.unwrap();
    let _: usize = redis.publish("own:publish:default:user:u1", r#"{"title":"t"}"#).await.unwrap();
    stream.titles(2).await;
    let keys: Vec<String> = redis.keys("*").await.unwrap();
    let channels: Vec<String> = redis::cmd("PUBSUB").arg("CHANNELS").query_async(&mut redis).await.unwrap();
    assert!(!channels.is_empty());
    assert!(keys.iter().chain(&channels).all(|name| name.starts_with("own:")), "{keys:?} {channels:?}");
}
