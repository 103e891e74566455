//! Frames as a client reads them.

use super::*;
use crate::domain::{
    audience::Reason,
    channel::Decision,
    notification::{Content, InboxItem},
};
use chrono::DateTime;
use proptest::prelude::*;

fn item(title: String, message: String) -> InboxItem {
    let content = Content {
        priority: Priority::High,
        message: Some(message.clone()),
        data: Some(serde_json::json!({ "text": message })),
        ..Content::titled("k", title)
    };
    InboxItem {
        id: Uuid::nil(),
        seq: 7,
        content,
        decision: Decision::PLAIN,
        reason: Reason::Direct,
        created_at: DateTime::UNIX_EPOCH,
        expires_at: DateTime::UNIX_EPOCH,
        read_at: None,
        archived_at: None,
        seen_at: None,
        snoozed_until: None,
        due: None,
        thread_key: None,
        count: 1,
    }
}

fn text(blocks: &Blocks) -> String {
    String::from_utf8(blocks.bytes().to_vec()).unwrap()
}

proptest! {
    #[test]
    fn no_text_escapes_its_block(title in "\\PC*|[\\r\\n:a]*", message in any::<String>()) {
        let item = item(title.clone(), message.clone());
        let frame = Frame::notification(&Epoch::from("e1".to_owned()), &Item::from(&item), 3);
        let text = std::str::from_utf8(frame.blocks.bytes()).unwrap();
        let lines: Vec<_> = text.split(['\n', '\r']).collect();
        prop_assert_eq!(lines.len(), 5);
        prop_assert_eq!(&lines[..2], &["id: e1.7", "event: notification"]);
        let data: serde_json::Value = serde_json::from_str(lines[2].strip_prefix("data: ").unwrap()).unwrap();
        prop_assert_eq!(&data["title"], &title);
        prop_assert_eq!(&data["message"], &message);
        prop_assert_eq!(&data["unread"], &3);
    }
}

#[test]
fn only_the_last_block_of_a_change_carries_the_cursor() {
    let state = |read| ItemState {
        id: Uuid::nil(),
        seq: 1,
        read,
        archived: false,
        deleted: false,
        seen: false,
        snoozed_until: None,
        due: None,
    };
    let mut states = vec![state(true); STATE_IDS + 1];
    states.push(state(false));
    let cursor = Cursor { epoch: Epoch::from("e".to_owned()), seq: 9 };
    let frame = Frame::state(&cursor, &states, 1);
    let text = std::str::from_utf8(frame.blocks.bytes()).unwrap();
    let blocks: Vec<_> = text.split_terminator("\n\n").collect();
    assert_eq!(blocks.len(), 3);
    assert_eq!(blocks.iter().filter(|block| block.starts_with("id: e.9\n")).count(), 1);
    assert!(blocks[2].starts_with("id: e.9\n"));
}

#[test]
fn reasons_of_an_end_have_the_names_of_the_wire() {
    let all = [
        (EndReason::Draining, "draining"),
        (EndReason::Expired, "expired"),
        (EndReason::Revoked, "revoked"),
        (EndReason::Rotated, "rotated"),
        (EndReason::Overloaded, "overloaded"),
    ];
    for (reason, name) in all {
        let json = format!(r#"{{"reason":"{name}","retryMs":1500}}"#);
        assert_eq!(reason.as_str(), name);
        assert_eq!(
            text(&bye(reason, Duration::from_millis(1_500))),
            format!("retry: 1500\nevent: bye\ndata: {json}\n\n")
        );
    }
}

#[test]
fn small_events_are_rendered_as_one_block() {
    let cursor = Cursor { epoch: Epoch::from("e".to_owned()), seq: 9 };
    let whole = |frame: Frame| (frame.seq, frame.subject, text(&frame.blocks));
    let settings = "id: e.9\nevent: settings\ndata: {\"unread\":3}\n\n".to_owned();
    assert_eq!(whole(Frame::settings(&cursor, 3)), (9, Subject::State, settings));
    let subscription = Subscription { topic: "team:7".parse().unwrap(), subscribed: true, muted_until: None };
    let json = r#"{"topic":"team:7","subscribed":true,"mutedUntil":null,"unread":3}"#;
    let subscribed = format!("id: e.9\nevent: subscription\ndata: {json}\n\n");
    assert_eq!(whole(Frame::subscription(&cursor, &subscription, 3)), (9, Subject::State, subscribed));
    assert_eq!(text(&Blocks::of_cursor(&cursor)), "id: e.9\n\n");
    assert_eq!(text(&expiring(Duration::from_millis(250))), "event: expiring\ndata: {\"expiresInMs\":250}\n\n");
    let data = r#"{"kind":"k","key":"a\"b","data":[1]}"#;
    assert_eq!(signal(None, "k", "a\"b", "[1]"), format!("event: signal\ndata: {data}\n\n"));
    let named = r#"{"topic":"team:7","kind":"k","key":"","data":null}"#;
    let topic = "team:7".parse().unwrap();
    assert_eq!(signal(Some(&topic), "k", "", "null"), format!("event: signal\ndata: {named}\n\n"));
}

#[test]
fn states_that_differ_make_events_of_their_own_and_a_cut_change_moves_no_cursor() {
    let state = |id: u128, read, due| ItemState {
        id: Uuid::from_u128(id),
        seq: i64::try_from(id).unwrap(),
        read,
        archived: false,
        deleted: false,
        seen: true,
        snoozed_until: None,
        due,
    };
    let states =
        [state(1, true, None), state(2, true, None), state(3, false, None), state(4, false, Some(DueState::Done))];
    let mut renderer = Renderer::default();
    renderer.push_states(None, &states, 2);
    let blocks = renderer.finish();
    let shown: Vec<_> = blocks
        .all()
        .map(|block| {
            let data: serde_json::Value = serde_json::from_str(block.data).unwrap();
            assert_eq!((block.cursor, block.event, &data["unread"]), (None, Some(EventType::State), &2.into()));
            (data["ids"].as_array().unwrap().len(), data["read"] == true, data["dueState"].as_str().map(str::to_owned))
        })
        .collect();
    assert_eq!(shown, [(2, true, None), (1, false, None), (1, false, Some("done".to_owned()))]);
}

#[test]
fn the_blocks_that_are_not_indexed_have_their_parts() {
    assert_eq!(HEARTBEAT, format!("event: heartbeat\ndata: {}\n\n", HEARTBEAT_BLOCK.data).as_bytes());
    let text = signal(Some(&"team:7".parse().unwrap()), "typing", "k\n", "[1]");
    let block = signal_block(text.as_bytes());
    let data: serde_json::Value = serde_json::from_str(block.data).unwrap();
    assert_eq!(data, serde_json::json!({ "topic": "team:7", "kind": "typing", "key": "k\n", "data": [1] }));
    assert_eq!((block.event, signal_block(b"x").data), (Some(EventType::Signal), ""));
}
