//! Signals to a user and to the room of a topic.

use super::*;

#[test]
fn signals_to_a_user_reach_the_connections_that_want_any() {
    let hub = hub();
    let (mine, tab, other) = (join(&hub, "a"), join(&hub, "a"), join(&hub, "b"));
    tab.refuse_signals();
    hub.signal(signal(Address::User(key("a")), 1));
    hub.signal(signal(Address::User(key("nobody")), 2));
    assert!(is_rung(&mine) && !is_rung(&tab) && !is_rung(&other));
    assert_eq!((signalled(&mine), signalled(&tab), signalled(&other)), (vec![1], vec![], vec![]));
    drop((tab, other));
    let late = join(&hub, "b");
    hub.signal(signal(Address::User(key("b")), 3));
    assert_eq!(signalled(&late), [3]);
}

#[test]
fn a_connection_gets_no_signal_from_before_it_joined() {
    let hub = hub();
    let mine = join(&hub, "a");
    hub.signal(signal(Address::User(key("a")), 1));
    let late = join(&hub, "a");
    assert_eq!((signalled(&mine), signalled(&late)), (vec![1], vec![]));
}

#[tokio::test]
async fn a_large_room_is_rung_to_its_last_subscriber_behind_the_signal() {
    for (count, spread) in [(1, false), (128, false), (300, true)] {
        let hub = large_hub(300);
        hub.rooms().open_room(topic("team:1"));
        let members: Vec<_> = (0..count).map(|number| join(&hub, &format!("user{number}"))).collect();
        read_subscriptions(&hub, &[topic("team:1")]);
        hub.signal(to_topic("team:1", 1));
        assert_eq!(is_spread(&members), spread, "{count}");
        for membership in &members {
            membership.member().rung().await;
            assert_eq!(signalled(membership), [1]);
        }
    }
}

/// A signal of one subject, which passes at most once in so long.
fn paced(interval: Duration, sent_at: u64) -> Signal {
    Signal { interval, sent_at, ..signal(Address::User(key("a")), 0) }
}

#[tokio::test]
async fn a_signal_within_its_interval_is_held() {
    let hub = hub();
    let mine = join(&hub, "a");
    hub.signal(paced(Duration::from_hours(1), 1));
    hub.signal(paced(Duration::from_hours(1), 2));
    assert_eq!(signalled(&mine), [1]);
    assert!(hub.rooms().held().now_or_never().is_none(), "the interval has not ended");
    hub.rooms().close();
    hub.signal(paced(Duration::from_hours(1), 3));
    assert_eq!(signalled(&mine), [3], "closing the rooms forgets what is held");
}

#[tokio::test]
async fn the_newest_signal_of_an_interval_comes_at_its_end() {
    let (hub, stop) = (hub(), tokio_util::sync::CancellationToken::new());
    let mine = join(&hub, "a");
    let throttle = tokio::spawn(hub.clone().run_throttle(stop.clone()));
    // The throttle waits for a first interval before there is one.
    tokio::task::yield_now().await;
    (1..=3).for_each(|sent_at| hub.signal(paced(Duration::from_millis(20), sent_at)));
    let mut got = Vec::new();
    while got.last() != Some(&3) {
        mine.member().rung().await;
        got.extend(signalled(&mine));
    }
    assert!(got.is_sorted(), "{got:?}");
    stop.cancel();
    throttle.await.unwrap();
}

#[test]
fn dropped_and_missing_signals_are_counted_by_reason() {
    let recorder = PrometheusBuilder::new().build_recorder();
    ::metrics::with_local_recorder(&recorder, || {
        let hub = hub_with_room("team:1");
        let mine = join(&hub, "a");
        (1..=10).for_each(|value| hub.signal(signal(Address::User(key("a")), value)));
        assert_eq!(signalled(&mine), (3..=10).collect::<Vec<_>>());
        hub.deliver(announcement("a", 1..=1), Origin::Remote);
        hub.deliver(announcement("a", 3..=3), Origin::Remote);
        hub.deliver(announcement("a", 5..=5), Origin::Remote);
        hub.deliver(Announcement { frames: Vec::new(), ..announcement("a", 9..=9) }, Origin::Remote);
        hub.rooms().close();
        hub.signal(to_topic("team:1", 1));
    });
    let text = recorder.handle().render();
    for (name, labels, count) in [
        (metrics::SIGNALS_DROPPED, "{reason=\"slow\"}", 2),
        (metrics::SIGNALS_DROPPED, "{reason=\"doubt\"}", 1),
        (metrics::HOLES, "", 2),
    ] {
        let line = format!("{name}{labels} {count}");
        assert!(text.lines().any(|one| one == line), "{line} in\n{text}");
    }
}
