//! The start of a stream: every cursor gets its exact verdict.

use serde_json::{Value, json};

use crate::harness::*;

async fn verdict(user: &Caller, query: &str, last_event_id: Option<&str>) -> (Value, Option<String>) {
    let mut stream = user.stream_with(query, last_event_id).await;
    let frame = stream.next().await;
    assert!(frame.is("hello"), "{frame:?}");
    (frame.json(), frame.id)
}

#[tokio::test]
async fn a_client_that_missed_changes_gets_them_once_in_order() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    let mut stream = user.stream().await;
    stream.hello().await;
    cluster.publisher().notify("u1", "seen").await;
    stream.titles(1).await;
    let cursor = stream.cursor.clone().unwrap();
    drop(stream);
    for title in ["a", "b", "c"] {
        cluster.publisher().notify("u1", title).await;
    }
    let mut stream = user.resume(&cursor).await;
    let frame = stream.next().await;
    let hello = frame.json();
    assert_eq!(frame.id, None, "the client's own cursor stands until replayed frames move it");
    assert_eq!((&hello["verdict"], &hello["missed"], &hello["unread"]), (&json!("resumed"), &json!(3), &json!(4)));
    assert_eq!(stream.titles(3).await, ["a", "b", "c"]);
    assert_eq!(stream.cursor.as_deref(), hello["cursor"].as_str());
    cluster.publisher().notify("u1", "live").await;
    assert_eq!(stream.titles(1).await, ["live"]);
}

#[tokio::test]
async fn a_client_that_missed_nothing_is_resumed_with_nothing() {
    let cluster = cluster().start().await;
    cluster.publisher().notify("u1", "one").await;
    let user = cluster.user("u1");
    let cursor = user.list("").await["cursor"].as_str().unwrap().to_owned();
    let (hello, id) = verdict(&user, "", Some(&cursor)).await;
    assert_eq!((&hello["verdict"], &hello["missed"], id), (&json!("resumed"), &json!(0), None));
}

#[tokio::test]
async fn a_reset_names_its_reason_and_a_cursor_to_continue_from() {
    let cluster = cluster().set("TIDINGS_MAX_REPLAY", "5").start().await;
    for index in 0..7 {
        cluster.publisher().notify("u1", &format!("n{index}")).await;
        cluster.publisher().notify("u2", &format!("n{index}")).await;
    }
    let user = cluster.user("u1");
    let cursor = user.list("").await["cursor"].as_str().unwrap().to_owned();
    let epoch = cursor.strip_suffix(".7").expect("seven changes").to_owned();
    let foreign = cluster.user("u2").list("").await["cursor"].as_str().unwrap().to_owned();
    let (long, huge) = ("a".repeat(200), format!("{epoch}.99999999999999999999"));
    let cases = [
        (format!("{epoch}.1"), "tooFar"),
        (format!("{epoch}.0"), "tooFar"),
        ("0000000000.3".to_owned(), "epoch"),
        (foreign, "epoch"),
        (format!("{epoch}.-1"), "invalid"),
        (format!("{epoch}.1x"), "invalid"),
        (epoch.clone(), "invalid"),
        ("garbage".to_owned(), "invalid"),
        ("a b/c?d=e.1".to_owned(), "invalid"),
        ("'; drop table inbox; --.1".to_owned(), "invalid"),
        (long, "invalid"),
        (huge, "invalid"),
    ];
    for (text, reason) in cases {
        let (hello, id) = verdict(&user, "", Some(&text)).await;
        assert_eq!((&hello["verdict"], &hello["reason"]), (&json!("reset"), &json!(reason)), "{text}");
        assert_eq!(hello["cursor"], cursor.as_str(), "{text}");
        assert_eq!(id.as_deref(), Some(cursor.as_str()), "{text}");
    }
    let (hello, _) = verdict(&user, "", Some(&format!("{epoch}.2"))).await;
    assert_eq!((&hello["verdict"], &hello["missed"]), (&json!("resumed"), &json!(5)));
}

#[tokio::test]
async fn an_empty_cursor_is_none_at_all() {
    let cluster = cluster().start().await;
    let (hello, _) = verdict(&cluster.user("u1"), "", Some("")).await;
    assert_eq!(hello["verdict"], "fresh");
}

#[tokio::test]
async fn the_header_wins_over_the_query() {
    let cluster = cluster().start().await;
    for title in ["a", "b", "c"] {
        cluster.publisher().notify("u1", title).await;
    }
    let user = cluster.user("u1");
    let head = user.list("").await["cursor"].as_str().unwrap().to_owned();
    let first = head.replace(".3", ".1");
    let mut by_query = user.stream_with(&format!("?cursor={first}"), None).await;
    assert_eq!(by_query.hello().await["missed"], 2);
    assert_eq!(by_query.titles(2).await, ["b", "c"]);
    let (hello, _) = verdict(&user, &format!("?cursor={first}"), Some(&head)).await;
    assert_eq!((&hello["verdict"], &hello["missed"]), (&json!("resumed"), &json!(0)));
}

