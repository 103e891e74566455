//! The hub over the bus of an instance that is alone: no socket, no database, no server.

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use chrono::Utc;
use futures_util::FutureExt as _;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::time::Instant;
use uuid::Uuid;

use super::{DRAIN_PACE, Feed, Full, Hub, Membership, Origin, Read, Transport};
use crate::{
    auth::Identity,
    bus::{Announcement, Bus, Joined, Left},
    config::StreamSettings,
    domain::{
        cursor::{Cursor, Epoch, Seq},
        signal::{self, Address, Signal, TopicKey},
        user::UserKey,
    },
    frame::{Blocks, EndReason, Frame, Subject},
    metrics,
};

fn settings() -> StreamSettings {
    StreamSettings {
        takeover: false,
        heartbeat: Duration::from_hours(1),
        max_lifetime: Duration::from_hours(24),
        per_user: 2,
        per_instance: 3,
        max_replay: 1_000,
        page_rows: 10,
        ring_frames: 4,
        ring_bytes: 1_000,
        signal_ring: 8,
        write_stall: Duration::from_mins(1),
        messages_per_second: 20,
        retry: Duration::from_secs(2),
        head_check: Duration::from_secs(10),
    }
}

fn hub_of(settings: StreamSettings) -> Hub {
    Hub::new(Bus::local(Arc::new(|_| {})), settings)
}

fn hub() -> Hub {
    hub_of(settings())
}

fn large_hub(most: usize) -> Hub {
    hub_of(StreamSettings { per_user: most, per_instance: most, ..settings() })
}

fn key(user: &str) -> UserKey {
    UserKey { tenant: "t".parse().unwrap(), user: user.parse().unwrap() }
}

fn identity(user: &str) -> Identity {
    Identity {
        key: key(user),
        publish: false,
        admin: false,
        expires_at: Utc::now() + Duration::from_hours(1),
        issued_at: None,
        token_id: None,
        topics: Vec::new(),
    }
}

fn join(hub: &Hub, user: &str) -> Membership {
    hub.join(identity(user), Transport::Sse).unwrap()
}

fn epoch() -> Epoch {
    Epoch::from("e".to_owned())
}

fn announcement(user: &str, seqs: RangeInclusive<Seq>) -> Announcement {
    let cursor = |seq| Cursor { epoch: epoch(), seq };
    let frame = |seq| Frame { seq, subject: Subject::State, blocks: Blocks::of_cursor(&cursor(seq)) };
    Announcement::new(key(user), cursor(*seqs.end()), seqs.map(frame).collect())
}

/// Whether the member was rung since this was asked last.
fn is_rung(membership: &Membership) -> bool {
    membership.member().rung().now_or_never().is_some()
}

fn topic(name: &str) -> TopicKey {
    TopicKey { tenant: "t".parse().unwrap(), topic: name.parse().unwrap() }
}

fn signal(to: Address, value: u64) -> Signal {
    let subject = signal::Subject { to, kind: "k".into(), key: value.to_string().into() };
    Signal { subject, interval: Duration::ZERO, sent_at: value, bytes: value.to_string().into() }
}

fn to_topic(name: &str, value: u64) -> Signal {
    signal(Address::Topic(topic(name)), value)
}

/// The values of the signals that the member has not got.
fn signalled(membership: &Membership) -> Vec<u64> {
    membership.take_signals(1_000).into_iter().flatten().map(|signal| signal.sent_at).collect()
}

/// Reads the subscriptions of all users who are marked dirty: each is subscribed to these topics.
fn read_subscriptions(hub: &Hub, topics: &[TopicKey]) {
    for key in hub.rooms().take(usize::MAX) {
        hub.join_rooms(&key, topics);
    }
    hub.rooms().notify_taken_in();
}

fn hub_with_room(name: &str) -> Hub {
    let hub = hub();
    hub.rooms().open_room(topic(name));
    hub
}

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

