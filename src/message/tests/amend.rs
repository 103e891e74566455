//! What a body changes of a publish that waits.

use serde_json::json;

use super::*;
use crate::domain::notification::{Content, Presentation};

fn amended(body: Value) -> Result<Amendment, Problems> {
    parse_amendment(body.to_string().as_bytes())
}

fn wrong(body: Value) -> Vec<String> {
    amended(body).unwrap_err().0.into_iter().map(|problem| problem.pointer).collect()
}

fn scheduled() -> Content {
    Content {
        kind: "k".to_owned(),
        category: Some("c".to_owned()),
        priority: Priority::Low,
        title: "before".to_owned(),
        message: Some("before".to_owned()),
        data: Some(json!("before")),
        action_url: Some("/before".to_owned()),
        image_url: Some("/before.png".to_owned()),
        presentation: Presentation::default(),
    }
}

#[test]
fn an_amendment_holds_what_its_body_names_and_keeps_the_rest() {
    let all = json!({"deliverAt": "2027-01-01T09:00", "expiresAt": "2150-01-01T00:00:00Z", "timeZone": "Europe/Berlin",
        "priority": "high", "title": "t", "message": "m", "data": {"a": 1}, "actionUrl": "/a", "imageUrl": "/a.png"});
    let all = amended(all).unwrap();
    assert_eq!(all.deliver_at, Some("2027-01-01T08:00:00Z".parse().unwrap()));
    assert_eq!(all.expires_at, Some("2150-01-01T00:00:00Z".parse().unwrap()));
    let changed = Content {
        priority: Priority::High,
        title: "t".to_owned(),
        message: Some("m".to_owned()),
        data: Some(json!({"a": 1})),
        action_url: Some("/a".to_owned()),
        image_url: Some("/a.png".to_owned()),
        ..scheduled()
    };
    assert_eq!(all.apply(scheduled()), changed);

    let title = amended(json!({"title": "t"})).unwrap();
    assert_eq!(title.apply(scheduled()), Content { title: "t".to_owned(), ..scheduled() });
    assert_eq!((title.deliver_at, title.expires_at), (None, None));

    let cleared = amended(json!({"message": null, "data": null, "actionUrl": null, "imageUrl": null})).unwrap();
    let bare = Content { message: None, data: None, action_url: None, image_url: None, ..scheduled() };
    assert_eq!(cleared.apply(scheduled()), bare);
}

#[test]
fn an_amendment_that_changes_nothing_or_breaks_a_bound_is_refused() {
    assert_eq!(amended(json!({})).unwrap_err().to_string(), "names nothing to change");
    for (body, pointer) in [
        (json!({"timeZone": "Europe/Berlin"}), ""),
        (json!({"title": " "}), "/title"),
        (json!({"message": "x".repeat(10_001)}), "/message"),
        (json!({"data": "\0"}), "/data"),
        (json!({"actionUrl": "x"}), "/actionUrl"),
        (json!({"deliverAt": "2027-01-01T09:00"}), "/deliverAt"),
        (json!({"expiresAt": "2000-01-01T00:00:00Z"}), "/expiresAt"),
        (json!({"users": ["u"]}), "/users"),
    ] {
        assert_eq!(wrong(body.clone()), [pointer], "{body}");
    }
}
