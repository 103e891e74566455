mod amend;
mod bounds;
mod timing;

use proptest::prelude::*;

use super::*;
use crate::domain::{kinds::Seed, notification::Content};

fn limits() -> PublishSettings {
    PublishSettings {
        body_bytes: 65_536,
        recipients: 3,
        open_fanouts: 1,
        batch_items: 1,
        commit_rows: 1,
        writers: 1,
        queue: 1,
        inlet_look: std::time::Duration::from_millis(100),
        inlet_listen: false,
    }
}

/// Knows one kind, whose texts are templates.
fn kinds() -> Kinds {
    let seed = "[made]\ncategory = 'c'\npriority = 'high'\nicon = 'i'\nretentionDays = 2\n\
                titleTemplate = 'Hi {{data.name}}'\nmessageTemplate = '{{category}}{{data.text}}'\n\
                imageUrlTemplate = '/faces/{{data.face}}.png'\n\
                burst = { most = 3, windowSeconds = 60 }";
    Kinds::new(Seed::parse(seed).unwrap())
}

fn read_one(body: &Value) -> Result<NewNotification, Problems> {
    let tenant = "acme".parse().unwrap();
    parse(body.to_string().as_bytes(), &limits())?.into_new(tenant, Source::Http, None, &kinds())
}

fn body(field: &str, value: Value) -> Value {
    let mut body = serde_json::json!({"users": ["u1"], "title": "t"});
    body[field] = value;
    body
}

fn pointers(result: Result<NewNotification, Problems>) -> Vec<String> {
    result.err().map_or_else(Vec::new, |Problems(list)| list.into_iter().map(|problem| problem.pointer).collect())
}

#[test]
fn a_minimal_body_gets_the_defaults() {
    let new = read_one(&serde_json::json!({"users": ["u1", "u2", "u1"], "title": "t"})).unwrap();
    assert_eq!(new.users.iter().map(UserId::as_str).collect::<Vec<_>>(), ["u1", "u2"]);
    assert_eq!((new.content.kind.as_str(), new.content.priority), ("system_alert", Priority::Medium));
    assert_eq!(new.idempotency_key, None);
}

#[test]
fn every_broken_bound_is_named_by_its_pointer() {
    let deep = (0..33).fold(Value::Null, |inner, _| serde_json::json!([inner]));
    let cases = [
        ("users", serde_json::json!([]), "/users"),
        ("users", serde_json::json!(["a", "b", "c", "d"]), "/users"),
        ("users", serde_json::json!(["a", "b", "c\n"]), "/users/2"),
        ("users", serde_json::json!(["a", 5]), "/users/1"),
        ("users", serde_json::json!("a"), "/users"),
        ("title", "".into(), "/title"),
        ("title", "x".repeat(501).into(), "/title"),
        ("title", "a\0b".into(), "/title"),
        ("title", 5.into(), "/title"),
        ("message", "x".repeat(10_001).into(), "/message"),
        ("message", "\0".into(), "/message"),
        ("kind", "a b".into(), "/kind"),
        ("kind", "".into(), "/kind"),
        ("category", "x".repeat(65).into(), "/category"),
        ("priority", "urgent".into(), "/priority"),
        ("data", deep, &format!("/data{}", "/0".repeat(32))),
        ("data", serde_json::json!({"a/b": [1, "\0"]}), "/data/a~1b/1"),
        ("data", serde_json::json!({"a": {"\0": 1}}), "/data/a"),
        ("idempotencyKey", "".into(), "/idempotencyKey"),
        ("idempotencyKey", "ä".into(), "/idempotencyKey"),
        ("expiresAt", "2020-01-01T00:00:00Z".into(), "/expiresAt"),
        ("expiresAt", "2200-01-01T00:00:00Z".into(), "/expiresAt"),
        ("expiresAt", "tomorrow".into(), "/expiresAt"),
        ("topics", serde_json::json!(["team:7", "team:"]), "/topics/1"),
        ("topics", (0..21).map(|number| format!("t{number}")).collect::<Value>(), "/topics"),
        ("everyone", "yes".into(), "/everyone"),
        ("actor", "".into(), "/actor"),
        ("threadKey", "".into(), "/threadKey"),
        ("collapseKey", "x".repeat(201).into(), "/collapseKey"),
    ];
    for (field, value, pointer) in cases {
        assert_eq!(pointers(read_one(&body(field, value.clone()))), [pointer], "{field}: {value}");
    }
    assert_eq!(pointers(read_one(&serde_json::json!({"users": ["u"]}))), ["/title"]);
    assert_eq!(pointers(read_one(&serde_json::json!({"title": "t"}))), ["/users"]);
    let two = serde_json::json!({"users": ["u"], "title": "", "kind": " "});
    assert_eq!(pointers(read_one(&two)), ["/title", "/kind"]);
}

