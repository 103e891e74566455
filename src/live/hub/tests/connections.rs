//! Connections that join, are rung, and end.

use super::*;

#[test]
fn a_user_and_an_instance_have_as_many_connections_as_they_may() {
    let hub = hub();
    let first = join(&hub, "a");
    let second = join(&hub, "a");
    assert_eq!(hub.join(identity("a"), Transport::Sse).err(), Some(Full::User));
    assert_eq!((hub.connections(), hub.connections_of(&key("a"))), (2, 2), "a refused connection is not counted");
    let third = join(&hub, "b");
    assert_eq!(hub.join(identity("c"), Transport::WebSocket).err(), Some(Full::Instance));
    assert_eq!(hub.connections(), 3);
    drop(second);
    let again = hub.join(identity("c"), Transport::WebSocket);
    assert!(again.is_ok(), "a connection that ends makes room");
    assert_eq!((hub.connections(), hub.connections_of(&key("a")), hub.connections_of(&key("x"))), (3, 1, 0));
    drop((first, third, again));
    assert_eq!(hub.connections(), 0);
}

#[test]
fn a_user_is_here_from_the_first_connection_to_the_last() {
    let hub = hub();
    assert!(!hub.has(&key("a")) && hub.users().is_empty());
    let (first, second) = (join(&hub, "a"), join(&hub, "a"));
    assert_ne!(first.member().id(), second.member().id());
    assert_eq!((hub.users(), hub.has(&key("a")), hub.has(&key("b"))), (vec![key("a")], true, false));
    drop(first);
    assert!(hub.has(&key("a")), "one connection is left");
    drop(second);
    assert!(!hub.has(&key("a")) && hub.users().is_empty());
}

#[test]
fn an_announcement_rings_the_connections_of_its_user_only_once() {
    let hub = hub();
    let (mine, other) = (join(&hub, "a"), join(&hub, "b"));
    assert!(!is_rung(&mine));
    hub.deliver(announcement("a", 1..=1), Origin::Local);
    assert!(mine.member().is_unheard());
    assert!(is_rung(&mine) && !is_rung(&other));
    assert!(!mine.member().is_unheard(), "a ring is heard once");
    hub.deliver(announcement("a", 1..=1), Origin::Remote);
    assert!(!is_rung(&mine), "a repeated announcement is no news");
    hub.deliver(announcement("nobody", 1..=1), Origin::Remote);
    mine.feed().check();
}

#[test]
fn a_head_is_news_until_it_was_reached() {
    let hub = hub();
    let mine = join(&hub, "a");
    assert!(!hub.is_behind(&key("a"), &epoch(), 5), "where the stream stands is not known yet");
    assert!(hub.reached(&key("a"), &epoch(), 5) && is_rung(&mine));
    assert!(!hub.reached(&key("a"), &epoch(), 5) && !hub.reached(&key("a"), &epoch(), 4) && !is_rung(&mine));
    assert!(hub.is_behind(&key("a"), &epoch(), 6) && !hub.is_behind(&key("a"), &epoch(), 5));
    assert!(hub.is_behind(&key("a"), &Epoch::from("other".to_owned()), 1));
    assert!(!hub.is_behind(&key("b"), &epoch(), 6) && !hub.reached(&key("b"), &epoch(), 6));
    assert!(matches!(mine.feed().read(&epoch(), 4, 1_000), Read::Behind), "what was reached is in the log only");
}

#[test]
fn connections_that_an_order_concerns_end_and_keep_their_first_reason() {
    let hub = hub();
    let (mine, other) = (join(&hub, "a"), join(&hub, "b"));
    assert_eq!(hub.end(EndReason::Revoked, |identity| identity.key == key("a")), 1);
    assert!(is_rung(&mine) && !is_rung(&other));
    assert_eq!(hub.end(EndReason::Draining, |_| true), 2);
    assert_eq!(
        (mine.member().limits().1, other.member().limits().1),
        (Some(EndReason::Revoked), Some(EndReason::Draining))
    );
}

#[test]
fn a_fresh_token_extends_the_connection_that_it_names() {
    let hub = hub();
    let (mine, tab) = (join(&hub, "a"), join(&hub, "a"));
    let fresh = Identity { expires_at: Utc::now() + Duration::from_hours(9), ..identity("a") };
    assert!(!hub.extend(Uuid::nil(), &fresh) && !hub.extend(mine.member().id(), &identity("b")));
    assert!(hub.extend(mine.member().id(), &fresh) && is_rung(&mine));
    assert_eq!((mine.member().identity(), mine.member().limits().0), (fresh.clone(), fresh.expires_at));
    assert_ne!(tab.member().identity(), fresh);
}

#[tokio::test]
async fn a_drain_without_time_ends_all_streams_at_once() {
    let hub = large_hub(2 * DRAIN_PACE);
    let members: Vec<_> = (0..2 * DRAIN_PACE).map(|_| join(&hub, "a")).collect();
    assert!(hub.drain(Duration::ZERO).now_or_never().is_none(), "a drain pauses after each step");
    assert!(members.iter().all(|membership| membership.member().limits().1 == Some(EndReason::Draining)));
}

