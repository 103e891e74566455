//! The times of a body, and its steps.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::*;
use crate::domain::timing::{Burst, DueStep};

/// A time so many hours from now, in whole seconds.
fn hours(count: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(Utc::now().timestamp() + count * 3_600, 0).unwrap()
}

/// A body with these fields besides the least.
fn with(fields: Value) -> Value {
    let Value::Object(mut body) = json!({"users": ["u1"], "title": "t"}) else { unreachable!() };
    let Value::Object(fields) = fields else { panic!("an object") };
    body.extend(fields);
    Value::Object(body)
}

fn read(fields: Value) -> Result<NewNotification, Problems> {
    read_one(&with(fields))
}

fn details(fields: Value) -> String {
    read(fields).unwrap_err().to_string()
}

fn assert_wrong(cases: Vec<(Value, &str)>) {
    for (fields, pointer) in cases {
        assert_eq!(pointers(read(fields.clone())), [pointer], "{fields}");
    }
}

#[test]
fn times_are_instants_or_local_to_the_zone_of_the_message() {
    let times = |fields| {
        let new = read(fields).unwrap();
        (new.timing.deliver_at.unwrap().to_rfc3339(), new.timing.due.unwrap().at.to_rfc3339(), new.expires_at.unwrap())
    };
    let deliver_at = hours(24).to_rfc3339();
    let due_at = "2150-07-01T12:00:00+00:00".to_owned();
    let at = "2150-07-01T14:00:00Z".parse::<DateTime<Utc>>().unwrap();
    let fixed =
        json!({"deliverAt": deliver_at, "dueAt": "2150-07-01T14:00:00+02:00", "expiresAt": "2150-07-01T14:00:00Z"});
    assert_eq!(times(fixed), (deliver_at.clone(), due_at.clone(), at));
    let local = json!({"deliverAt": deliver_at, "dueAt": "2150-07-01T14:00", "expiresAt": "2150-07-01T16:00:00", "timeZone": "Europe/Berlin"});
    assert_eq!(times(local), (deliver_at, due_at, at));
    assert!(read(json!({"timeZone": "Europe/Berlin"})).unwrap().is_plain(), "a zone that nothing uses");
}

#[test]
fn a_time_that_names_no_instant_or_two_is_refused_by_pointer() {
    let berlin = |field: &str, time: &str| json!({field: time, "timeZone": "Europe/Berlin"});
    assert!(
        details(berlin("dueAt", "2026-03-29T02:30"))
            .starts_with("/dueAt: 2026-03-29T02:30:00 does not exist in Europe/Berlin")
    );
    assert!(
        details(berlin("deliverAt", "2026-10-25T02:30")).starts_with("/deliverAt: 2026-10-25T02:30:00 occurs twice in")
    );
    assert!(details(json!({"expiresAt": "2150-01-01T00:00"})).starts_with("/expiresAt: a local time needs timeZone"));
    assert!(details(json!({"dueAt": "soon", "timeZone": "Mars/Olympus"})).starts_with("/dueAt: must be a time"));
    assert_wrong(vec![
        (json!({"dueAt": "2026-12-01T00:00", "timeZone": "Mars/Olympus"}), "/timeZone"),
        (json!({"timeZone": ""}), "/timeZone"),
        (json!({"timeZone": 1}), "/timeZone"),
        (json!({"deliverAt": 1_774_747_800}), "/deliverAt"),
    ]);
}

#[test]
fn times_have_bounds() {
    assert_wrong(vec![
        (json!({"deliverAt": "9999-01-01T00:00:00Z"}), "/deliverAt"),
        (json!({"deliverAt": "1999-12-31T23:59:59Z"}), "/deliverAt"),
        (json!({"deliverAt": hours(1_830 * 24 + 1)}), "/deliverAt"),
        (json!({"dueAt": "9999-01-01T00:00:00Z"}), "/dueAt"),
        (json!({"dueAt": "2200-01-01T00:00", "timeZone": "UTC"}), "/dueAt"),
        (json!({"dueAt": hours(-366 * 24 - 1)}), "/dueAt"),
        (json!({"expiresAt": "9999-12-31T23:59:59", "timeZone": "America/New_York"}), "/expiresAt"),
    ]);
    assert!(details(json!({"dueAt": "9999-01-01T00:00:00Z"})).contains("before the year 2200"));
    for fields in [
        json!({"deliverAt": "2000-01-01T00:00:00Z"}),
        json!({"deliverAt": hours(1_830 * 24 - 1)}),
        json!({"dueAt": "2199-12-31T23:59:59Z"}),
        json!({"dueAt": hours(-366 * 24 + 1)}),
    ] {
        assert_eq!(pointers(read(fields.clone())), [""; 0], "{fields}");
    }
}

#[test]
fn times_come_in_their_order() {
    assert_wrong(vec![
        (json!({"deliverAt": hours(2), "dueAt": hours(2)}), "/deliverAt"),
        (json!({"deliverAt": hours(2), "expiresAt": hours(2)}), "/deliverAt"),
        (json!({"dueAt": hours(2), "expiresAt": hours(2)}), "/expiresAt"),
    ]);
    assert!(read(json!({"deliverAt": hours(1), "dueAt": hours(2), "expiresAt": hours(3)})).is_ok());
}