#[test]
fn bodies_at_the_bounds_are_taken() {
    let deep = (0..32).fold(Value::Null, |inner, _| serde_json::json!([inner]));
    for (field, value) in [
        ("title", "ä".repeat(500).into()),
        ("message", "ä".repeat(10_000).into()),
        ("data", deep),
        ("kind", "x".repeat(64).into()),
        ("expiresAt", "2199-12-31T23:59:59Z".into()),
        ("idempotencyKey", "x".repeat(200).into()),
        ("threadKey", "x".repeat(200).into()),
        ("collapseKey", "~ ".into()),
        ("category", Value::Null),
    ] {
        assert_eq!(pointers(read_one(&body(field, value))), [""; 0], "{field}");
    }
}

#[test]
fn an_action_leads_to_the_web_or_to_a_path_and_nowhere_else() {
    for good in ["/", "/a?b=c#d", "https://example.org/a", "http://localhost:1/"] {
        assert_eq!(pointers(read_one(&body("actionUrl", good.into()))), [""; 0], "{good}");
    }
    let bad = ["", "a", "//x", "/\\x", "javascript:alert(1)", "data:,x", "https://", " /a", "/a\n", "java\tscript:x"];
    for bad in bad {
        assert_eq!(pointers(read_one(&body("actionUrl", bad.into()))), ["/actionUrl"], "{bad}");
    }
}

#[test]
fn an_image_comes_by_https_or_from_the_same_origin_and_nowhere_else() {
    let long = format!("/{}", "x".repeat(2_047));
    for good in ["/", "/a.png?b=c", "https://example.org/a.png", &long] {
        assert_eq!(read_one(&body("imageUrl", good.into())).unwrap().content.image_url.as_deref(), Some(good));
    }
    let longer = format!("{long}x");
    for bad in
        ["", "a.png", "//x/a.png", "/\\x", "http://example.org/a.png", "data:image/png,x", "https://", "/a\n", &longer]
    {
        assert_eq!(pointers(read_one(&body("imageUrl", bad.into()))), ["/imageUrl"], "{bad}");
    }
}

#[test]
fn an_image_from_its_kind_keeps_its_address() {
    let image = |data: Value| {
        let new = read_one(&serde_json::json!({"users": ["u1"], "title": "t", "kind": "made", "data": data}));
        new.map(|new| new.content.image_url.clone())
    };
    let face = |face: &str| serde_json::json!({ "face": face });
    assert_eq!(image(face("../a b/é?")).unwrap().as_deref(), Some("/faces/..%2Fa%20b%2F%C3%A9%3F.png"));
    assert_eq!(image(Value::Null).unwrap(), None, "a message without the value has no image");
    assert_eq!(image(face(&"x".repeat(2_048))).unwrap_err().0[0].pointer, "/imageUrl");
    let own =
        serde_json::json!({"users": ["u1"], "title": "t", "kind": "made", "data": face("a"), "imageUrl": "/own.png"});
    assert_eq!(read_one(&own).unwrap().content.image_url.as_deref(), Some("/own.png"));
}

