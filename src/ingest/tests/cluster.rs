//! Both ways in on a real cluster.

use super::*;

#[tokio::test]
async fn both_ways_in_work_on_a_cluster() {
    let cluster = RedisCluster::start().await;
    let servers = Servers::new(&cluster.settings()).unwrap();
    let instances = Instances::start(&servers, &["a", "b"], HASTY);
    let mut redis = servers.pooled().await.unwrap();
    for n in 0..20 {
        let message = format!(r#"{{"users":["s{n:02}"],"title":"t"}}"#);
        add(&mut redis, &["tenant", "acme", "message", &message]).await;
    }
    add(&mut redis, &["tenant", "acme", "message", "x"]).await;
    instances.kept.has(20).await;
    until(async || {
        let mut hearing = 0;
        for node in &cluster.nodes {
            let clients: String = call(&mut node.connect().await, &["CLIENT", "LIST"]).await;
            hearing += clients.lines().filter(|line| line.contains(" psub=1 ")).count();
        }
        hearing == 2
    })
    .await;
    for n in 0..20 {
        let channel = format!("tidings:publish:acme:user:c{n:02}");
        call::<i64>(&mut redis, &["PUBLISH", &channel, r#"{"title":"t"}"#]).await;
    }
    instances.kept.has(40).await;
    until(async || letters(&mut redis).await.len() == 1).await;
    until(async || call::<i64>(&mut redis, &["XLEN", "tidings:ingest"]).await == 0).await;
    instances.end().await;
    assert_eq!(instances.kept.stored().len(), 40);
}
