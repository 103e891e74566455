//! The changes of a scheduled publish by a body.

use serde_json::json;

use super::*;
use crate::domain::notification::Content;

fn before() -> Content {
    Content {
        category: Some("c".to_owned()),
        message: Some("before".to_owned()),
        data: Some(json!(1)),
        action_url: Some("/before".to_owned()),
        image_url: Some("/before.png".to_owned()),
        ..Content::titled("k", "before")
    }
}

fn amended(body: Value) -> Content {
    parse_amendment(body.to_string().as_bytes()).unwrap().apply(before())
}

fn wrong(body: Value) -> Vec<String> {
    let problems = parse_amendment(body.to_string().as_bytes()).unwrap_err();
    problems.0.into_iter().map(|problem| problem.pointer).collect()
}

#[test]
fn an_amendment_changes_the_fields_of_its_body_and_keeps_the_rest() {
    let all = json!({"priority": "high", "title": "t", "message": "m", "data": {"a": 1}, "actionUrl": "/a", "imageUrl": "/i"});
    let whole = Content {
        priority: Priority::High,
        title: "t".to_owned(),
        message: Some("m".to_owned()),
        data: Some(json!({"a": 1})),
        action_url: Some("/a".to_owned()),
        image_url: Some("/i".to_owned()),
        ..before()
    };
    assert_eq!(amended(all), whole);
    assert_eq!(amended(json!({"title": "t"})), Content { title: "t".to_owned(), ..before() });
    let cleared = Content { message: None, data: None, action_url: None, image_url: None, ..before() };
    assert_eq!(amended(json!({"message": null, "data": null, "actionUrl": null, "imageUrl": null})), cleared);
}

#[test]
fn an_amendment_moves_times_that_are_local_to_its_zone() {
    let body =
        json!({"deliverAt": "2027-01-01T09:00", "expiresAt": "2150-01-01T00:00:00Z", "timeZone": "Europe/Berlin"});
    let amendment = parse_amendment(body.to_string().as_bytes()).unwrap();
    assert_eq!(amendment.deliver_at, Some("2027-01-01T08:00:00Z".parse().unwrap()));
    assert_eq!(amendment.expires_at, Some("2150-01-01T00:00:00Z".parse().unwrap()));
    assert_eq!(amendment.apply(before()), before());
}

#[test]
fn an_amendment_that_changes_nothing_or_breaks_a_bound_is_refused() {
    assert_eq!(parse_amendment(b"{}").unwrap_err().to_string(), "names nothing to change");
    for (body, pointer) in [
        (json!({"timeZone": "Europe/Berlin"}), ""),
        (json!({"title": " "}), "/title"),
        (json!({"message": "x".repeat(10_001)}), "/message"),
        (json!({"data": "\0"}), "/data"),
        (json!({"actionUrl": "x"}), "/actionUrl"),
        (json!({"imageUrl": "http://example.org/"}), "/imageUrl"),
        (json!({"deliverAt": "2027-01-01T09:00"}), "/deliverAt"),
        (json!({"expiresAt": "2000-01-01T00:00:00Z"}), "/expiresAt"),
        (json!({"users": ["u"]}), "/users"),
    ] {
        assert_eq!(wrong(body.clone()), [pointer], "{body}");
    }
}
