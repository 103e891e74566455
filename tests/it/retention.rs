//! Items that leave by themselves: clients get the expiry, and the purge resets clients that were away too long.

use chrono::{Duration, Utc};
use serde_json::json;

use crate::harness::*;

#[tokio::test]
async fn an_expired_notification_leaves_with_a_change_of_state_on_every_instance() {
    let cluster = cluster().instances(2).set("TIDINGS_SWEEP_SECONDS", "0.2").start().await;
    let mut stream = cluster.instances[1].edge().user("u1").stream().await;
    stream.hello().await;
    let soon = (Utc::now() + Duration::seconds(2)).to_rfc3339();
    let body = json!({"users": ["u1"], "title": "short-lived", "expiresAt": soon});
    let id = cluster.publisher().notify_with(body).await;
    cluster.publisher().notify("u1", "stays").await;
    assert_eq!(stream.titles(2).await, ["short-lived", "stays"]);
    let frame = stream.next().await;
    assert!(frame.is("state"), "{frame:?}");
    let data = frame.json();
    assert_eq!((&data["ids"], &data["deleted"], &data["unread"]), (&json!([id]), &json!(true), &json!(1)));
    let user = cluster.user("u1");
    let list = user.list("").await;
    assert_eq!((&list["total"], &list["unread"], &list["cursor"]), (&json!(1), &json!(1), &json!(stream.cursor)));
    user.get(&format!("/api/notifications/{id}")).await.problem(404);
}

#[tokio::test]
async fn a_cursor_below_the_purge_is_reset_and_a_later_one_resumes() {
    let cluster = cluster().set("TIDINGS_SWEEP_SECONDS", "0.2").start().await;
    let user = cluster.user("u1");
    let start = user.list("").await["cursor"].as_str().unwrap().to_owned();
    cluster.publisher().notify("u1", "old").await;
    let database = cluster.postgres.connect().await;
    database.execute("update notifications set expires_at = now()", &[]).await.unwrap();
    eventually("it is swept", async || (user.list("").await["total"] == 0).then_some(())).await;
    let mut stream = user.resume(&start).await;
    assert_eq!(stream.hello().await["verdict"], "resumed", "what was swept is still known");

    database.execute("update notifications set swept_at = now() - interval '30 days'", &[]).await.unwrap();
    eventually("it is forgotten", async || {
        let row = database.query_one("select count(*) from notifications", &[]).await.unwrap();
        (row.get::<_, i64>(0) == 0).then_some(())
    })
    .await;
    let hello = user.resume(&start).await.hello().await;
    assert_eq!((&hello["verdict"], &hello["reason"]), (&json!("reset"), &json!("pruned")));
    let head = user.list("").await["cursor"].as_str().unwrap().to_owned();
    assert_eq!(user.resume(&head).await.hello().await["verdict"], "resumed");
}

#[tokio::test]
async fn a_key_is_known_until_its_notification_is_forgotten() {
    let cluster = cluster().set("TIDINGS_SWEEP_SECONDS", "0.2").start().await;
    let body = json!({"users": ["u1"], "title": "t", "idempotencyKey": "k"});
    let first = cluster.publisher().notify_with(body.clone()).await;
    let database = cluster.postgres.connect().await;
    database.execute("update notifications set expires_at = now()", &[]).await.unwrap();
    let user = cluster.user("u1");
    eventually("it is swept", async || (user.list("").await["total"] == 0).then_some(())).await;
    assert_eq!(cluster.publisher().notify_with(body).await, first);
    assert_eq!(user.list("").await["total"], 0, "a repeat stores nothing");
}

#[tokio::test]
async fn a_new_life_of_a_stream_resets_old_cursors() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    cluster.publisher().notify("u1", "t").await;
    let cursor = user.list("").await["cursor"].as_str().unwrap().to_owned();
    let database = cluster.postgres.connect().await;
    database.batch_execute("delete from inbox; delete from streams").await.unwrap();
    let hello = user.resume(&cursor).await.hello().await;
    assert_eq!((&hello["verdict"], &hello["reason"]), (&json!("reset"), &json!("epoch")));
}
