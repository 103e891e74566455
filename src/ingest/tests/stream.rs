//! Publishing by stream.

use super::*;

#[tokio::test]
async fn entries_are_stored_and_then_removed_and_poison_is_buried() {
    let server = RedisServer::start().await;
    let mut redis = server.connect().await;
    let id = add(&mut redis, &["tenant", "acme", "message", r#"{"users":["u1"],"title":"own key none"}"#]).await;
    let instances = Instances::start(&servers(&server), &["a", "b"], CALM);
    let keyed = r#"{"users":["u2"],"title":"keyed","idempotencyKey":"k"}"#;
    for message in [keyed, keyed, r#"{"users":["u3"],"title":"other","idempotencyKey":"k"}"#, "{}", "x"] {
        add(&mut redis, &["tenant", "acme", "message", message]).await;
    }
    add(&mut redis, &["message", keyed]).await;
    add(&mut redis, &["tenant", "a b", "message", keyed]).await;
    add(&mut redis, &["foo", "bar"]).await;
    let many: Vec<String> = (0..1_500).map(|n| format!(r#"{{"users":["m{n}"],"title":"t"}}"#)).collect();
    for message in &many {
        add(&mut redis, &["tenant", "acme", "message", message]).await;
    }
    instances.kept.has(1_502).await;
    until(async || call::<i64>(&mut redis, &["XLEN", "tidings:ingest"]).await == 0).await;
    instances.end().await;
    assert_eq!(letters(&mut redis).await.len(), 6);
    let keys = instances.kept.keys.lock().unwrap().keys().cloned().collect::<Vec<_>>();
    assert!(keys.contains(&format!("ingest:{id}")) && keys.contains(&"k".to_owned()));
    let groups: Vec<HashMap<String, Value>> = call(&mut redis, &["XINFO", "GROUPS", "tidings:ingest"]).await;
    assert_eq!(groups[0]["pending"], Value::Int(0));
    assert_eq!(groups[0]["consumers"], Value::Int(0), "both have left");
}

#[tokio::test]
async fn entries_wait_for_a_store_that_is_away_and_stay_with_their_reader() {
    let server = RedisServer::start().await;
    let mut redis = server.connect().await;
    let instances = Instances::start(&servers(&server), &["a", "b"], Duration::from_secs(2));
    instances.kept.away.store(true, Ordering::SeqCst);
    add(&mut redis, &["tenant", "acme", "message", r#"{"users":["u"],"title":"t"}"#]).await;
    until(async || instances.kept.attempts.load(Ordering::SeqCst) >= 1).await;
    // The time without a sign of life falls each time the reader claims its entries again.
    let (mut last, mut falls) = (0, 0);
    until(async || {
        let rows: Vec<(String, String, i64, i64)> =
            call(&mut redis, &["XPENDING", "tidings:ingest", "tidings", "-", "+", "10"]).await;
        if let [(_, _, idle, deliveries)] = rows[..] {
            assert_eq!(deliveries, 1, "nobody took it over");
            falls += i32::from(idle < last);
            last = idle;
        }
        falls >= 3
    })
    .await;
    assert_eq!(instances.kept.stored(), []);
    instances.kept.away.store(false, Ordering::SeqCst);
    instances.kept.has(1).await;
    until(async || call::<i64>(&mut redis, &["XLEN", "tidings:ingest"]).await == 0).await;
    instances.end().await;
}

#[tokio::test]
async fn entries_of_a_dead_consumer_are_taken_over_and_worn_ones_buried() {
    let server = RedisServer::start().await;
    let mut redis = server.connect().await;
    call::<()>(&mut redis, &["XGROUP", "CREATE", "tidings:ingest", "tidings", "0", "MKSTREAM"]).await;
    add(&mut redis, &["tenant", "acme", "message", r#"{"users":["u"],"title":"left"}"#]).await;
    let worn = add(&mut redis, &["tenant", "acme", "message", r#"{"users":["u"],"title":"worn"}"#]).await;
    let read = ["XREADGROUP", "GROUP", "tidings", "ghost", "STREAMS", "tidings:ingest", ">"];
    call::<Value>(&mut redis, &read).await;
    let claim = ["XCLAIM", "tidings:ingest", "tidings", "ghost", "0", &worn, "RETRYCOUNT", "10", "JUSTID"];
    call::<Value>(&mut redis, &claim).await;
    let instances = Instances::start(&servers(&server), &["a", "b"], HASTY);
    instances.kept.has(1).await;
    until(async || call::<i64>(&mut redis, &["XLEN", "tidings:ingest"]).await == 0).await;
    instances.end().await;
    assert_eq!(instances.kept.stored(), [("u".to_owned(), "left".to_owned())]);
    let letters = letters(&mut redis).await;
    assert!(letters.len() == 1 && letters[0].1.contains("worn"), "{letters:?}");
}

#[tokio::test]
async fn a_redis_that_restarted_empty_gets_its_group_again() {
    let mut server = RedisServer::start().await;
    let instances = Instances::start(&servers(&server), &["a"], CALM);
    heard_by(&mut server.connect().await, 1).await;
    server.kill();
    server.restart().await;
    let mut redis = server.connect().await;
    add(&mut redis, &["tenant", "acme", "message", r#"{"users":["u"],"title":"t"}"#]).await;
    instances.kept.has(1).await;
    call::<()>(&mut redis, &["FLUSHALL"]).await;
    add(&mut redis, &["tenant", "acme", "message", r#"{"users":["v"],"title":"t"}"#]).await;
    instances.kept.has(2).await;
    heard_by(&mut redis, 1).await;
    call::<i64>(&mut redis, &["PUBLISH", "tidings:publish:acme:user:w", r#"{"title":"t"}"#]).await;
    instances.kept.has(3).await;
    instances.end().await;
}

#[tokio::test]
async fn an_instance_that_stops_while_the_store_is_away_leaves_its_entries_to_others() {
    let server = RedisServer::start().await;
    let mut redis = server.connect().await;
    let one = Instances::start(&servers(&server), &["a"], CALM);
    one.kept.away.store(true, Ordering::SeqCst);
    add(&mut redis, &["tenant", "acme", "message", r#"{"users":["u"],"title":"t"}"#]).await;
    until(async || one.kept.attempts.load(Ordering::SeqCst) >= 1).await;
    one.end().await;
    let two = Instances::start(&servers(&server), &["b"], HASTY);
    two.kept.has(1).await;
    two.end().await;
    assert_eq!(call::<i64>(&mut redis, &["XLEN", "tidings:ingest"]).await, 0);
}