/// Whether a ring of a feed or room of so many continues behind the call.
fn is_spread(members: &[Membership]) -> bool {
    let rung = members.iter().filter(|membership| membership.member().is_unheard()).count();
    assert!(rung == 0 || rung == members.len());
    rung == 0
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
fn users_who_come_and_go_are_counted_again() {
    let hub = hub();
    let (first, second) = (join(&hub, "a"), join(&hub, "b"));
    assert_eq!(hub.rooms().take_changed(0), []);
    let mut changed = hub.rooms().take_changed(1);
    assert_eq!(changed.len(), 1, "no more are taken than were asked for");
    changed.extend(hub.rooms().take_changed(9));
    changed.sort();
    assert_eq!(changed, [key("a"), key("b")]);
    assert_eq!(hub.rooms().take_changed(9), [], "each is taken once");
    hub.rooms().note_changed(vec![key("a")]);
    assert_eq!(hub.rooms().take_changed(9), [key("a")]);
    drop((first, second));
    assert_eq!(hub.rooms().take_changed(9).len(), 2);
}

#[test]
fn only_the_first_connection_and_the_last_make_a_user_wait() {
    let hub = hub();
    assert!(hub.rooms().dirty().now_or_never().is_none());
    let first = join(&hub, "a");
    assert!(hub.rooms().dirty().now_or_never().is_some());
    assert_eq!(hub.rooms().take(9), [key("a")]);
    hub.join_rooms(&key("a"), &[]);
    let second = join(&hub, "a");
    drop(first);
    assert!(hub.rooms().take(9).is_empty() && hub.rooms().dirty().now_or_never().is_none());
    drop(second);
    assert!(hub.rooms().dirty().now_or_never().is_some());
    assert_eq!(hub.rooms().take(9), [key("a")]);
}

#[test]
fn an_announced_change_of_a_subscription_has_it_read_again() {
    let hub = hub();
    let _mine = join(&hub, "a");
    read_subscriptions(&hub, &[]);
    assert!(hub.rooms().dirty().now_or_never().is_some());
    hub.deliver(announcement("a", 1..=1), Origin::Remote);
    assert!(hub.rooms().take(9).is_empty(), "this one is about no subscription");
    let joined = Joined { topic: "team:1".parse().unwrap(), subscribed: true };
    hub.deliver(Announcement { subscription: Some(joined), ..announcement("a", 2..=2) }, Origin::Remote);
    assert!(hub.rooms().dirty().now_or_never().is_some());
    assert_eq!(hub.rooms().take(9), [key("a")]);
}

#[test]
fn users_who_wait_are_taken_in_parts_and_can_be_given_back() {
    let hub = hub();
    let (_a, _b) = (join(&hub, "a"), join(&hub, "b"));
    let taken = hub.rooms().take(1);
    assert_eq!(taken.len(), 1);
    hub.rooms().give_back(taken);
    let mut both = hub.rooms().take(9);
    both.sort();
    assert_eq!(both, [key("a"), key("b")]);
    assert!(hub.rooms().take(9).is_empty());
}

#[tokio::test]
async fn a_connection_knows_its_topics_when_its_subscriptions_were_read() {
    let hub = hub_with_room("team:1");
    let mine = join(&hub, "a");
    assert!(mine.topics().now_or_never().is_none(), "the user waits");
    let taken = hub.rooms().take(9);
    assert!(mine.topics().now_or_never().is_none(), "the subscriptions are being read");
    hub.join_rooms(&taken[0], &[topic("team:1")]);
    assert_eq!(mine.topics().await, [topic("team:1")]);
    assert_eq!(hub.rooms().topics_of(&key("b")), []);
    hub.rooms().mark_dirty(&key("a"));
    let waits = tokio::spawn(async move { mine.topics().await });
    // The task waits for the end of a read before there is one.
    tokio::task::yield_now().await;
    read_subscriptions(&hub, &[]);
    assert_eq!(waits.await.unwrap(), []);
}

#[test]
fn a_topic_without_a_room_is_read_again_when_it_has_one() {
    let hub = hub();
    let mine = join(&hub, "a");
    let topics = [topic("team:1"), topic("team:2")];
    hub.rooms().open_room(topic("team:1"));
    assert_eq!(hub.rooms().unknown(topics.iter().chain(&topics)), [topic("team:2")]);
    assert!(hub.rooms().dirty().now_or_never().is_some());
    read_subscriptions(&hub, &topics);
    assert!(hub.rooms().dirty().now_or_never().is_some(), "the user waits for the other room");
    assert_eq!(hub.rooms().topics_of(&key("a")), [topic("team:1")]);
    hub.rooms().open_room(topic("team:2"));
    read_subscriptions(&hub, &topics);
    assert_eq!(hub.rooms().topics_of(&key("a")), topics);
    assert!(hub.rooms().take(9).is_empty() && hub.rooms().dirty().now_or_never().is_none());
    hub.signal(to_topic("team:2", 7));
    assert_eq!(signalled(&mine), [7]);
}

#[test]
fn an_answer_that_was_read_before_a_change_is_not_taken_in() {
    let hub = hub_with_room("team:1");
    let _mine = join(&hub, "a");
    let taken = hub.rooms().take(9);
    hub.rooms().mark_dirty(&key("a"));
    hub.join_rooms(&taken[0], &[topic("team:1")]);
    assert_eq!(hub.rooms().topics_of(&key("a")), []);
    assert_eq!(hub.rooms().take(9), [key("a")], "the user is read again");
}

#[test]
fn signals_to_a_topic_reach_its_subscribers_here() {
    let hub = hub_with_room("team:1");
    let (mine, tab) = (join(&hub, "a"), join(&hub, "a"));
    hub.rooms().take(9);
    hub.join_rooms(&key("a"), &[topic("team:1")]);
    let other = join(&hub, "b");
    hub.rooms().take(9);
    hub.join_rooms(&key("b"), &[]);
    assert!(!is_rung(&mine));
    hub.signal(to_topic("team:1", 1));
    hub.signal(to_topic("team:9", 2));
    assert!(is_rung(&mine) && is_rung(&tab) && !is_rung(&other));
    assert_eq!((signalled(&mine), signalled(&tab), signalled(&other)), (vec![1], vec![1], vec![]));
    assert!(signalled(&mine).is_empty(), "each signal comes once");
}

#[test]
fn a_user_who_is_read_again_is_in_the_rooms_of_the_newest_answer_only() {
    let hub = hub_with_room("team:1");
    hub.rooms().open_room(topic("team:2"));
    let mine = join(&hub, "a");
    read_subscriptions(&hub, &[topic("team:1")]);
    hub.rooms().mark_dirty(&key("a"));
    read_subscriptions(&hub, &[topic("team:2")]);
    hub.signal(to_topic("team:1", 1));
    hub.signal(to_topic("team:2", 2));
    assert_eq!(signalled(&mine), [2]);
    hub.rooms().mark_dirty(&key("a"));
    read_subscriptions(&hub, &[topic("team:2")]);
    hub.signal(to_topic("team:2", 3));
    assert_eq!(signalled(&mine), [3], "the same answer again changes nothing");
}

#[test]
fn a_user_who_left_and_came_back_gets_signals_on_the_new_connection() {
    let hub = hub_with_room("team:1");
    drop(join(&hub, "a"));
    let before = join(&hub, "a");
    read_subscriptions(&hub, &[topic("team:1")]);
    drop(before);
    let mine = join(&hub, "a");
    read_subscriptions(&hub, &[topic("team:1")]);
    hub.signal(to_topic("team:1", 4));
    assert_eq!(signalled(&mine), [4]);
}

#[test]
fn a_user_who_lost_a_topic_gets_no_later_signal_and_is_read_again() {
    let hub = hub_with_room("team:1");
    let (mine, other) = (join(&hub, "a"), join(&hub, "b"));
    read_subscriptions(&hub, &[topic("team:1")]);
    assert!(hub.rooms().dirty().now_or_never().is_some());
    let gone = "gone".parse().unwrap();
    hub.leave_room(&Left { topic: topic("team:1"), users: vec![key("a").user, gone] });
    hub.signal(to_topic("team:1", 1));
    assert_eq!((signalled(&mine), signalled(&other)), (vec![], vec![1]));
    assert_eq!(hub.rooms().topics_of(&key("a")), []);
    assert!(hub.rooms().dirty().now_or_never().is_some());
    assert_eq!(hub.rooms().take(9), [key("a")], "only users of this instance are");
}

#[test]
fn nothing_passes_while_the_rooms_are_closed() {
    let hub = hub_with_room("team:1");
    let mine = join(&hub, "a");
    read_subscriptions(&hub, &[topic("team:1")]);
    assert!(hub.rooms().is_open() && hub.rooms().dirty().now_or_never().is_some());
    hub.rooms().close();
    hub.signal(to_topic("team:1", 1));
    assert!(!hub.rooms().is_open() && signalled(&mine).is_empty());
    hub.reopen_rooms();
    hub.signal(to_topic("team:1", 2));
    assert!(hub.rooms().is_open() && signalled(&mine).is_empty(), "the rooms are empty at first");
    assert!(hub.rooms().dirty().now_or_never().is_some());
    read_subscriptions(&hub, &[topic("team:1")]);
    hub.signal(to_topic("team:1", 3));
    assert_eq!(signalled(&mine), [3]);
}

#[test]
fn rooms_without_subscribers_are_removed_when_no_user_is_dirty() {
    let hub = hub_with_room("team:1");
    hub.rooms().open_room(topic("team:2"));
    let mine = join(&hub, "a");
    assert_eq!(hub.rooms().reap(), [], "a user waits");
    let taken = hub.rooms().take(9);
    assert_eq!(hub.rooms().reap(), [], "a user's subscriptions are being read");
    hub.join_rooms(&taken[0], &[topic("team:1")]);
    assert_eq!(hub.rooms().reap(), [topic("team:2")]);
    drop(mine);
    read_subscriptions(&hub, &[topic("team:1")]);
    assert_eq!(hub.rooms().reap(), [topic("team:1")]);
}

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
