//! Signals that come in through Redis.

use super::*;
use crate::harness::process::Signal;

#[tokio::test]
async fn each_signal_from_redis_is_sent_once_and_a_wrong_one_becomes_a_dead_letter() {
    let mut cluster = cluster().instances(2).start().await;
    subscribe(&cluster, "queue:7", &["u1"]).await;
    let mut stream = listening(&cluster.user("u1")).await;
    let mut redis = cluster.redis().connect().await;
    let mut publish = async |channel: &str, body: &str| {
        ::redis::cmd("PUBLISH").arg(channel).arg(body).query_async::<i64>(&mut redis).await.unwrap()
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
            let mut read = ::redis::cmd("XREVRANGE");
            read.arg("tidings:ingest:dead").arg("+").arg("-").arg("COUNT").arg(1);
            let dead: ::redis::Value = read.query_async(&mut redis).await.unwrap();
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
            let mut publish = ::redis::cmd("PUBLISH");
            publish.arg("tidings:signal:default:topic:queue:7").arg(r#"{"kind":"k","data":1}"#);
            publish.query_async::<i64>(&mut redis).await.unwrap();
        })
        .await;
        cluster.instances[killed].restart().await;
    }
}

#[tokio::test]
async fn an_instance_that_was_stopped_sends_no_signal_from_before_another_took_over() {
    let mut cluster = cluster().instances(2).start().await;
    subscribe(&cluster, "queue:7", &["u1"]).await;
    let mut redis = cluster.redis().connect().await;
    let mut newest = 0;
    let mut publish_next = async || {
        newest += 1;
        let body = json!({"kind": "k", "data": newest}).to_string();
        let mut publish = ::redis::cmd("PUBLISH");
        publish.arg("tidings:signal:default:topic:queue:7").arg(body).query_async::<i64>(&mut redis).await.unwrap();
    };
    let edges = cluster.edges();
    let sent = async |edge: &Edge| edge.metric("tidings_signals_total", &["channel", "accepted"]).await > 0;
    let listener = eventually("an instance listens", async || {
        publish_next().await;
        if sent(&edges[0]).await {
            return Some(0);
        }
        sent(&edges[1]).await.then_some(1)
    })
    .await;
    let mut stream = listening(&edges[1 - listener].user("u1")).await;
    cluster.instances[listener].signal(Signal::STOP);
    eventually("the other listens", async || {
        publish_next().await;
        sent(&edges[1 - listener]).await.then_some(())
    })
    .await;
    cluster.instances[listener].signal(Signal::CONT);
    eventually("it finds that its turn is over", async || {
        let unsent = edges[listener].metric("tidings_signals_dropped_total", &["turn"]).await;
        (unsent > 0).then_some(())
    })
    .await;
    edges[listener].publisher().post("/api/signals", &signal("queue:7", "", "end")).await.expect(202);
    let mut last = 0;
    while let Some(value) = data(&mut stream).await.as_i64() {
        assert!(last < value, "{value} after {last}");
        last = value;
    }
}
