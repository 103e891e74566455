//! Signals, and the last values of their subjects.

use super::*;

/// Two instances send values of one subject side by side.
async fn the_last_received_value_is_kept(one: Instance, two: Instance, mut listener: Instance) {
    listener.bus.follow(&topic()).await;
    for round in 0..50 {
        let send = async |instance: &Instance, number| assert!(instance.bus.outlet().signal(value(number), true).await);
        tokio::join!(send(&one, 2 * round), send(&two, 2 * round + 1));
        let (Incoming::Signal(older), Incoming::Signal(newer)) = (listener.next().await, listener.next().await) else {
            panic!("two signals were sent");
        };
        assert!(older.sent_at < newer.sent_at, "{older:?} {newer:?}");
        assert_eq!(one.bus.last(&[topic()]).await.unwrap(), [newer]);
    }
}

#[tokio::test]
async fn the_last_value_on_the_channel_is_the_kept_one() {
    let server = RedisServer::start().await;
    let far = Network::to(&server).await.settings();
    let (one, two) = (Instance::up(&far).await, Instance::up(&server.settings()).await);
    the_last_received_value_is_kept(one, two, Instance::up(&server.settings()).await).await;
}

#[tokio::test]
async fn in_a_cluster_too_the_last_value_on_the_channel_is_the_kept_one() {
    let cluster = RedisCluster::start().await;
    let (one, two) = (Instance::up(&cluster.settings()).await, Instance::up(&cluster.settings()).await);
    the_last_received_value_is_kept(one, two, Instance::up(&cluster.settings()).await).await;
}

#[tokio::test]
async fn of_more_subjects_than_are_kept_the_newest_stay() {
    let server = RedisServer::start().await;
    let one = Instance::up(&server.settings()).await;
    for number in 0..=u64::try_from(KEPT_SUBJECTS).unwrap() {
        let mut signal = value(number);
        signal.subject.key = number.to_string().into();
        assert!(one.bus.outlet().signal(signal, true).await);
    }
    let kept = one.bus.last(&[topic()]).await.unwrap();
    assert_eq!(kept.len(), KEPT_SUBJECTS);
    assert!(kept.iter().all(|value| &*value.subject.key != "0"), "the oldest went");
}

#[tokio::test]
async fn a_signal_that_redis_does_not_take_is_said_to_be_lost_and_does_not_come_later() {
    let server = RedisServer::start().await;
    let (one, mut two) = (Instance::up(&server.settings()).await, Instance::up(&server.settings()).await);
    two.bus.follow(&topic()).await;
    server.signal("STOP");
    // The first is under way when the second is given up: it may still come, the second may not.
    let (first, second) = tokio::join!(one.bus.outlet().signal(value(1), true), async {
        tokio::task::yield_now().await;
        one.bus.outlet().signal(value(2), true).await
    });
    assert!(!first && !second);
    server.signal("CONT");
    // Sends repeatedly: the listener may have taken its connection for dead, and receives nothing until it has another.
    let sending = async {
        loop {
            one.bus.outlet().signal(value(3), true).await;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let hearing = async {
        loop {
            match two.next().await {
                Incoming::Signal(heard) if heard.bytes == value(3).bytes => break,
                Incoming::Signal(heard) => assert_eq!(heard.bytes, value(1).bytes),
                _ => {}
            }
        }
    };
    tokio::select! {
        () = sending => {}
        () = hearing => {}
    }
}

#[tokio::test]
async fn signals_have_their_turn_however_many_announcements_there_are() {
    let server = RedisServer::start().await;
    let one = Instance::up(&server.settings()).await;
    let announcing = async {
        loop {
            one.bus.outlet().announce(vec![announcement("u"); 64]);
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        () = announcing => {}
        taken = one.bus.outlet().signal(value(1), true) => assert!(taken, "it waited for the announcements to end"),
    }
}

#[tokio::test]
async fn a_later_value_is_newer_though_the_clock_of_redis_was_set_back() {
    let server = RedisServer::start().await;
    let one = Instance::up(&server.settings()).await;
    let ahead = Signal { sent_at: 1 << 52, ..value(1) };
    let mut keep = redis::cmd("HSET");
    keep.arg(format!("{}:last", one.bus.0.names.topic(&topic())));
    keep.arg(ephemeral::field(&ahead.subject)).arg(ephemeral::signal(&ahead));
    keep.query_async::<()>(&mut server.connect().await).await.unwrap();
    assert_eq!(one.bus.last(&[topic()]).await.unwrap(), [ahead]);
    assert!(one.bus.outlet().signal(value(2), true).await);
    let newer = Signal { sent_at: (1 << 52) + 1, ..value(2) };
    assert_eq!(one.bus.last(&[topic()]).await.unwrap(), [newer]);
}
