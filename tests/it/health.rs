//! The view of operators: health, readiness, metrics.

use std::collections::BTreeSet;

use tidings::metrics::{ALL, Kind};

use crate::harness::*;

async fn status(edge: &Edge) -> String {
    edge.nobody().get("/health").await.expect(200)["status"].as_str().unwrap().to_owned()
}

/// Readiness may never depend on a part that all instances share.
async fn stays_in(edge: &Edge) {
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(edge.nobody().get(path).await.status, 200, "{path}");
    }
}

#[tokio::test]
async fn an_instance_without_redis_is_degraded_and_stays_in() {
    let mut cluster = cluster().instances(2).start().await;
    let edge = cluster.edge();
    eventually("all is well", async || (status(&edge).await == "ok").then_some(())).await;
    cluster.redis().kill();
    eventually("it is degraded", async || (status(&edge).await == "degraded").then_some(())).await;
    stays_in(&edge).await;
    let report = edge.nobody().get("/health").await.expect(200);
    assert_eq!((&report["parts"]["bus"]["up"], &report["parts"]["database"]["up"]), (&false.into(), &true.into()));
    cluster.redis().start_empty().await;
    eventually("all is well again", async || (status(&edge).await == "ok").then_some(())).await;
}

#[tokio::test]
async fn a_bus_that_stops_answering_is_noticed() {
    let cluster = cluster().instances(2).start().await;
    let edge = cluster.edge();
    eventually("all is well", async || (status(&edge).await == "ok").then_some(())).await;
    cluster.redis.as_ref().unwrap().pause();
    eventually("it is degraded", async || (status(&edge).await == "degraded").then_some(())).await;
    stays_in(&edge).await;
    cluster.redis.as_ref().unwrap().resume();
    eventually("all is well again", async || (status(&edge).await == "ok").then_some(())).await;
}

#[tokio::test]
async fn an_instance_without_a_database_is_degraded_and_stays_in() {
    let mut cluster = cluster().start().await;
    let edge = cluster.edge();
    cluster.postgres.stop().await;
    eventually("it is degraded", async || (status(&edge).await == "degraded").then_some(())).await;
    stays_in(&edge).await;
    cluster.postgres.resume().await;
    eventually("all is well again", async || (status(&edge).await == "ok").then_some(())).await;
}

#[tokio::test]
async fn a_draining_instance_is_alive_and_not_ready() {
    let mut cluster = cluster().set("TIDINGS_DRAIN_SECONDS", "20").start().await;
    let edge = cluster.edge();
    // Open streams make the drain last.
    let mut streams = Vec::new();
    for index in 0..20 {
        let mut stream = edge.user(&format!("u{index}")).stream().await;
        stream.hello().await;
        streams.push(stream);
    }
    let client = edge.nobody();
    cluster.instances[0].signal(process::Signal::TERM);
    eventually("it is not ready", async || {
        let answer = Answer::try_of(client.request(reqwest::Method::GET, "/health/ready")).await;
        answer.is_ok_and(|answer| answer.status == 503).then_some(())
    })
    .await;
    assert_eq!(client.get("/health/live").await.status, 200);
    drop(streams);
    assert_eq!(cluster.instances[0].exit().await.code(), Some(0));
}

#[tokio::test]
async fn metrics_follow_the_conventions_and_are_the_declared_ones() {
    let cluster = cluster().with_redis().start().await;
    let edge = cluster.edge();
    let mut stream = edge.user("u1").stream().await;
    stream.hello().await;
    edge.publisher().notify("u1", "t").await;
    stream.titles(1).await;
    let text = edge.nobody().get("/metrics").await.text;
    let declared: BTreeSet<_> = ALL.iter().map(|metric| metric.name).collect();
    let mut found = BTreeSet::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        let metric = ALL.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("{name} is not declared"));
        let expected = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        assert_eq!(kind, expected, "{name}");
        assert_eq!(name.ends_with("_total"), metric.kind == Kind::Counter, "{name}");
        found.insert(name);
    }
    for name in [
        "tidings_connections",
        "tidings_connects_total",
        "tidings_publishes_total",
        "tidings_commit_seconds",
        "tidings_publish_to_flush_seconds",
        "tidings_bus_up",
        "tidings_pool_connections",
        "tidings_http_request_seconds",
    ] {
        assert!(found.contains(name), "{name} is missing from\n{text}");
    }
    assert!(found.is_subset(&declared));
    assert!(!text.contains("u1"), "no label names a user");
}

#[test]
fn the_table_in_the_docs_is_the_declared_metrics() {
    let docs = ["README.md", "ARCHITECTURE.md", "docs/metrics.md"]
        .map(|file| std::fs::read_to_string(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap());
    let names = docs.iter().flat_map(|text| text.lines()).filter_map(|line| {
        let name = line.strip_prefix("| `tidings_")?.split('`').next()?;
        Some(format!("tidings_{name}"))
    });
    let declared: Vec<_> = ALL.iter().map(|metric| metric.name.to_owned()).collect();
    assert_eq!(names.collect::<Vec<_>>(), declared);
}