#[test]
fn a_due_time_has_its_steps_in_the_order_of_time() {
    let due_at = hours(48);
    let new = read(json!({"dueAt": due_at, "remindBefore": [60, 3_600],
        "escalation": [{"after": 60}, {"after": 120, "topic": "team:7"}, {"after": 2_592_000, "priority": "critical"}]}));
    let due = new.unwrap().timing.due.unwrap();
    let step = |seconds, topic: Option<&str>, priority| DueStep {
        at: due_at + TimeDelta::seconds(seconds),
        topic: topic.map(|name| name.parse().unwrap()),
        priority,
    };
    let steps = [
        step(-3_600, None, None),
        step(-60, None, None),
        step(0, None, None),
        step(60, None, None),
        step(120, Some("team:7"), None),
        step(2_592_000, None, Some(Priority::Critical)),
    ];
    assert_eq!((due.at, due.steps), (due_at, steps.to_vec()));
    assert_eq!(read(json!({"dueAt": due_at})).unwrap().timing.due.unwrap().steps, [step(0, None, None)]);
}

#[test]
fn reminders_and_escalation_keep_their_bounds() {
    let due = |field: &str, value: Value| json!({"dueAt": hours(48), field: value});
    let steps = |count: i64| (1..=count).map(|after| json!({"after": after})).collect::<Value>();
    assert_wrong(vec![
        (json!({"remindBefore": [60]}), "/remindBefore"),
        (json!({"escalation": [{"after": 60}]}), "/escalation"),
        (due("remindBefore", json!([1, 2, 3, 4, 5, 6])), "/remindBefore"),
        (due("remindBefore", json!([60, 0])), "/remindBefore/1"),
        (due("remindBefore", json!([2_592_001])), "/remindBefore/0"),
        (due("remindBefore", json!([60, 1, 60])), "/remindBefore/2"),
        (due("remindBefore", json!([1.5])), "/remindBefore/0"),
        (due("escalation", steps(11)), "/escalation"),
        (due("escalation", json!([{"after": 0}])), "/escalation/0/after"),
        (due("escalation", json!([{"after": 2_592_001}])), "/escalation/0/after"),
        (due("escalation", json!([{"after": 60}, {"after": 60}])), "/escalation/1/after"),
        (due("escalation", json!([{"after": 60, "whom": "me"}])), "/escalation/0/whom"),
        (due("escalation", json!([{"topic": "team:7"}])), "/escalation/0"),
        (due("escalation", json!([{"after": 60, "topic": "team:"}])), "/escalation/0/topic"),
        (due("everyone", true.into()), "/everyone"),
        (due("threadKey", "k".into()), "/threadKey"),
    ]);
    for fine in [due("remindBefore", json!([1, 2, 3, 4, 2_592_000])), due("escalation", steps(10))] {
        assert_eq!(pointers(read(fine.clone())), [""; 0], "{fine}");
    }
}

#[test]
fn an_escalation_leads_to_new_topics_and_higher_priorities() {
    let course = |steps: Value| json!({"dueAt": hours(48), "topics": ["a", "b"], "escalation": steps});
    let back = course(json!([{"after": 1, "topic": "c"}, {"after": 2, "topic": "b"}]));
    assert_eq!(details(back), "/escalation/1/topic: leads back to a topic that has it already");
    let twice = course(json!([{"after": 1, "topic": "c"}, {"after": 2, "topic": "c"}]));
    assert_eq!(pointers(read(twice)), ["/escalation/1/topic"]);
    let same = course(json!([{"after": 1, "priority": "high"}, {"after": 2, "priority": "high"}]));
    assert_eq!(details(same), "/escalation/1/priority: must be higher than high, which it has by then");
    let of_kind = with(json!({"kind": "made", "dueAt": hours(48), "escalation": [{"after": 1, "priority": "high"}]}));
    assert_eq!(pointers(read_one(&of_kind)), ["/escalation/0/priority"]);
    assert!(read(course(json!([{"after": 1, "topic": "c", "priority": "high"}, {"after": 2, "topic": "d"}]))).is_ok());
}

#[test]
fn an_escalation_does_not_lead_back_to_the_topic_of_a_channel() {
    let body = json!({"title": "t", "dueAt": hours(48), "escalation": [{"after": 1, "topic": "team:7"}]}).to_string();
    let recipient = Recipient::Topic("team:7".parse().unwrap());
    let message = parse_for(recipient, body.as_bytes(), &limits()).unwrap();
    let new = message.into_new("acme".parse().unwrap(), Source::Channel, None, &kinds());
    assert_eq!(pointers(new), ["/escalation/0/topic"]);
}