#[test]
fn a_body_that_is_not_json_or_too_long_is_one_problem_of_the_whole() {
    for bytes in ["", "null", "[]", "{", "{\"title\":\"t\",\"users\":[\"u\"]} x", "{\"title\":\"\\ud800\"}"] {
        assert_eq!(parse(bytes.as_bytes(), &limits()).unwrap_err().0.len(), 1, "{bytes}");
    }
    let long = body("message", "x".repeat(65_536).into());
    assert_eq!(pointers(read_one(&long)), [""]);
}

#[test]
fn the_fingerprint_sees_the_content_and_not_its_writing() {
    let print = |text: &str| {
        let message = parse(text.as_bytes(), &limits()).unwrap();
        message.into_new("acme".parse().unwrap(), Source::Http, None, &kinds()).unwrap().fingerprint
    };
    let one = print(r#"{"users":["a","b"],"title":"t","data":{"x":1,"y":[2]}}"#);
    let same = [
        r#"{"data":{"y":[2],"x":1},"title":"t","users":["b","a","a"],"kind":"system_alert"}"#,
        r#"{"users":["a","b"],"title":"t","data":{"x":1,"y":[2]},"idempotencyKey":"k","category":null}"#,
    ];
    for text in same {
        assert_eq!(print(text), one, "{text}");
    }
    for text in [
        r#"{"users":["a","b"],"title":"t","data":{"x":1,"y":[2]},"topics":["x"]}"#,
        r#"{"users":["a","b"],"title":"t","data":{"x":1,"y":[2]},"everyone":true}"#,
        r#"{"users":["a","b"],"title":"t","data":{"x":1,"y":[2]},"actor":"a"}"#,
        r#"{"users":["a"],"title":"t","data":{"x":1,"y":[2]}}"#,
        r#"{"users":["a","b"],"title":"t","data":{"x":1,"y":[2,2]}}"#,
        r#"{"users":["a","b"],"title":"t","data":{"x":1,"y":"[2]"}}"#,
    ] {
        assert_ne!(print(text), one, "{text}");
    }
}

#[test]
fn a_cloud_event_is_read_as_its_data() {
    let event = serde_json::json!({
        "specversion": "1.0", "id": "7", "source": "/billing", "type": "com.example.paid", "time": "2026-01-01T00:00:00Z",
        "subject": "s", "traceparent": "x", "datacontenttype": "application/json",
        "data": {"users": ["u1"], "title": "t"},
    });
    let new = read_one(&event).unwrap();
    assert_eq!(new.content.kind, "com.example.paid");
    assert_eq!(new.idempotency_key.as_deref(), Some("/billing 7"));

    let change = |field: &str, value: Value| {
        let mut event = event.clone();
        event[field] = value;
        read_one(&event)
    };
    let hashed = change("id", "x".repeat(300).into()).unwrap().idempotency_key.unwrap();
    assert!(hashed.starts_with("sha256:") && idempotency_key(&hashed).is_ok(), "{hashed}");
    let own = serde_json::json!({"users": ["u1"], "title": "t", "kind": "own", "idempotencyKey": "k"});
    let own = change("data", own).unwrap();
    assert_eq!((own.content.kind.as_str(), own.idempotency_key.as_deref()), ("own", Some("k")));
    assert_eq!(pointers(change("specversion", "0.3".into())), ["/specversion"]);
    assert_eq!(pointers(change("id", "".into())), ["/id"]);
    assert_eq!(pointers(change("type", "a b".into())), ["/type"]);
    assert_eq!(pointers(change("data", serde_json::json!({"users": ["u", 1]}))), ["/data/users/1"]);
    assert_eq!(pointers(change("data", serde_json::json!({"users": ["u"]}))), ["/data/title"]);
}

#[test]
fn a_body_for_a_known_recipient_names_none() {
    let user: UserId = "u:1".parse().unwrap();
    let new = |recipient: Recipient| {
        let message = parse_for(recipient, br#"{"title":"t","actor":"a"}"#, &limits()).unwrap();
        message.into_new("acme".parse().unwrap(), Source::Channel, Some("k".into()), &kinds()).unwrap()
    };
    let to_user = new(Recipient::User(user.clone()));
    assert_eq!((to_user.users, to_user.idempotency_key.as_deref()), (vec![user.clone()], Some("k")));
    let topic: Topic = "team:7".parse().unwrap();
    let to_topic = new(Recipient::Topic(topic.clone()));
    assert_eq!((to_topic.users, to_topic.audience.topics), (vec![], vec![topic]));
    for (field, value) in [("users", r#"["x"]"#), ("topics", r#"["x"]"#), ("everyone", "true")] {
        let body = format!(r#"{{"title":"t","{field}":{value}}}"#);
        let named = parse_for(Recipient::User(user.clone()), body.as_bytes(), &limits());
        assert_eq!(named.unwrap_err().0[0].pointer, format!("/{field}"));
    }
}

#[test]
fn a_body_may_name_topics_or_everyone_instead_of_users() {
    let audience = |body: Value| read_one(&body).unwrap().audience;
    let by_topic = audience(serde_json::json!({"title": "t", "topics": ["b", "a", "b"], "actor": "u1"}));
    assert_eq!(by_topic.topics.iter().map(Topic::as_str).collect::<Vec<_>>(), ["b", "a"]);
    assert_eq!(by_topic.actor.as_ref().map(UserId::as_str), Some("u1"));
    assert!(audience(serde_json::json!({"title": "t", "everyone": true})).everyone);
    let nobody = serde_json::json!({"title": "t", "topics": [], "everyone": false, "actor": "u1"});
    assert_eq!(pointers(read_one(&nobody)), ["/users"]);
}

proptest! {
    #[test]
    fn no_bytes_make_the_parser_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes, &limits());
    }
}

#[test]
fn a_message_takes_missing_fields_from_its_kind() {
    let new = read_one(&serde_json::json!({"users": ["u1"], "kind": "made", "data": {"name": "Ann"}})).unwrap();
    let Content { title, message, category, priority, presentation, .. } = &*new.content;
    assert_eq!((title.as_str(), message.as_deref(), category.as_deref()), ("Hi Ann", Some("c"), Some("c")));
    assert_eq!((*priority, presentation.icon.as_deref()), (Priority::High, Some("i")));
    assert!(new.expires_at.is_some());
    let own = serde_json::json!({"users": ["u1"], "kind": "made", "title": "t", "message": "m", "category": "d",
        "priority": "low", "expiresAt": "2100-01-01T00:00:00Z"});
    let own = read_one(&own).unwrap();
    let Content { title, message, category, priority, .. } = &*own.content;
    assert_eq!((title.as_str(), message.as_deref(), category.as_deref()), ("t", Some("m"), Some("d")));
    assert_eq!((*priority, own.expires_at.unwrap().timestamp()), (Priority::Low, 4_102_444_800));
}

#[test]
fn the_bounds_hold_for_the_result_of_a_template() {
    let with = |data: Value| read_one(&serde_json::json!({"users": ["u1"], "kind": "made", "data": data}));
    assert_eq!(pointers(with(serde_json::json!({"name": "x".repeat(500)}))), ["/title"]);
    assert_eq!(pointers(with(serde_json::json!({"text": "x".repeat(10_000)}))), ["/message"]);
    assert_eq!(pointers(read_one(&serde_json::json!({"users": ["u1"], "kind": "unknown"}))), ["/title"]);
    let event = r#"{"specversion":"1.0","id":"1","source":"s","type":"unknown","data":{"users":["u1"]}}"#;
    let event = parse(event.as_bytes(), &limits()).unwrap();
    let refused = event.into_new("acme".parse().unwrap(), Source::Http, None, &kinds());
    assert_eq!(pointers(refused), ["/data/title"]);
}