#[tokio::test]
async fn a_drain_with_time_ends_a_part_of_the_connections_in_each_step() {
    for (connections, first) in
        [(DRAIN_PACE, DRAIN_PACE), (DRAIN_PACE + 2, DRAIN_PACE / 2 + 1), (3 * DRAIN_PACE, DRAIN_PACE)]
    {
        let hub = large_hub(connections);
        let members: Vec<_> = (0..connections).map(|_| join(&hub, "a")).collect();
        assert!(hub.drain(Duration::from_hours(1)).now_or_never().is_none());
        let ended = members.iter().filter(|membership| membership.member().limits().1.is_some()).count();
        assert_eq!(ended, first, "of {connections}");
    }
}

#[tokio::test]
async fn a_hub_is_empty_when_the_last_connection_has_left() {
    let hub = hub();
    assert!(hub.empty().now_or_never().is_some());
    let mine = join(&hub, "a");
    assert!(hub.empty().now_or_never().is_none());
    drop(mine);
    assert!(hub.empty().now_or_never().is_some());
}

#[tokio::test]
async fn a_drain_ends_the_connections_of_every_step() {
    let hub = large_hub(DRAIN_PACE + 2);
    let members: Vec<_> = (0..DRAIN_PACE + 2).map(|_| join(&hub, "a")).collect();
    hub.drain(Duration::from_hours(1)).await;
    assert!(members.iter().all(|membership| membership.member().limits().1 == Some(EndReason::Draining)));
}

#[tokio::test]
async fn the_wheel_rings_a_member_whose_time_has_come() {
    let (hub, stop) = (hub(), tokio_util::sync::CancellationToken::new());
    let mine = join(&hub, "a");
    mine.wake_at(Instant::now());
    let wheel = tokio::spawn(hub.clone().run_wheel(stop.clone()));
    mine.member().rung().await;
    stop.cancel();
    wheel.await.unwrap();
}

#[tokio::test]
async fn a_large_feed_is_rung_to_its_last_member_behind_the_announcement() {
    for (count, spread) in [(1, false), (128, false), (300, true)] {
        let hub = large_hub(300);
        let members: Vec<_> = (0..count).map(|_| join(&hub, "a")).collect();
        hub.deliver(announcement("a", 1..=1), Origin::Local);
        assert_eq!(is_spread(&members), spread, "{count}");
        for membership in &members {
            membership.member().rung().await;
        }
    }
}

#[test]
fn a_connection_waits_until_the_bus_has_subscribed_its_user() {
    let hub = hub();
    let mut mine = join(&hub, "a");
    assert!(mine.subscribed().now_or_never().is_some());
    mine.feed = Arc::new(Feed::new(key("a"), std::future::pending().boxed().shared(), 4, 1_000));
    assert!(mine.subscribed().now_or_never().is_none());
}

#[test]
fn connections_are_measured_by_transport_and_rooms_as_they_come_and_go() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let has = |line: String| {
        let text = recorder.handle().render();
        assert!(text.lines().any(|one| one == line), "{line} in\n{text}");
    };
    ::metrics::with_local_recorder(&recorder, || {
        let hub = hub_with_room("team:1");
        hub.rooms().open_room(topic("team:2"));
        let (_sse, _tab) = (join(&hub, "a"), join(&hub, "a"));
        let socket = hub.join(identity("b"), Transport::WebSocket).unwrap();
        has(format!("{}{{transport=\"sse\"}} 2", metrics::CONNECTIONS));
        has(format!("{}{{transport=\"websocket\"}} 1", metrics::CONNECTIONS));
        has(format!("{} 2", metrics::ROOMS));
        drop(socket);
        read_subscriptions(&hub, &[topic("team:1")]);
        assert_eq!(hub.rooms().reap(), [topic("team:2")]);
        has(format!("{}{{transport=\"websocket\"}} 0", metrics::CONNECTIONS));
        has(format!("{} 1", metrics::ROOMS));
    });
}

#[test]
fn connections_count_for_the_share_from_the_first_one_on() {
    let hub = hub();
    assert_eq!(hub.counted(), None);
    let first = join(&hub, "a");
    assert_eq!(hub.counted(), Some(1));
    drop(first);
    assert_eq!(hub.counted(), Some(0));
}

#[test]
fn connections_are_ended_early_until_it_is_in_vain() {
    let settings = StreamSettings { max_lifetime: Duration::ZERO, per_user: 100, per_instance: 100, ..settings() };
    let hub = hub_of(settings);
    let members: Vec<_> = (0..100).map(|_| join(&hub, "a")).collect();
    let ended = || members.iter().filter(|each| each.member().limits().1 == Some(EndReason::Rotated)).count();
    let share = Share { instances: 2, streams: 100 };
    hub.even_out(share, 100);
    assert_eq!(ended(), 2);
    for _ in 0..20 {
        hub.even_out(share, 100);
    }
    // Nine steps: five, and the four seconds in which a client comes back.
    assert_eq!(ended(), 18);
    hub.even_out(Share { instances: 3, ..share }, 100);
    assert!(ended() > 18, "another instance has come");
}

#[test]
fn a_young_connection_is_not_ended_early() {
    let hub = large_hub(100);
    let members: Vec<_> = (0..100).map(|_| join(&hub, "a")).collect();
    hub.even_out(Share { instances: 2, streams: 100 }, 100);
    assert!(members.iter().all(|each| each.member().limits().1.is_none()));
    assert_eq!(youth(Duration::from_mins(12)), Duration::from_mins(1));
    assert_eq!(youth(Duration::from_hours(24)), Duration::from_mins(5));
}
