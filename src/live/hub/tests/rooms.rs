//! The topics of the users who are here.

use super::*;

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
