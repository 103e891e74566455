//! The actions of a connection without changes: heartbeats, the end of tokens and lives, orders, signals, and the start.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::Value;
use tokio::time::Instant;

use super::{hub, key, model::Log};
use crate::{
    auth::Identity,
    domain::{
        cursor::{Cursor, Seq},
        priority::Priority,
        signal::{Address, Signal, Subject, TopicKey},
    },
    frame::{self, EndReason, HEARTBEAT, ResetReason, Verdict},
    live::{
        connection::{
            Asked, Chunk, Connection, Filter, NotNow, Piece, Step, jittered, last_values::LastValues, verdict::Start,
        },
        hub::{Full, Hub, Transport},
    },
    metrics,
    store::{Page, Position, Unavailable},
};

fn identity(expires_at: DateTime<Utc>) -> Identity {
    Identity {
        key: key(),
        publish: false,
        admin: false,
        expires_at,
        issued_at: None,
        token_id: None,
        topics: Vec::new(),
    }
}

fn begin(hub: &Hub, log: &Log, asked: &Asked, lasts: Duration, filter: Filter) -> Connection {
    let membership = hub.join(identity(Utc::now() + lasts), Transport::Sse).unwrap();
    let page = log.page(&asked.ask(&key(), 10));
    Connection::at(membership, asked, Arc::new(page), filter)
}

/// A connection to an empty log whose token lasts so long, and whose hello was sent.
fn greeted(hub: &Hub, lasts: Duration) -> Connection {
    filtered(hub, lasts, Filter::default())
}

fn filtered(hub: &Hub, lasts: Duration, filter: Filter) -> Connection {
    let mut connection = begin(hub, &Log::new(0), &Asked::Nothing, lasts, filter);
    assert_eq!(events(connection.step()), ["hello"]);
    connection
}

fn sent(step: Step) -> Chunk {
    match step {
        Step::Send(chunk) => chunk,
        other => panic!("not sent: {other:?}"),
    }
}

fn blocks(chunk: &Chunk) -> Vec<(String, Value)> {
    let blocks = chunk.iter().flat_map(Piece::blocks);
    let events =
        blocks.filter_map(|block| Some((block.event?.as_str().to_owned(), serde_json::from_str(block.data).unwrap())));
    events.collect()
}

fn events(step: Step) -> Vec<String> {
    blocks(&sent(step)).into_iter().map(|(event, _)| event).collect()
}

const LONG: Duration = Duration::from_hours(2);

#[test]
fn a_quiet_stream_gets_a_heartbeat_when_one_is_due_and_waits_again() {
    let hub = hub(4, 4);
    let mut connection = greeted(&hub, LONG);
    assert!(matches!(connection.step(), Step::Wait));
    connection.next_heartbeat = Instant::now();
    let chunk = sent(connection.step());
    assert_eq!(chunk.iter().map(Piece::text).collect::<Vec<_>>(), [HEARTBEAT]);
    assert!(matches!(connection.step(), Step::Wait), "the next one is an hour away");
    assert!(connection.next_heartbeat > Instant::now() + Duration::from_mins(50));
}

#[test]
fn streams_that_open_together_do_not_beat_or_end_together() {
    let hub = hub(4, 4);
    for _ in 0..20 {
        let now = Instant::now();
        let connection = begin(&hub, &Log::new(0), &Asked::Nothing, LONG, Filter::default());
        let (beats, ends) = (connection.next_heartbeat - now, connection.rotates_at - now);
        assert!(beats >= Duration::from_mins(30) && beats < Duration::from_mins(61), "{beats:?}");
        assert!(ends >= Duration::from_hours(18) && ends < Duration::from_hours(25), "{ends:?}");
        let retry = jittered(Duration::from_secs(10));
        assert!(retry >= Duration::from_secs(10) && retry <= Duration::from_secs(20), "{retry:?}");
    }
}