#[tokio::test]
async fn cursors_fit_into_a_header_that_needs_no_preflight() {
    let cluster = cluster().start().await;
    let user = cluster.user(&"\u{1f600}".repeat(64));
    let cursor = user.list("").await["cursor"].as_str().unwrap().to_owned();
    assert!(cursor.len() < 128, "{cursor}");
    assert!(cursor.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte)), "{cursor}");
}

#[tokio::test]
async fn a_fresh_stream_replays_the_newest_when_asked() {
    let cluster = cluster().start().await;
    for title in ["a", "b", "c", "d"] {
        cluster.publisher().notify("u1", title).await;
    }
    let user = cluster.user("u1");
    let mut stream = user.stream_with("?replay=2", None).await;
    let hello = stream.hello().await;
    assert_eq!(hello["verdict"], "fresh");
    assert_eq!(stream.titles(2).await, ["c", "d"]);
    assert_eq!(stream.cursor.as_deref(), user.list("").await["cursor"].as_str());
    cluster.publisher().notify("u1", "live").await;
    assert_eq!(stream.titles(1).await, ["live"]);
}

#[tokio::test]
async fn a_list_and_the_stream_from_its_cursor_miss_and_repeat_nothing() {
    // The head check must not find changes that a race has lost.
    let cluster = cluster().instances(2).set("TIDINGS_HEAD_CHECK_SECONDS", "3600").start().await;
    let publisher = cluster.instances[1].edge().publisher();
    let publish = async {
        for number in 0..150 {
            publisher.notify("u1", &number.to_string()).await;
        }
    };
    let user = cluster.user("u1");
    let check = async {
        let mut raced = 0;
        for _ in 0..12 {
            let list = user.list("?limit=1").await;
            let seen = list["notifications"][0]["seq"].as_i64().unwrap_or(0);
            let mut stream = user.stream_with(&format!("?cursor={}", list["cursor"].as_str().unwrap()), None).await;
            assert_eq!(stream.hello().await["verdict"], "resumed");
            if seen < 145 {
                for expected in seen + 1..=seen + 3 {
                    assert_eq!(stream.next().await.json()["seq"], expected);
                }
                raced += 1;
            }
        }
        assert_ne!(raced, 0, "all was published before the first list");
    };
    tokio::join!(publish, check);
}

#[tokio::test]
async fn a_resume_sends_the_newest_state_of_missed_items() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    let start = user.list("").await["cursor"].as_str().unwrap().to_owned();
    let mut ids = Vec::new();
    for title in ["kept", "read", "deleted"] {
        ids.push(cluster.publisher().notify("u1", title).await);
    }
    user.touch(&format!("/api/notifications/{}/read", ids[1])).await.expect(200);
    user.delete(&format!("/api/notifications/{}", ids[2])).await.expect(200);
    let head = user.list("").await["cursor"].as_str().unwrap().to_owned();

    let mut stream = user.resume(&start).await;
    assert_eq!(stream.hello().await["unread"], 1);
    let (kept, read) = (stream.next().await, stream.next().await);
    assert_eq!((&kept.json()["title"], &kept.json()["readAt"]), (&json!("kept"), &json!(null)));
    assert_eq!(read.json()["title"], "read");
    assert!(read.json()["readAt"].is_string());
    cluster.publisher().notify("u1", "marker").await;
    let frame = stream.next_of("notification").await;
    assert_eq!(frame.json()["title"], "marker", "what is deleted does not come back");
    let resumed = user.resume(&head).await.hello().await;
    assert_eq!((&resumed["verdict"], &resumed["missed"]), (&json!("resumed"), &json!(1)));
}

#[tokio::test]
async fn a_change_that_fills_its_last_page_exactly_ends_with_the_cursor() {
    let cluster = cluster().set("TIDINGS_PAGE_ROWS", "5").start().await;
    for count in [4, 5, 6, 10, 15] {
        let name = format!("u{count}");
        let user = cluster.user(&name);
        let batch: Vec<_> = (0..count).map(|number| json!({"users": [name], "title": format!("n{number}")})).collect();
        cluster.publisher().post("/api/notifications/batch", &json!(batch)).await.expect(200);
        let before = user.list("").await["cursor"].as_str().unwrap().to_owned();
        let after = user.touch("/api/notifications/read-all").await.expect(200);
        let mut stream = user.resume(&before).await;
        assert_eq!(stream.hello().await["verdict"], "resumed");
        let mut told = 0;
        let cursor = loop {
            let frame = stream.next().await;
            told += frame.json()["ids"].as_array().unwrap().len();
            if let Some(id) = frame.id {
                break id;
            }
        };
        assert_eq!((told, cursor.as_str()), (count, after["cursor"].as_str().unwrap()), "{count} items");
    }
}
