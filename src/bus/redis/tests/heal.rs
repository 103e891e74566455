//! The bus notices faults of Redis and of the network, reports them, and recovers.

use super::*;

#[tokio::test]
async fn an_instance_starts_without_redis_and_finds_it_later() {
    let mut server = RedisServer::start().await;
    server.kill();
    let mut instance = Instance::start(&server.settings());
    Bus::Redis(instance.bus.clone()).subscribe(&key("u")).await;
    assert!(!instance.bus.health().up);
    instance.bus.control(Control::Revoked);
    assert_eq!(instance.next().await, Incoming::Control(Control::Revoked));
    server.restart().await;
    instance.restored().await;
    passes(&Instance::up(&server.settings()).await, &mut instance, "u").await;
    instance.stop.cancel();
    instance.tracker.close();
    instance.tracker.wait().await;
}

#[tokio::test]
async fn a_redis_that_was_killed_and_came_back_empty_is_joined_again() {
    let mut server = RedisServer::start().await;
    let (mut one, mut two) = (Instance::up(&server.settings()).await, Instance::up(&server.settings()).await);
    two.bus.subscribe(&key("u")).await;
    server.kill();
    one.down().await;
    two.down().await;
    two.bus.subscribe(&key("late")).await;
    server.restart().await;
    one.restored().await;
    two.restored().await;
    passes(&one, &mut two, "u").await;
    passes(&one, &mut two, "late").await;
}

#[tokio::test]
async fn a_redis_that_was_stopped_is_noticed_and_joined_again() {
    let server = RedisServer::start().await;
    let (mut one, mut two) = (Instance::up(&server.settings()).await, Instance::up(&server.settings()).await);
    two.bus.subscribe(&key("u")).await;
    server.signal("STOP");
    one.down().await;
    two.down().await;
    server.signal("CONT");
    one.restored().await;
    two.restored().await;
    passes(&one, &mut two, "u").await;
}

#[tokio::test]
async fn connections_that_fell_silent_are_found_out_and_replaced() {
    let server = RedisServer::start().await;
    let network = Network::to(&server).await;
    let (one, mut two) = (Instance::up(&server.settings()).await, Instance::up(&network.settings()).await);
    two.bus.subscribe(&key("u")).await;
    network.fall_silent();
    two.down().await;
    two.restored().await;
    passes(&one, &mut two, "u").await;
    passes(&two, &mut Instance::following(&server.settings(), "v").await, "v").await;
}

#[tokio::test]
async fn killed_connections_heal() {
    let server = RedisServer::start().await;
    let (mut one, mut two) = (Instance::up(&server.settings()).await, Instance::up(&server.settings()).await);
    two.bus.subscribe(&key("u")).await;
    for kind in ["pubsub", "normal"] {
        let mut connection = server.connect().await;
        let kill = ["KILL", "TYPE", kind, "SKIPME", "yes"];
        let _: i64 = redis::cmd("CLIENT").arg(&kill).query_async(&mut connection).await.unwrap();
        if kind == "pubsub" {
            one.restored().await;
            two.restored().await;
        }
        passes(&one, &mut two, "u").await;
    }
}

#[tokio::test]
async fn a_redis_that_refuses_publishes_is_found_out_by_the_probe() {
    let server = RedisServer::start().await;
    let mut one = Instance::up(&server.settings()).await;
    let mut connection = server.connect().await;
    let refuse = ["SETUSER", "default", "-publish"];
    redis::cmd("ACL").arg(&refuse).query_async::<()>(&mut connection).await.unwrap();
    one.down().await;
    let allow = ["SETUSER", "default", "+publish"];
    redis::cmd("ACL").arg(&allow).query_async::<()>(&mut connection).await.unwrap();
    one.restored().await;
}

#[tokio::test]
async fn thousands_of_users_are_joined_again_after_a_restart() {
    let mut server = RedisServer::start().await;
    let (one, mut two) = (Instance::up(&server.settings()).await, Instance::up(&server.settings()).await);
    let users: Vec<String> = (0..3_000).map(|n| format!("u{n}")).collect();
    futures_util::future::join_all(users.iter().map(|user| two.bus.subscribe(&key(user)))).await;
    server.kill();
    two.down().await;
    server.restart().await;
    two.restored().await;
    until(async || one.bus.health().up).await;
    for user in ["u0", "u1500", "u2999"] {
        passes(&one, &mut two, user).await;
    }
}
