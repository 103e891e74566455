//! Sharded channels on a real cluster.

use super::*;

#[tokio::test]
async fn a_cluster_carries_everything_over_sharded_channels() {
    let mut cluster = RedisCluster::start().await;
    let (mut one, mut two) = (Instance::up(&cluster.settings()).await, Instance::up(&cluster.settings()).await);
    let users: Vec<String> = (0..50).map(|n| format!("u{n}")).collect();
    futures_util::future::join_all(users.iter().map(|user| two.bus.subscribe(&key(user)))).await;
    let mut sharded = 0;
    for node in &cluster.nodes {
        let mut connection = node.connect().await;
        let channels: Vec<String> =
            redis::cmd("PUBSUB").arg(&["SHARDCHANNELS", "tidings:{acme:*"]).query_async(&mut connection).await.unwrap();
        assert!(!channels.is_empty(), "every node carries some users");
        sharded += channels.len();
    }
    assert_eq!(sharded, users.len());

    let given: Vec<_> = users.iter().map(|user| announcement(user)).collect();
    one.bus.outlet().announce(given.clone());
    for _ in &given {
        assert!(matches!(two.next().await, Incoming::Announced(heard) if given.contains(&heard)));
    }
    one.bus.control(Control::Revoked);
    assert_eq!(two.next().await, Incoming::Control(Control::Revoked));

    cluster.nodes[0].kill();
    two.down().await;
    cluster.nodes[0].restart().await;
    one.restored().await;
    two.restored().await;
    for user in &users[..10] {
        passes(&one, &mut two, user).await;
    }
}

#[tokio::test]
async fn in_a_cluster_too_removals_come_before_later_signals() {
    let cluster = RedisCluster::start().await;
    let (one, two) = (Instance::up(&cluster.settings()).await, Instance::up(&cluster.settings()).await);
    removals_come_before_later_signals(one, two, Instance::up(&cluster.settings()).await).await;
}

#[tokio::test]
async fn a_slot_that_moves_to_another_shard_takes_its_users_along() {
    let cluster = RedisCluster::start().await;
    let (one, mut two) = (Instance::up(&cluster.settings()).await, Instance::up(&cluster.settings()).await);
    let users: Vec<String> = (0..30).map(|n| format!("u{n}")).collect();
    futures_util::future::join_all(users.iter().map(|user| two.bus.subscribe(&key(user)))).await;
    let mut ids = Vec::new();
    for node in &cluster.nodes {
        let id: String = redis::cmd("CLUSTER").arg("MYID").query_async(&mut node.connect().await).await.unwrap();
        ids.push(id);
    }
    for user in &users {
        let slot = slot::of(&one.bus.0.names.user(&key(user)));
        let target = &ids[usize::from(slot) % ids.len()];
        for node in &cluster.nodes {
            let mut set = redis::cmd("CLUSTER");
            set.arg("SETSLOT").arg(slot).arg("NODE").arg(target);
            set.query_async::<()>(&mut node.connect().await).await.unwrap();
        }
    }
    for user in &users {
        passes(&one, &mut two, user).await;
    }
    until(async || one.bus.health().up && two.bus.health().up).await;
}
