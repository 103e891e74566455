//! Seen, snoozed, and items that go by two ids.

use serde_json::{Value, json};
use tokio_postgres::Client;

use super::titles;
use crate::harness::*;

/// The database's time in so many hours.
pub async fn hours_ahead(database: &Client, hours: i32) -> String {
    let ahead = "select to_char((clock_time() + make_interval(hours => $1)) at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')";
    database.query_one(ahead, &[&hours]).await.unwrap().get(0)
}

async fn snooze(user: &Caller, id: &str, until: &str) -> Answer {
    user.post(&format!("/api/notifications/{id}/snooze"), &json!({"until": until})).await
}

#[tokio::test]
async fn a_snoozed_item_leaves_list_and_count_and_every_action_on_it_counts_right() {
    let cluster = cluster().set("TIDINGS_KEEP_DAYS", "800").start().await;
    let (user, database) = (cluster.user("u1"), cluster.postgres.connect().await);
    let mut ids = Vec::new();
    for title in ["a", "b", "c", "d"] {
        ids.push(cluster.publisher().notify("u1", title).await);
    }
    let (soon, later) = (hours_ahead(&database, 1).await, hours_ahead(&database, 24 * 365).await);
    let counts = async |listed: i64, unread: i64| {
        let list = user.list("").await;
        assert_eq!((&list["total"], &list["unread"]), (&json!(listed), &json!(unread)));
        assert_eq!(titles(&list).len() as i64, listed);
    };
    for id in &ids[..3] {
        snooze(&user, id, &soon).await.expect(200);
    }
    counts(1, 1).await;
    let item = user.get(&format!("/api/notifications/{}", ids[0])).await.expect(200);
    assert_eq!(item["snoozedUntil"], json!(soon));
    assert_eq!(snooze(&user, &ids[0], &soon).await.expect(200)["ids"], json!([]), "it is put away until then already");
    assert_eq!(snooze(&user, &ids[0], &later).await.expect(200)["ids"], json!([ids[0]]));
    for step in ["read", "unread", "read", "archive", "read"] {
        user.touch(&format!("/api/notifications/{}/{step}", ids[0])).await.expect(200);
        counts(1, 1).await;
    }
    let archived = user.get(&format!("/api/notifications/{}", ids[0])).await.expect(200);
    assert!(archived["archivedAt"].is_string() && archived.get("snoozedUntil").is_none(), "{archived}");
    snooze(&user, &ids[0], &soon).await.expect(200);
    let snoozed = user.get(&format!("/api/notifications/{}", ids[0])).await.expect(200);
    assert!(snoozed["archivedAt"].is_null() && snoozed["snoozedUntil"].is_string(), "{snoozed}");
    user.delete(&format!("/api/notifications/{}", ids[1])).await.expect(200);
    counts(1, 1).await;
    user.touch("/api/notifications/read-all").await.expect(200);
    counts(1, 0).await;
    let left = "select count(*) from inbox where deleted_at is not null and snoozed_until is not null";
    assert_eq!(
        database.query_one(left, &[]).await.unwrap().get::<_, i64>(0),
        0,
        "a deleted item is forgotten by its index"
    );
}

