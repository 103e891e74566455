//! More signals over Redis than may pass.

use super::*;

/// Signals of the flood, and the keys that they are spread over.
const FLOOD: usize = 20_000;
const KEYS: usize = 10;

/// Publishes all in few round trips, as a script with `redis-cli` would.
async fn publish(cluster: &mut Cluster, messages: impl Iterator<Item = (&'static str, Value)>) {
    let mut redis = cluster.redis().connect().await;
    let mut pipeline = ::redis::pipe();
    for (tenant, body) in messages {
        let channel = format!("tidings:signal:{tenant}:topic:queue:7");
        pipeline.cmd("PUBLISH").arg(channel).arg(body.to_string()).ignore();
    }
    pipeline.query_async::<()>(&mut redis).await.unwrap();
}

fn message(key: usize, value: usize) -> Value {
    json!({"kind": "metrics", "key": key.to_string(), "data": value})
}

/// A stream of a subscriber of the tenant's topic, once signals over Redis reach it.
async fn reached(cluster: &mut Cluster, tenant: &'static str) -> Frames {
    let database = cluster.postgres.connect().await;
    database.execute("insert into topics (tenant, topic) values ($1, 'queue:7')", &[&tenant]).await.unwrap();
    let subscribe = "insert into subscriptions (tenant, topic, user_id) values ($1, 'queue:7', 'u1')";
    database.execute(subscribe, &[&tenant]).await.unwrap();
    let mut stream = listening(&cluster.edge().caller(&Token::of("u1").tenant(tenant))).await;
    let first = json!({"kind": "first"});
    signals_until_one_comes(&mut stream, async || publish(cluster, [(tenant, first.clone())].into_iter()).await).await;
    stream
}

/// The next signal but those that [`reached`] sent.
async fn next_number(stream: &mut Frames) -> Value {
    loop {
        let told = told(stream).await;
        if told["kind"] == "metrics" {
            return told;
        }
    }
}

#[tokio::test]
async fn of_a_flood_the_last_value_of_every_key_arrives_and_so_do_signals_of_other_tenants() {
    let mut cluster = cluster().instances(2).start().await;
    let (mut flooded, mut calm) = (reached(&mut cluster, "a").await, reached(&mut cluster, "b").await);
    // One of the other tenant's after every hundredth of the flood.
    let flood = (0..FLOOD).flat_map(|number| {
        let calm = (number % 100 == 0).then(|| ("b", message(number, number)));
        [Some(("a", message(number % KEYS, number))), calm].into_iter().flatten()
    });
    publish(&mut cluster, flood).await;
    let mut last = [0; KEYS];
    while last.iter().any(|value| *value < FLOOD - KEYS) {
        let told = next_number(&mut flooded).await;
        let (key, value) = (told["key"].as_str().unwrap().parse::<usize>().unwrap(), told["data"].as_u64().unwrap());
        assert!(last[key] <= value as usize, "{value} after {last:?}");
        last[key] = value as usize;
    }
    for number in (0..FLOOD).step_by(100) {
        let mut expected = message(number, number);
        expected["topic"] = "queue:7".into();
        assert_eq!(next_number(&mut calm).await, expected);
    }
    let mut counted = 0;
    for edge in cluster.edges() {
        for result in ["accepted", "replaced"] {
            counted += edge.metric("tidings_signals_total", &["channel", result]).await;
        }
        assert_eq!(edge.metric("tidings_limit_hits_total", &["ingest_signal_queue"]).await, 0);
    }
    assert!(counted >= (FLOOD + FLOOD / 100) as i64, "what passed and what was replaced: {counted}");
}

#[tokio::test]
async fn a_tenant_that_may_send_few_has_the_newest_of_them_sent() {
    let mut cluster = cluster().with_redis().set("TIDINGS_SIGNALS_PER_TENANT", "20").start().await;
    let mut stream = reached(&mut cluster, "a").await;
    publish(&mut cluster, (0..1_000).map(|number| ("a", message(number % KEYS, number)))).await;
    let mut last = [0; KEYS];
    while last.iter().any(|value| *value < 1_000 - KEYS as u64) {
        let told = next_number(&mut stream).await;
        last[told["key"].as_str().unwrap().parse::<usize>().unwrap()] = told["data"].as_u64().unwrap();
    }
    let replaced = cluster.edge().metric("tidings_signals_total", &["channel", "replaced"]).await;
    assert!(replaced > 0, "only so many passed");
    assert_eq!(cluster.edge().metric("tidings_signals_total", &["channel", "limited"]).await, 0);
}