#[test]
fn a_stream_ends_once_and_names_the_most_urgent_reason() {
    let hub = hub(4, 4);
    let mut connection = greeted(&hub, LONG);
    connection.rotates_at = Instant::now();
    assert_eq!(connection.end_reason(), None);
    let bye = blocks(&sent(connection.step()));
    assert_eq!((bye[0].0.as_str(), &bye[0].1["reason"]), ("bye", &"rotated".into()));
    assert!(bye[0].1["retryMs"].as_u64().is_some_and(|retry| (2_000..=4_000).contains(&retry)));
    assert!(matches!(connection.step(), Step::End));
    assert_eq!(connection.end_reason(), Some(EndReason::Rotated));

    let mut expired = begin(&hub, &Log::new(0), &Asked::Nothing, Duration::ZERO, Filter::default());
    expired.rotates_at = Instant::now();
    assert_eq!(blocks(&sent(expired.step()))[0].1["reason"], "expired", "instead of a hello");

    let mut ordered = begin(&hub, &Log::new(0), &Asked::Nothing, Duration::ZERO, Filter::default());
    hub.end(EndReason::Revoked, |_| true);
    assert_eq!(blocks(&sent(ordered.step()))[0].1["reason"], "revoked");
}

#[test]
fn a_client_is_warned_of_the_end_of_each_token_once() {
    let hub = hub(4, 4);
    let mut connection = greeted(&hub, Duration::from_secs(50));
    let warning = blocks(&sent(connection.step()));
    assert_eq!(warning[0].0, "expiring");
    assert!(warning[0].1["expiresInMs"].as_u64().is_some_and(|left| left > 0 && left <= 50_000));
    assert!(matches!(connection.step(), Step::Wait), "one warning is enough");
    let (id, fresh) = (connection.member().id(), identity(Utc::now() + Duration::from_secs(55)));
    assert!(hub.extend(id, &fresh));
    assert_eq!(events(connection.step()), ["expiring"], "the fresh token ends soon, too");
    assert!(hub.extend(id, &identity(Utc::now() + LONG)));
    assert!(matches!(connection.step(), Step::Wait));
}

#[test]
fn the_wheel_is_asked_for_the_first_thing_that_is_due() {
    let hub = hub(4, 4);
    let waits = |connection: &mut Connection| {
        assert!(matches!(connection.step(), Step::Wait));
        connection.wakes_at.unwrap()
    };
    let mut connection = greeted(&hub, Duration::from_hours(48));
    assert_eq!(waits(&mut connection), connection.next_heartbeat);
    connection.rotates_at = Instant::now() + Duration::from_mins(10);
    assert_eq!(waits(&mut connection), connection.rotates_at, "what is due sooner is asked for");
    connection.backfill_from = Instant::now() + Duration::from_mins(5);
    assert_eq!(waits(&mut connection), connection.backfill_from);
    let asked = connection.wakes_at;
    connection.backfill_from = Instant::now() + Duration::from_mins(7);
    assert_eq!((waits(&mut connection), connection.wakes_at), (asked.unwrap(), asked), "a ring too soon does no harm");
    connection.wakes_at = Some(Instant::now());
    assert_eq!(waits(&mut connection), connection.backfill_from, "what has rung is asked for anew");

    let now = Instant::now();
    let mut ends_soon = greeted(&hub, Duration::from_mins(10));
    let notice = waits(&mut ends_soon) - now;
    assert!(notice > Duration::from_mins(8) && notice < Duration::from_mins(10), "a notice goes before the end");
}

#[test]
fn a_warned_client_is_woken_at_the_end_of_its_token() {
    let hub = hub(4, 4);
    let now = Instant::now();
    let mut connection = greeted(&hub, Duration::from_secs(59));
    assert_eq!(events(connection.step()), ["expiring"]);
    assert!(matches!(connection.step(), Step::Wait));
    assert!(connection.wakes_at.unwrap() > now + Duration::from_secs(30));
}