#[tokio::test]
async fn a_snooze_that_cannot_be_is_refused_by_its_field() {
    let cluster = cluster().set("TIDINGS_KEEP_DAYS", "800").start().await;
    let (user, database) = (cluster.user("u1"), cluster.postgres.connect().await);
    let id = cluster.publisher().notify("u1", "a").await;
    let (past, far) = (hours_ahead(&database, -1).await, hours_ahead(&database, 24 * 367).await);
    for until in [past.as_str(), &far, "9999-12-31T23:59:59Z", "tomorrow", "2026-02-30T00:00:00Z", ""] {
        let problem = snooze(&user, &id, until).await.problem(422);
        assert_eq!(problem["errors"][0]["pointer"], "/until", "{until}: {problem}");
    }
    let soon = hours_ahead(&database, 1).await;
    for (body, pointer) in [
        (json!({}), ""),
        (json!({"until": soon, "for": "1h"}), "/for"),
        (json!({"until": 5}), "/until"),
        (json!({"until": &soon[..19]}), "/until"),
        (json!({"until": "2026-03-29T02:30", "timeZone": "Europe/Berlin"}), "/until"),
        (json!({"until": &soon[..19], "timeZone": "Gone/Zone"}), "/timeZone"),
    ] {
        let problem = user.post(&format!("/api/notifications/{id}/snooze"), &body).await.problem(422);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    snooze(&cluster.user("u2"), &id, &soon).await.problem(404);
    assert_eq!(user.list("").await["cursor"].as_str().unwrap().rsplit_once('.').unwrap().1, "1", "nothing was done");
    user.delete(&format!("/api/notifications/{id}")).await.expect(200);
    snooze(&user, &id, &soon).await.problem(404);
    snooze(&user, &id, &past).await.problem(404);
    // Time is the database's: a time that was too far is near enough a year later.
    let other = cluster.publisher().notify("u1", "b").await;
    database.batch_execute("update clock set shift = interval '300 days'").await.unwrap();
    snooze(&user, &other, &far).await.expect(200);
    let local = json!({"until": &far[..19], "timeZone": "UTC"});
    let same = user.post(&format!("/api/notifications/{other}/snooze"), &local).await.expect(200);
    assert_eq!(same["ids"], json!([]), "the same time, by a zone's clocks");
    assert_eq!(snooze(&user, &other, &soon).await.problem(422)["errors"][0]["pointer"], "/until");
}

#[tokio::test]
async fn a_read_item_is_seen_and_a_seen_item_stays_so() {
    let cluster = cluster().instances(2).start().await;
    let user = cluster.user("u1");
    let ids = [cluster.publisher().notify("u1", "a").await, cluster.publisher().notify("u1", "b").await];
    let mut tab = cluster.edges()[1].user("u1").stream().await;
    tab.hello().await;
    let step = async |id: &str, step: &str| user.touch(&format!("/api/notifications/{id}/{step}")).await.expect(200);
    let item = async |id: &str| user.get(&format!("/api/notifications/{id}")).await.expect(200);
    assert_eq!(step(&ids[0], "seen").await["unread"], 2, "seen is not read");
    let frame = tab.next().await.json();
    assert_eq!((&frame["seen"], &frame["read"], &frame["snoozedUntil"]), (&json!(true), &json!(false), &Value::Null));
    let seen_at = item(&ids[0]).await["seenAt"].clone();
    assert!(seen_at.is_string());
    assert_eq!(step(&ids[0], "seen").await["ids"], json!([]));
    step(&ids[0], "read").await;
    step(&ids[0], "unread").await;
    assert_eq!(item(&ids[0]).await["seenAt"], seen_at, "the first time counts");
    step(&ids[1], "read").await;
    let read = item(&ids[1]).await;
    assert_eq!(read["seenAt"], read["readAt"]);
}

/// Makes an item of two notifications that shows the second, as a thread does.
async fn fold(database: &Client, first: &str, second: &str) {
    let fold = format!(
        "delete from inbox_unread where seq = 1; delete from inbox where seq = 1; \
         update inbox set item_id = '{first}', folded = 2 where notification_id = '{second}'; \
         update notifications set thread_key = 'order:7' where id = '{second}'; \
         update streams set unread = 1, listed = 1"
    );
    database.batch_execute(&fold).await.unwrap();
}

#[tokio::test]
async fn an_item_of_several_notifications_keeps_its_id_and_shows_the_newest() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    let first = cluster.publisher().notify("u1", "first").await;
    let second = cluster.publisher().notify_with(json!({"users": ["u1"], "title": "second", "kind": "k2"})).await;
    fold(&cluster.postgres.connect().await, &first, &second).await;
    let mut live = user.stream_with("?replay=1", None).await;
    live.hello().await;
    for item in [live.next().await.json(), user.list("").await["notifications"][0].clone()] {
        assert_eq!((&item["id"], &item["title"]), (&json!(first), &json!("second")));
        assert_eq!((&item["count"], &item["threadKey"]), (&json!(2), &json!("order:7")));
    }
    for (id, verb) in [(&first, "read"), (&second, "unread"), (&first, "archive")] {
        assert_eq!(user.touch(&format!("/api/notifications/{id}/{verb}")).await.expect(200)["ids"], json!([first]));
        assert_eq!(live.next().await.json()["ids"], json!([first]));
        assert_eq!(user.get(&format!("/api/notifications/{id}")).await.expect(200)["id"], json!(first));
        assert_eq!(user.get(&format!("/api/notifications/{id}/why")).await.expect(200)["kind"], "k2");
    }
    user.delete(&format!("/api/notifications/{first}")).await.expect(200);
    user.get(&format!("/api/notifications/{second}")).await.problem(404);
}
