//! Bounds of a body that other tests touch from one side only.

use serde_json::json;

use super::*;

fn pads(text: &str, bytes: usize) -> String {
    text.to_owned() + &" ".repeat(bytes - text.len())
}

#[test]
fn a_body_is_taken_up_to_its_greatest_size_and_is_no_array() {
    let least = r#"{"users":["u"],"title":"t"}"#;
    assert!(parse(pads(least, 65_536).as_bytes(), &limits()).is_ok());
    let wrong = |text: &str| parse(text.as_bytes(), &limits()).unwrap_err().to_string();
    assert_eq!(wrong(&pads(least, 65_537)), "the body has more than 65536 bytes");
    assert_eq!(wrong(" []"), "must be a JSON object");
}

#[test]
fn recipients_are_counted_once_each_up_to_the_most() {
    let body = |users: &[&str], topics: usize| {
        let topics: Vec<_> = (0..topics).map(|number| format!("t{number}")).collect();
        pointers(read_one(&json!({"title": "t", "users": users, "topics": topics})))
    };
    assert_eq!(body(&["a", "b", "c", "a"], 20), [""; 0]);
    assert_eq!(body(&["a", "b", "c", "d"], 0), ["/users"]);
    assert_eq!(body(&[], 1), [""; 0]);
}

#[test]
fn an_action_is_taken_up_to_its_longest() {
    let action = |bytes: usize| pointers(read_one(&body("actionUrl", format!("/{}", "a".repeat(bytes - 1)).into())));
    assert_eq!((action(2_048), action(2_049)), (vec![], vec!["/actionUrl".to_owned()]));
    for odd in ["/a b", "/a\u{7f}", "/a\\b", "http://a b", "ftp://example.org/"] {
        assert_eq!(pointers(read_one(&body("actionUrl", odd.into()))), ["/actionUrl"], "{odd}");
    }
}

#[test]
fn keys_are_printable_ascii() {
    for (key, good) in [(" ", true), ("~", true), ("\u{7f}", false), ("\u{1f}", false), ("a\n", false)] {
        assert_eq!(pointers(read_one(&body("threadKey", key.into()))).is_empty(), good, "{key:?}");
        assert_eq!(idempotency_key(key).is_ok(), good, "{key:?}");
    }
    let wrong = idempotency_key(&"x".repeat(201)).unwrap_err().to_string();
    assert_eq!(wrong, "an idempotency key is 1 to 200 printable ASCII characters");
}

#[test]
fn an_expiry_comes_after_the_last_step_of_an_escalation() {
    let expires = |at: &str| {
        read_one(&json!({"users": ["u"], "title": "t", "dueAt": "2150-01-01T00:00:00Z", "expiresAt": at,
            "escalation": [{"after": 60}]}))
    };
    assert_eq!(pointers(expires("2150-01-01T00:01:00Z")), ["/expiresAt"]);
    assert!(expires("2150-01-01T00:01:01Z").is_ok());
}

#[test]
fn an_expiry_is_fixed_only_beside_a_delivery_that_waits() {
    let fixed = |fields: Value| {
        let mut body = json!({"users": ["u"], "title": "t"});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        read_one(&body).unwrap().timing.fixed_expiry
    };
    let (deliver_at, expires_at) = ("2027-01-01T00:00:00Z", "2150-01-01T00:00:00Z");
    assert!(fixed(json!({"deliverAt": deliver_at, "expiresAt": expires_at})));
    assert!(!fixed(json!({"deliverAt": deliver_at})) && !fixed(json!({"expiresAt": expires_at})));
}

#[test]
fn plain_is_a_publish_without_time_thread_burst_or_collapse_key() {
    let plain = |fields: Value| {
        let mut body = json!({"users": ["u"], "title": "t"});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        read_one(&body).unwrap().is_plain()
    };
    assert!(plain(json!({})) && plain(json!({"expiresAt": "2150-01-01T00:00:00Z"})));
    for fields in [
        json!({"deliverAt": "2027-01-01T00:00:00Z"}),
        json!({"threadKey": "k"}),
        json!({"collapseKey": "k"}),
        json!({"kind": "made"}),
    ] {
        assert!(!plain(fields.clone()), "{fields}");
    }
}

#[test]
fn topics_are_named_where_they_stand_in_the_body() {
    let new =
        read_one(&json!({"title": "t", "topics": ["a", "b"], "dueAt": "2150-01-01T00:00:00Z", "remindBefore": [60],
        "escalation": [{"after": 1}, {"after": 2, "topic": "c"}]}));
    let new = new.unwrap();
    let named: Vec<_> = new.named_topics().map(|(pointer, topic)| (pointer, topic.as_str())).collect();
    let due = [("/topics/0", "a"), ("/topics/1", "b"), ("/escalation/1/topic", "c")];
    assert_eq!(named, due.map(|(pointer, topic)| (pointer.to_owned(), topic)));
}

#[test]
fn an_event_without_an_own_key_is_named_by_its_source_and_id() {
    let key = |source: &str, id: &str| {
        let event = json!({"specversion": "1.0", "id": id, "source": source, "type": "k",
            "data": {"users": ["u"], "title": "t"}});
        parse(event.to_string().as_bytes(), &limits()).unwrap().idempotency_key().unwrap().to_owned()
    };
    assert_eq!(key("s", "1 2"), "s 1 2");
    assert!(key("s 1", "2").starts_with("sha256:"), "it would be that of another event");
    assert_ne!(key("s 1", "23"), key("s 12", "3"));
    let empty =
        json!({"specversion": "1.0", "id": "1", "source": "", "type": "k", "data": {"users": ["u"], "title": "t"}});
    assert_eq!(pointers(read_one(&empty)), ["/source"]);
}

#[test]
fn objects_count_as_levels_of_data_too() {
    let nested = |levels: usize| (0..levels).fold(Value::Null, |inner, _| json!({"a": inner}));
    assert_eq!(pointers(read_one(&body("data", nested(32)))), [""; 0]);
    assert_eq!(pointers(read_one(&body("data", nested(33)))), [format!("/data{}", "/a".repeat(32))]);
    let mixed = (0..17).fold(Value::Null, |inner, _| json!([{"a": [inner]}]));
    assert_eq!(pointers(read_one(&body("data", mixed))).len(), 1);
}