#[test]
fn a_page_that_was_read_ahead_is_dropped_when_the_transport_takes_no_more() {
    let (hub, mut log) = (hub(4, 4), Log::new(0));
    log.publish(true);
    let mut connection = begin(&hub, &log, &Asked::NewestAfter(0), LONG, Filter::default());
    connection.pause();
    assert_eq!(events(connection.step()), ["hello"]);
    let Step::Fetch(ask) = connection.step() else { panic!("the log is asked again") };
    assert_eq!((ask.key, ask.after, ask.max_rows), (key(), Position::after(0), 4));
}

/// The last value of a subject that one of the user's topics has.
fn value(kind: &str, sent_at: u64) -> Signal {
    let subject = Subject { to: Address::User(key()), kind: kind.into(), key: "k".into() };
    let text = frame::signal(None, kind, "k", &sent_at.to_string());
    Signal { subject, interval: Duration::ZERO, sent_at, bytes: text.into() }
}

fn values(step: Step) -> Vec<(String, u64)> {
    let events = blocks(&sent(step)).into_iter();
    events.map(|(_, data)| (data["kind"].as_str().unwrap().to_owned(), data["data"].as_u64().unwrap())).collect()
}

#[test]
fn signals_come_after_everything_else_and_pass_the_filter() {
    let hub = hub(4, 4);
    let only = Filter { kinds: Some(vec!["wanted".to_owned()]), min_priority: None };
    let (mut all, mut some) = (greeted(&hub, LONG), filtered(&hub, LONG, only));
    [("wanted", 1), ("other", 2)].into_iter().for_each(|(kind, sent_at)| hub.signal(value(kind, sent_at)));
    assert_eq!(values(all.step()), [("wanted".to_owned(), 1), ("other".to_owned(), 2)]);
    assert_eq!(values(some.step()), [("wanted".to_owned(), 1)]);
    hub.signal(value("other", 3));
    assert!(matches!(some.step(), Step::Wait), "nothing of it is wanted");
    assert_eq!(values(all.step()), [("other".to_owned(), 3)]);
}

#[test]
fn last_values_come_once_and_older_signals_of_their_subjects_never() {
    let hub = hub(4, 4);
    let only = Filter { kinds: Some(vec!["wanted".to_owned(), "new".to_owned()]), min_priority: None };
    let mut connection = filtered(&hub, LONG, only);
    connection.send_last_values(vec![value("wanted", 5), value("other", 5)]);
    assert_eq!(values(connection.step()), [("wanted".to_owned(), 5)]);
    [value("wanted", 5), value("new", 1), value("wanted", 4)].into_iter().for_each(|signal| hub.signal(signal));
    assert_eq!(values(connection.step()), [("new".to_owned(), 1)]);
    hub.signal(value("wanted", 6));
    assert_eq!(values(connection.step()), [("wanted".to_owned(), 6)]);
    connection.send_last_values(vec![value("other", 9)]);
    assert!(connection.last_values.is_none(), "there are no values");
}

#[test]
fn last_values_are_kept_until_no_older_signal_can_come() {
    let hub = hub(4, 4);
    let before = Instant::now();
    let mut last = LastValues::of([value("k", 1)].into_iter()).unwrap();
    let over = Instant::now() + Duration::from_mins(1);
    assert!(!last.are_over(over), "the values are not sent yet");
    assert_eq!(last.take().unwrap().len(), 1);
    assert!(last.take().is_none());
    assert!(last.are_over(over) && !last.are_over(before));

    let mut connection = greeted(&hub, LONG);
    connection.send_last_values(vec![value("k", 1)]);
    assert_eq!(values(connection.step()), [("k".to_owned(), 1)]);
    connection.next_heartbeat = Instant::now();
    assert_eq!(events(connection.step()), ["heartbeat"]);
    assert!(connection.last_values.is_some(), "an older signal may be under way");
}

