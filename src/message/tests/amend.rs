//! What a body changes of a publish that waits.

use serde_json::json;

use super::*;
use crate::domain::amendment::{Amendment, Change};

fn amended(body: Value) -> Result<Amendment, Problems> {
    parse_amendment(body.to_string().as_bytes())
}

fn wrong(body: Value) -> Vec<String> {
    amended(body).unwrap_err().0.into_iter().map(|problem| problem.pointer).collect()
}

#[test]
fn an_amendment_holds_what_its_body_names_and_keeps_the_rest() {
    let all = json!({"deliverAt": "2027-01-01T09:00", "expiresAt": "2150-01-01T00:00:00Z", "timeZone": "Europe/Berlin",
        "priority": "high", "title": "t", "message": "m", "data": {"a": 1}, "actionUrl": "/a"});
    let whole = Amendment {
        deliver_at: Some("2027-01-01T08:00:00Z".parse().unwrap()),
        priority: Some(Priority::High),
        title: Some("t".to_owned()),
        message: Change::To("m".to_owned()),
        data: Change::To(json!({"a": 1})),
        action_url: Change::To("/a".to_owned()),
        expires_at: Some("2150-01-01T00:00:00Z".parse().unwrap()),
    };
    assert_eq!(amended(all), Ok(whole));
    let title = Amendment { title: Some("t".to_owned()), ..Amendment::default() };
    assert_eq!(amended(json!({"title": "t"})), Ok(title));
    let cleared =
        Amendment { message: Change::Clear, data: Change::Clear, action_url: Change::Clear, ..Amendment::default() };
    assert_eq!(amended(json!({"message": null, "data": null, "actionUrl": null})), Ok(cleared));
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
