use serde_json::{Value, json};

use super::*;
use crate::domain::{
    channel::{Cause, Channel, Decision},
    kinds::{Kinds, SHIPPED, Seed},
    preferences_in_force::{InForce, Standing},
    user::Tenant,
};

fn tenant() -> Tenant {
    "t".parse().unwrap()
}

fn check(before: &Preferences, document: &Value) -> Vec<String> {
    let kinds = Kinds::new(Seed::parse(SHIPPED).unwrap());
    let checks = Checks { tenant: &tenant(), kinds: &kinds, now: Utc::now() };
    let result = Preferences::parse(document).and_then(|preferences| preferences.check(before, &checks));
    result.err().map_or_else(Vec::new, |Problems(list)| list.into_iter().map(|problem| problem.pointer).collect())
}

fn hours(field: &str, value: Value) -> Value {
    let mut hours = json!({"from": "22:00", "to": "07:00", "timeZone": "Europe/Berlin"});
    hours[field] = value;
    json!({"quietHours": hours})
}

#[test]
fn faults_are_named_by_pointer() {
    let many: serde_json::Map<_, _> = (0..201).map(|n| (format!("c{n}"), json!({"toast": true}))).collect();
    for (document, pointer) in [
        (json!([]), ""),
        (json!({"surprise": 1}), "/surprise"),
        (json!({"categories": {"a/b": {"toast": true}}}), "/categories/a~1b"),
        (json!({"categories": {"a": {"fax": true}}}), "/categories/a/fax"),
        (json!({"kinds": {"a.b": {"toast": "yes"}}}), "/kinds/a.b/toast"),
        (json!({"kinds": {"": {"toast": true}}}), "/kinds/"),
        (json!({"kinds": {"call_escalation": {"push": false}}}), "/kinds/call_escalation/push"),
        (json!({"categories": many}), ""),
        (hours("from", json!("24:00")), "/quietHours/from"),
        (hours("from", json!("9:00")), "/quietHours/from"),
        (hours("to", json!("07:60")), "/quietHours/to"),
        (hours("to", json!("22:00")), "/quietHours/to"),
        (hours("timeZone", json!("Mars/Olympus")), "/quietHours/timeZone"),
        (hours("days", json!([])), "/quietHours/days"),
        (hours("days", json!(["monday"])), "/quietHours/days/0"),
        (hours("more", json!(1)), "/quietHours/more"),
        (json!({"quietHours": {"from": "22:00"}}), "/quietHours"),
        (json!({"muteUntil": "tomorrow"}), "/muteUntil"),
        (json!({"muteUntil": "2200-01-01T00:00:00Z"}), "/muteUntil"),
        (json!({"muteUntil": "9999-12-31T23:59:59-23:00"}), "/muteUntil"),
    ] {
        assert_eq!(check(&Preferences::default(), &document), [pointer], "{document}");
    }
    for document in [
        json!({}),
        json!({"kinds": {"call_escalation": {"push": true, "email": false}}}),
        json!({"muteUntil": "forever", "inForce": {"whatever": 1}}),
        json!({"problems": [1]}),
        hours("days", json!(["sun", "mon", "mon"])),
        hours("timeZone", json!("europe/kiev")),
    ] {
        assert_eq!(check(&Preferences::default(), &document), [""; 0], "{document}");
    }
}

#[test]
fn entries_of_an_earlier_document_are_not_checked_again() {
    let before = Preferences::parse(&json!({"kinds": {"call_escalation": {"push": false}},
        "quietHours": {"from": "22:00", "to": "07:00", "timeZone": "Gone/Zone"}}));
    let before = before.unwrap();
    let mut document = serde_json::to_value(&before).unwrap();
    document["muteUntil"] = json!("forever");
    assert_eq!(check(&before, &document), [""; 0]);
    document["kinds"]["call_escalation"]["toast"] = json!(false);
    assert_eq!(check(&before, &document), ["/kinds/call_escalation/toast"]);
}

#[test]
fn a_zone_is_kept_by_its_name_of_today_and_one_that_is_gone_is_a_problem() {
    let read = |zone: &str| Preferences::parse(&hours("timeZone", json!(zone))).unwrap();
    let old = read("asia/calcutta");
    assert_eq!(old, read("Asia/Kolkata"));
    assert_eq!(serde_json::to_value(&old).unwrap()["quietHours"]["timeZone"], "Asia/Kolkata");
    assert_eq!((old.problems(), Preferences::default().problems()), (vec![], vec![]));
    let gone = read("Gone/Zone");
    assert_eq!(serde_json::to_value(&gone).unwrap()["quietHours"]["timeZone"], "Gone/Zone");
    assert_eq!(gone.problems()[0].pointer, "/quietHours/timeZone");
}

#[test]
fn a_merge_patch_changes_the_fields_that_it_names_and_null_removes() {
    let before = Preferences::parse(&json!({"categories": {"a": {"toast": false, "email": true}, "b": {"sms": true}},
        "muteUntil": "forever"}));
    let patch = json!({"categories": {"a": {"toast": null, "push": true}, "b": null}, "muteUntil": null, "kinds": {"k": {"sms": true}}});
    let after = before.unwrap().patched(&patch).unwrap();
    assert_eq!(
        serde_json::to_value(&after).unwrap(),
        json!({"categories": {"a": {"email": true, "push": true}}, "kinds": {"k": {"sms": true}}})
    );
    assert_eq!(after.patched(&json!([])).unwrap_err().0[0].pointer, "");
    assert_eq!(after.patched(&json!({"kinds": 1})).unwrap_err().0[0].pointer, "/kinds");
}

#[test]
fn channels_in_force_name_their_cause() {
    let kinds = Kinds::new(Seed::parse(SHIPPED).unwrap());
    let preferences = json!({"categories": {"payments": {"email": true}, "mine": {"inbox": false}},
        "kinds": {"payment_received": {"push": false}, "own": {"sms": true}}});
    let shown = InForce::of(&Preferences::parse(&preferences).unwrap(), &kinds, &tenant());
    let standing = |on, cause| Standing { on, cause };
    let payment = &shown.kinds["payment_received"].channels;
    assert_eq!(payment[&Channel::Push], standing(false, Cause::KindPreference));
    assert_eq!(payment[&Channel::Email], standing(true, Cause::CategoryPreference));
    assert_eq!(payment[&Channel::Browser], standing(true, Cause::KindDefault));
    assert_eq!(shown.kinds["call_escalation"].channels[&Channel::Inbox], standing(true, Cause::Mandatory));
    assert_eq!(shown.kinds["own"].channels[&Channel::Sms], standing(true, Cause::KindPreference));
    assert_eq!(shown.categories["mine"][&Channel::Toast], standing(false, Cause::NotInInbox));
    assert_eq!(shown.categories["payments"][&Channel::Inbox], standing(true, Cause::Default));
    assert!(shown.categories.contains_key("tickets"));
    assert_eq!(Preferences::default().standing("k", None, Decision::PLAIN), Decision::PLAIN);
}

#[test]
fn categories_and_kinds_are_counted_together_up_to_the_most() {
    let entries = |categories: usize, kinds: usize| {
        let named =
            |count| (0..count).map(|n| (format!("n{n}"), json!({"toast": true}))).collect::<serde_json::Map<_, _>>();
        check(&Preferences::default(), &json!({"categories": named(categories), "kinds": named(kinds)}))
    };
    assert_eq!((entries(200, 0), entries(150, 50)), (vec![], vec![]));
    assert_eq!(entries(150, 51), [""]);
}