#[test]
fn a_filter_passes_its_kinds_its_priorities_and_every_change_of_state() {
    let notification = |kind: &str, priority| frame::Subject::Notification { kind: kind.into(), priority };
    let filter = Filter { kinds: Some(vec!["a".to_owned(), "b".to_owned()]), min_priority: Some(Priority::High) };
    for (subject, passes) in [
        (notification("a", Priority::High), true),
        (notification("b", Priority::Critical), true),
        (notification("a", Priority::Medium), false),
        (notification("c", Priority::Critical), false),
        (frame::Subject::State, true),
    ] {
        assert_eq!(filter.passes(&subject), passes, "{subject:?}");
        assert!(Filter::default().passes(&subject));
    }
    assert!(filter.passes_signal("a") && !filter.passes_signal("c") && Filter::default().passes_signal("c"));
}

fn page(head: Seq, pruned: Seq) -> Page {
    let (epoch, end) = ("e".to_owned().into(), Position::after(head));
    Page { epoch, head, pruned, unread: 3, rows: Vec::new(), end, time: DateTime::UNIX_EPOCH }
}

fn after(epoch: &str, seq: Seq) -> Asked {
    Asked::After(Cursor { epoch: epoch.to_owned().into(), seq })
}

#[test]
fn a_cursor_is_resumed_when_all_that_follows_it_can_be_sent() {
    use Verdict::{Fresh, Reset, Resumed};
    let start = |asked: &Asked| {
        let Start { verdict, reason, from, cursor } = Start::of(asked, &page(20, 5), 10);
        (verdict, reason, from, cursor)
    };
    assert_eq!(start(&Asked::Nothing), (Fresh, None, 20, 20));
    assert_eq!(start(&Asked::NewestAfter(15)), (Fresh, None, 15, 15));
    assert_eq!(start(&Asked::NewestAfter(25)), (Fresh, None, 20, 20));
    assert_eq!(start(&Asked::Malformed), (Reset, Some(ResetReason::Invalid), 20, 20));
    assert_eq!(start(&after("other", 20)), (Reset, Some(ResetReason::Epoch), 20, 20));
    assert_eq!(start(&after("e", 21)), (Reset, Some(ResetReason::Invalid), 20, 20));
    assert_eq!(start(&after("e", 4)), (Reset, Some(ResetReason::Pruned), 20, 20));
    assert_eq!(start(&after("e", 9)), (Reset, Some(ResetReason::TooFar), 20, 20));
    assert_eq!(start(&after("e", 10)), (Resumed, None, 10, 20));
    assert_eq!(start(&after("e", 20)), (Resumed, None, 20, 20));
    assert_eq!(Start::of(&after("e", 5), &page(20, 5), 100).verdict, Resumed, "what follows the pruned part is whole");
}

#[test]
fn the_log_is_asked_for_rows_only_where_some_may_follow() {
    let ask = |asked: Asked| {
        let ask = asked.ask(&key(), 7);
        assert_eq!(ask.key, key());
        (ask.after, ask.max_rows)
    };
    assert_eq!(ask(after("e", 3)), (Position::after(3), 7));
    assert_eq!(ask(Asked::NewestAfter(4)), (Position::after(4), 7));
    assert_eq!(ask(Asked::Nothing), (Position::after(Seq::MAX), 0));
    assert_eq!(ask(Asked::Malformed), (Position::after(Seq::MAX), 0));
}

