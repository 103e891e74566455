//! A user does not wait because other users wait for each other.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::*;

const SETTINGS: &str = "/api/notifications/settings";

/// More than an instance has connections to the database.
const MANY: usize = 10;

async fn patch(caller: &Caller, number: usize) -> Answer {
    let change = json!({"categories": {format!("c{number}"): {"email": true}}});
    Answer::of(caller.request(Method::PATCH, SETTINGS).json(&change)).await
}

#[tokio::test]
async fn changes_that_wait_for_one_lock_keep_no_connection_from_others() {
    let cluster = cluster().start().await;
    let (edge, mut database) = (cluster.edge(), cluster.postgres.connect().await);
    let (busy, other) = (edge.user("busy"), edge.caller(&Token::of("other").tenant("elsewhere")));
    let admin = edge.admin();
    let item = cluster.publisher().notify("busy", "one").await;
    let lock = database.transaction().await.unwrap();
    lock.execute("select from streams where user_id = 'busy' for update", &[]).await.unwrap();

    let patches = join_all((0..MANY).map(|number| patch(&busy, number)));
    let change = json!({"add": ["busy"]});
    let rolls = join_all((0..MANY).map(|_| admin.post("/api/topics/team:7/subscribers", &change)));
    let path = format!("/api/notifications/{item}/read");
    let reads = join_all((0..MANY).map(|_| busy.touch(&path)));
    let waiting = async { tokio::join!(patches, rolls, reads) };
    let others = async {
        eventually("somebody waits for the lock", async || {
            let waiting = "select from pg_stat_activity where wait_event_type = 'Lock'";
            (!cluster.postgres.connect().await.query(waiting, &[]).await.unwrap().is_empty()).then_some(())
        })
        .await;
        for number in 0..MANY {
            patch(&other, number).await.expect(200);
            other.get("/api/notifications").await.expect(200);
        }
        lock.commit().await.unwrap();
    };
    let ((settings, subscribers, states), ()) = tokio::join!(waiting, others);
    for answer in settings.into_iter().chain(subscribers).chain(states) {
        answer.expect(200);
    }
    let kept: Value = busy.get(SETTINGS).await.expect(200);
    assert_eq!(kept["categories"].as_object().unwrap().len(), MANY);
}