#[test]
fn the_place_of_a_problem_in_an_event_is_in_its_data() {
    let event = |data: Value| json!({"specversion": "1.0", "id": "7", "source": "s", "type": "k", "data": with(data)});
    let pointers_in = |data| pointers(read_one(&event(data)));
    assert_eq!(pointers_in(json!({"dueAt": "2026-03-29T02:30", "timeZone": "Europe/Berlin"})), ["/data/dueAt"]);
    let low = json!({"dueAt": hours(1), "escalation": [{"after": 1, "priority": "low"}]});
    assert_eq!(pointers_in(low), ["/data/escalation/0/priority"]);
    assert!(read_one(&event(json!({"deliverAt": hours(1)}))).unwrap().timing.deliver_at.is_some());
}

#[test]
fn a_kinds_burst_holds_for_items_that_may_be_folded() {
    let burst = |fields: Value| {
        let mut body = with(fields);
        body["kind"] = "made".into();
        read_one(&body).unwrap().burst
    };
    assert_eq!(burst(json!({})), Some(Burst { most: 3, window_seconds: 60 }));
    for apart in [json!({"priority": "critical"}), json!({"dueAt": hours(1)}), json!({"threadKey": "k"})] {
        assert_eq!(burst(apart.clone()), None, "{apart}");
    }
    assert_eq!(read(json!({})).unwrap().burst, None);
}

#[test]
fn a_collapse_key_is_one_with_its_recipients() {
    let limits = PublishSettings { recipients: 10, ..limits() };
    let collapse = |fields: Value| {
        let message = parse(fields.to_string().as_bytes(), &limits).unwrap();
        message.into_new("acme".parse().unwrap(), Source::Http, None, &kinds()).unwrap().collapse
    };
    let one = collapse(json!({"title": "t", "users": ["a", "b"], "topics": ["c"], "collapseKey": "k"}));
    assert_eq!(collapse(json!({"title": "x", "users": ["b", "a", "b"], "topics": ["c"], "collapseKey": "k"})), one);
    for other in [
        json!({"title": "t", "users": ["a", "b"], "topics": ["c"], "collapseKey": "l"}),
        json!({"title": "t", "users": ["a"], "topics": ["c"], "collapseKey": "k"}),
        json!({"title": "t", "users": ["a", "b", "c"], "collapseKey": "k"}),
        json!({"title": "t", "users": ["a\",\"b"], "topics": ["c"], "collapseKey": "k"}),
        json!({"title": "t", "users": ["a", "b"], "topics": ["c"], "everyone": true, "collapseKey": "k"}),
    ] {
        assert_ne!(collapse(other.clone()), one, "{other}");
    }
    assert_eq!(collapse(json!({"title": "t", "users": ["a"]})), None);
}

#[test]
fn a_kinds_retention_counts_from_when_it_matters() {
    let expires = |mut fields: Value| {
        fields["kind"] = "made".into();
        read(fields).unwrap().expires_at.unwrap()
    };
    let days = TimeDelta::days(2);
    assert_eq!(expires(json!({"deliverAt": hours(100)})), hours(100) + days);
    assert_eq!(expires(json!({"deliverAt": hours(100), "dueAt": hours(200)})), hours(200) + days);
    assert!(expires(json!({"deliverAt": "2001-01-01T00:00:00Z"})) >= hours(-1) + days);
}

#[test]
fn all_that_is_new_is_part_of_the_fingerprint() {
    let print = |fields: Value| read(fields).unwrap().fingerprint;
    let due = "2150-07-01T12:00";
    let base = json!({"dueAt": due, "timeZone": "UTC"});
    let changed = [
        json!({"dueAt": due, "timeZone": "Europe/Berlin"}),
        json!({"dueAt": "2150-07-01T12:01", "timeZone": "UTC"}),
        json!({"dueAt": due, "timeZone": "UTC", "deliverAt": "2027-01-01T00:00:00Z"}),
        json!({"dueAt": due, "timeZone": "UTC", "remindBefore": [1]}),
        json!({"dueAt": due, "timeZone": "UTC", "escalation": [{"after": 1}]}),
        json!({"dueAt": due, "timeZone": "UTC", "escalation": [{"after": 1, "topic": "a"}]}),
        json!({"dueAt": due, "timeZone": "UTC", "collapseKey": "k"}),
        json!({"threadKey": "k"}),
        json!({}),
    ];
    let prints: HashSet<_> = changed.into_iter().chain([base]).map(print).collect();
    assert_eq!(prints.len(), 10);
    let reminders = |list: Value| print(json!({"dueAt": due, "timeZone": "UTC", "remindBefore": list}));
    assert_eq!(reminders(json!([1, 60])), reminders(json!([60, 1])));
    assert_eq!(print(json!({"timeZone": "UTC"})), print(json!({})), "a zone that nothing uses");
}

proptest! {
    #[test]
    fn no_text_in_the_place_of_a_time_makes_it_panic(text in ".{0,30}", number in any::<i64>(), zone in ".{0,20}") {
        let _ = read(json!({"deliverAt": text, "dueAt": text, "timeZone": zone, "remindBefore": [number]}));
        let _ = read(json!({"dueAt": hours(1), "remindBefore": [number], "escalation": [{"after": number, "topic": text}]}));
    }
}
