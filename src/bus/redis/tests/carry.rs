//! The messages that the bus sends, and the instances that receive them.

use super::*;

#[tokio::test]
async fn an_announcement_reaches_the_instance_that_subscribed_and_no_other() {
    let server = RedisServer::start().await;
    let (one, mut two) = (Instance::up(&server.settings()).await, Instance::up(&server.settings()).await);
    two.bus.subscribe(&key("u1")).await;
    let (other, given) = (announcement("u2"), announcement("u1"));
    one.bus.outlet().announce(vec![other, given.clone()]);
    assert_eq!(two.next().await, Incoming::Announced(given));
}

#[tokio::test]
async fn ids_full_of_separators_do_not_cross() {
    let server = RedisServer::start().await;
    let (one, mut two) = (Instance::up(&server.settings()).await, Instance::up(&server.settings()).await);
    let users = ["a", "*", "a*", "a?", "[ab]", "{a}", "a}", "a b", "a:b", "a%3Ab", "%", "\u{1f600} ä", "a/b\\c\"'"];
    for user in users {
        two.bus.subscribe(&key(user)).await;
        let given: Vec<_> = users.iter().map(|user| announcement(user)).collect();
        let mine = given.iter().find(|given| given.key == key(user)).unwrap().clone();
        one.bus.outlet().announce(given);
        assert_eq!(two.next().await, Incoming::Announced(mine));
        two.bus.unsubscribe(&key(user));
        one.bus.control(Control::Revoked);
        assert_eq!(two.next().await, Incoming::Control(Control::Revoked), "only {user} was heard");
        until(async || {
            let channel = format!("tidings:{{acme:{}*", if user == "a" { "a}" } else { "" });
            let mut connection = server.connect().await;
            let open: Vec<String> =
                redis::cmd("PUBSUB").arg("CHANNELS").arg(channel).query_async(&mut connection).await.unwrap();
            open.is_empty()
        })
        .await;
    }
}

#[tokio::test]
async fn an_order_reaches_every_instance_once() {
    let server = RedisServer::start().await;
    let (mut one, mut two) = (Instance::up(&server.settings()).await, Instance::up(&server.settings()).await);
    one.bus.control(Control::Revoked);
    assert_eq!(one.next().await, Incoming::Control(Control::Revoked));
    assert_eq!(two.next().await, Incoming::Control(Control::Revoked));
    one.bus.subscribe(&key("u")).await;
    let given = announcement("u");
    two.bus.outlet().announce(vec![given.clone()]);
    assert_eq!(one.next().await, Incoming::Announced(given), "its own order does not come back");
}

#[tokio::test]
async fn a_signal_that_follows_a_removal_arrives_after_it() {
    let server = RedisServer::start().await;
    // The instance that removes is farther from Redis than the instance that signals.
    let far = Network::to(&server).await.settings();
    let (one, two) = (Instance::up(&far).await, Instance::up(&server.settings()).await);
    removals_come_before_later_signals(one, two, Instance::up(&server.settings()).await).await;
}

#[tokio::test]
async fn a_removal_waits_for_nothing_when_redis_is_away() {
    let mut server = RedisServer::start().await;
    let one = Instance::up(&server.settings()).await;
    server.kill();
    one.down().await;
    let left = Left { topic: topic(), users: Vec::new() };
    assert!(!timeout(PATIENCE, one.bus.outlet().send_removal(left)).await.expect("it waits for Redis"));
}

#[tokio::test]
async fn foreign_messages_are_ignored() {
    let server = RedisServer::start().await;
    let mut one = Instance::up(&server.settings()).await;
    one.bus.subscribe(&key("u")).await;
    let mut connection = server.connect().await;
    for channel in ["tidings:{acme:u}", "tidings:control"] {
        for message in [&b""[..], b"\xff\xfe", b"T1 ", b"T2 of the future\n", b"T1 e 1 1 1,9\nab"] {
            redis::cmd("PUBLISH").arg(channel).arg(message).query_async::<()>(&mut connection).await.unwrap();
        }
    }
    let given = announcement("u");
    one.bus.outlet().announce(vec![given.clone()]);
    assert_eq!(one.next().await, Incoming::Announced(given));
}