#[test]
fn a_hello_counts_missed_changes_only_when_they_follow() {
    let (hub, mut log) = (hub(4, 4), Log::new(0));
    (0..3).for_each(|_| log.publish(true));
    for (asked, verdict, missed) in
        [(after("life0", 1), "resumed", 2), (Asked::NewestAfter(1), "fresh", 0), (after("x", 1), "reset", 0)]
    {
        let mut connection = begin(&hub, &log, &asked, LONG, Filter::default());
        let hello = &blocks(&sent(connection.step()))[0].1;
        assert_eq!((&hello["verdict"], &hello["missed"]), (&verdict.into(), &missed.into()));
        assert_eq!(hello["heartbeatMs"], 3_600_000);
        assert_eq!(hello["connectionId"], connection.member().id().to_string());
        let follows =
            if verdict == "reset" { None } else { Some(["notification", "notification"].map(str::to_owned).to_vec()) };
        match connection.step() {
            Step::Wait => assert_eq!(follows, None),
            step => assert_eq!(Some(events(step)), follows),
        }
    }
}

#[test]
fn a_stream_that_cannot_be_opened_is_counted_by_its_cause() {
    for (cause, label) in [
        (NotNow::Full(Full::Instance), "per_instance"),
        (NotNow::Full(Full::User), "per_user"),
        (NotNow::Unavailable(Unavailable), "unavailable"),
    ] {
        assert_eq!(cause.as_str(), label);
    }
}

#[test]
fn the_end_of_a_stream_is_counted_by_its_reason() {
    let recorder = PrometheusBuilder::new().build_recorder();
    ::metrics::with_local_recorder(&recorder, || {
        let hub = hub(4, 4);
        let mut ended = greeted(&hub, LONG);
        hub.end(EndReason::Revoked, |_| true);
        assert_eq!(events(ended.step()), ["bye"]);
        drop(ended);
        drop(greeted(&hub, LONG));
        let rung_at_once = greeted(&hub, LONG);
        rung_at_once.member().ring();
        drop(rung_at_once);
        for is_rung in [true, true, false] {
            let mut slow = greeted(&hub, LONG);
            if is_rung {
                slow.member().ring();
            }
            let Some(long_ago) = Instant::now().checked_sub(Duration::from_secs(31)) else { return };
            slow.handed_at = long_ago;
        }
    });
    let text = recorder.handle().render();
    for (reason, count) in [("revoked", 1), ("stalled", 2), ("left", 3)] {
        let line = format!("{}{{reason=\"{reason}\"}} {count}", metrics::ENDS);
        assert!(text.lines().any(|one| one == line), "{line} in\n{text}");
    }
}

#[test]
fn a_connection_knows_the_topics_of_its_user() {
    let hub = hub(4, 4);
    let connection = greeted(&hub, LONG);
    let topic = TopicKey { tenant: key().tenant, topic: "team:1".parse().unwrap() };
    hub.rooms().open_room(topic.clone());
    hub.rooms().take(1);
    hub.join_rooms(&key(), std::slice::from_ref(&topic));
    assert_eq!(connection.topics().now_or_never(), Some(vec![topic]));
}

#[test]
fn a_long_page_is_sent_to_its_end_before_the_log_is_asked_again() {
    let recorder = PrometheusBuilder::new().build_recorder();
    ::metrics::with_local_recorder(&recorder, || {
        let (hub, mut log) = (hub(4, 4), Log::new(0));
        (0..200).for_each(|_| log.publish(true));
        let membership = hub.join(identity(Utc::now() + LONG), Transport::Sse).unwrap();
        let asked = Asked::NewestAfter(0);
        let page = log.page(&asked.ask(&key(), 1_000));
        let mut connection = Connection::at(membership, &asked, Arc::new(page), Filter::default());
        assert_eq!(events(connection.step()), ["hello"]);
        let mut sent = Vec::new();
        while sent.len() < 200 {
            let events = events(connection.step());
            assert!(events.len() < 200, "a page is sent in slices");
            sent.extend(events);
        }
        assert!(sent.iter().all(|event| event == "notification") && matches!(connection.step(), Step::Wait));
    });
    let (text, line) = (recorder.handle().render(), format!("{}{{from=\"backfill\"}} 200", metrics::FRAMES));
    assert!(text.lines().any(|one| one == line), "{line} in\n{text}");
}
