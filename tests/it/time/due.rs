//! Due items: reminders, escalation, and their end.

use serde_json::{Value, json};
use tokio_postgres::Client;

use super::{at, is_sound, next, only, pass, subscribe};
use crate::harness::*;

async fn callback(database: &Client, publisher: &Caller, more: Value) -> String {
    let mut body = json!({"users": ["agent"], "kind": "callback_due", "title": "call", "priority": "medium"});
    body["dueAt"] = json!(at(database, 3600.0).await);
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    publisher.notify_with(body).await
}

fn state(item: &Value) -> (&str, i64) {
    (item["dueState"].as_str().unwrap_or_default(), item["unread"].as_i64().unwrap())
}

#[tokio::test]
async fn an_item_comes_back_before_at_and_after_its_time_until_a_recipient_acknowledges_it() {
    let cluster = cluster().instances(3).start().await;
    let (database, publisher) = (cluster.postgres.connect().await, cluster.publisher());
    subscribe(&database, "team:leads", &["lead"]).await;
    let steps =
        json!([{"after": 600}, {"after": 1200, "topic": "team:leads"}, {"after": 1800, "priority": "critical"}]);
    let id = callback(&database, &publisher, json!({"remindBefore": [900], "escalation": steps})).await;
    let (agent, lead) = (cluster.user("agent"), cluster.edges()[1].user("lead"));
    let (mut stream, mut leads) = (cluster.edges()[2].user("agent").stream().await, lead.stream().await);
    stream.hello().await;
    leads.hello().await;
    let read = format!("/api/notifications/{id}/read");
    // To the reminder, to the time, to the first step of escalation.
    for (seconds, expected) in [(2701.0, "due"), (900.0, "overdue"), (600.0, "overdue")] {
        agent.touch(&read).await.expect(200);
        assert_eq!(next(&mut stream).await.0, "state");
        pass(&database, seconds).await;
        let (event, item) = next(&mut stream).await;
        assert_eq!((event.as_str(), &item["id"], state(&item)), ("notification", &json!(id), (expected, 1)));
        assert_eq!(only(&agent).await["readAt"], Value::Null);
    }
    pass(&database, 600.0).await;
    assert_eq!(next(&mut stream).await.1["dueState"], "overdue");
    let item = leads.next_of("notification").await.json();
    assert_eq!(
        (&item["reason"], &item["topic"], state(&item)),
        (&json!("topic"), &json!("team:leads"), ("overdue", 1))
    );
    let acknowledged = lead.touch(&format!("/api/notifications/{id}/acknowledge")).await.expect(200);
    assert_eq!((&acknowledged["ids"], &acknowledged["unread"]), (&json!([id]), &json!(0)));
    let (event, told) = next(&mut stream).await;
    assert_eq!((event.as_str(), &told["ids"], &told["dueState"]), ("state", &json!([id]), &json!("acknowledged")));
    let item = only(&agent).await;
    assert_eq!(
        (&item["dueState"], &item["dueBy"], &item["priority"]),
        (&json!("acknowledged"), &json!("lead"), &json!("medium"))
    );

    pass(&database, 86_400.0).await;
    publisher.notify("agent", "after all steps").await;
    let (event, item) = next(&mut stream).await;
    assert_eq!((event.as_str(), &item["title"]), ("notification", &json!("after all steps")), "no step was taken");
    let again = agent.touch(&format!("/api/notifications/{id}/acknowledge")).await.expect(200);
    assert_eq!(again["ids"], json!([]));
    let done = agent.touch(&format!("/api/notifications/{id}/done")).await.expect(200);
    assert_eq!(done["ids"], json!([id]));
    assert_eq!(next(&mut leads).await.1["dueState"], "acknowledged");
    assert_eq!(next(&mut leads).await.1["dueState"], "done");
    is_sound(&database).await;
}

#[tokio::test]
async fn escalation_raises_the_priority_and_publishers_call_it_off() {
    let cluster = cluster().start().await;
    let (database, publisher) = (cluster.postgres.connect().await, cluster.publisher());
    let steps = json!([{"after": 60, "priority": "critical"}, {"after": 120}]);
    let id = callback(&database, &publisher, json!({"escalation": steps, "dueAt": at(&database, -30.0).await})).await;
    let agent = cluster.user("agent");
    let mut stream = agent.stream().await;
    stream.hello().await;
    assert_eq!(only(&agent).await["dueState"], "overdue", "what is published late is overdue at once");
    pass(&database, 31.0).await;
    let (_, item) = next(&mut stream).await;
    assert_eq!((&item["priority"], state(&item)), (&json!("critical"), ("overdue", 1)));
    publisher.delete(&format!("/api/scheduled/{id}")).await.expect(204);
    assert_eq!(next(&mut stream).await.1["dueState"], "cancelled");
    publisher.delete(&format!("/api/scheduled/{id}")).await.problem(409);
    pass(&database, 3600.0).await;
    publisher.notify("agent", "later").await;
    assert_eq!(next(&mut stream).await.1["title"], "later");
    agent.touch(&format!("/api/notifications/{id}/acknowledge")).await.problem(409);
    assert_eq!(agent.get(&format!("/api/notifications/{id}")).await.expect(200)["dueState"], "cancelled");
    is_sound(&database).await;
}

#[tokio::test]
async fn the_steps_of_a_scheduled_publish_begin_with_its_delivery() {
    let cluster = cluster().start().await;
    let (database, publisher) = (cluster.postgres.connect().await, cluster.publisher());
    let more = json!({"deliverAt": at(&database, 3000.0).await, "remindBefore": [3500, 60]});
    callback(&database, &publisher, more).await;
    let agent = cluster.user("agent");
    let mut stream = agent.stream().await;
    stream.hello().await;
    pass(&database, 3001.0).await;
    assert_eq!(state(&next(&mut stream).await.1), ("due", 1));
    pass(&database, 540.0).await;
    assert_eq!(state(&next(&mut stream).await.1), ("due", 1), "the reminder before the delivery is left out");
    pass(&database, 60.0).await;
    assert_eq!(state(&next(&mut stream).await.1), ("overdue", 1));
    is_sound(&database).await;
}

#[tokio::test]
async fn a_snoozed_item_has_no_reminders_and_shows_its_state_afterwards() {
    let cluster = cluster().start().await;
    let (database, publisher) = (cluster.postgres.connect().await, cluster.publisher());
    let id = callback(&database, &publisher, json!({})).await;
    let agent = cluster.user("agent");
    let mut stream = agent.stream().await;
    stream.hello().await;
    let until = at(&database, 7200.0).await;
    agent.post(&format!("/api/notifications/{id}/snooze"), &json!({"until": until})).await.expect(200);
    assert_eq!(next(&mut stream).await.0, "state");
    pass(&database, 3601.0).await;
    let (event, told) = next(&mut stream).await;
    assert_eq!((event.as_str(), &told["dueState"], &told["unread"]), ("state", &json!("overdue"), &json!(0)));
    pass(&database, 3600.0).await;
    let (event, item) = next(&mut stream).await;
    assert_eq!((event.as_str(), state(&item), item.get("snoozedUntil")), ("notification", ("overdue", 1), None));
    agent
        .post(&format!("/api/notifications/{id}/snooze"), &json!({"until": at(&database, 60.0).await}))
        .await
        .expect(200);
    assert_eq!(next(&mut stream).await.0, "state");
    let back = agent.delete(&format!("/api/notifications/{id}/snooze")).await.expect(200);
    assert_eq!((&back["ids"], &back["unread"]), (&json!([id]), &json!(1)));
    assert_eq!(next(&mut stream).await.0, "notification");
    assert_eq!(agent.delete(&format!("/api/notifications/{id}/snooze")).await.expect(200)["ids"], json!([]));
    is_sound(&database).await;
}

#[tokio::test]
async fn an_item_that_is_not_due_cannot_be_acknowledged_and_unknown_topics_of_escalation_are_refused() {
    let cluster = cluster().start().await;
    let (database, publisher) = (cluster.postgres.connect().await, cluster.publisher());
    let id = publisher.notify("agent", "plain").await;
    let agent = cluster.user("agent");
    for step in ["acknowledge", "done"] {
        agent.touch(&format!("/api/notifications/{id}/{step}")).await.problem(409);
        cluster.user("other").touch(&format!("/api/notifications/{id}/{step}")).await.problem(404);
    }
    let steps = json!([{"after": 60}, {"after": 90, "topic": "team:nobody"}]);
    let body = json!({"users": ["agent"], "title": "t", "dueAt": at(&database, 60.0).await, "escalation": steps});
    assert_eq!(publisher.publish(&body).await.problem(422)["errors"][0]["pointer"], "/escalation/1/topic");
    assert_eq!(only(&agent).await["title"], "plain");
}

#[tokio::test]
async fn a_step_never_lowers_a_priority_that_was_raised_while_it_waited() {
    let cluster = cluster().start().await;
    let (database, publisher) = (cluster.postgres.connect().await, cluster.publisher());
    let steps = json!([{"after": 60, "priority": "high"}]);
    let more = json!({"deliverAt": at(&database, 3000.0).await, "escalation": steps, "idempotencyKey": "k"});
    callback(&database, &publisher, more).await;
    let patch = publisher.request(reqwest::Method::PATCH, "/api/scheduled/k").json(&json!({"priority": "critical"}));
    Answer::of(patch).await.expect(200);
    let mut stream = cluster.user("agent").stream().await;
    stream.hello().await;
    for (seconds, state) in [(3001.0, "due"), (600.0, "overdue"), (60.0, "overdue")] {
        pass(&database, seconds).await;
        let (_, item) = next(&mut stream).await;
        assert_eq!((&item["priority"], &item["dueState"]), (&json!("critical"), &json!(state)));
    }
}

#[tokio::test]
async fn after_an_outage_reminders_that_are_over_are_left_out_and_escalation_is_not() {
    let cluster = cluster().start().await;
    let (database, publisher) = (cluster.postgres.connect().await, cluster.publisher());
    let steps = json!([{"after": 60}, {"after": 120}]);
    callback(&database, &publisher, json!({"remindBefore": [600, 300, 60], "escalation": steps})).await;
    let agent = cluster.user("agent");
    pass(&database, 3600.0 + 3600.0).await;
    let log = async || {
        let head = "select head_seq from streams where user_id = 'agent'";
        let waiting = "select count(*) from duties where next_at is not null";
        let done = database.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) == 0;
        done.then_some(database.query_one(head, &[]).await.unwrap().get::<_, i64>(0))
    };
    assert_eq!(eventually("all steps are done", log).await, 4, "the arrival, the time, and two steps after it");
    assert_eq!(only(&agent).await["dueState"], "overdue");
}

#[tokio::test]
async fn an_item_that_was_done_while_snoozed_returns_read() {
    let cluster = cluster().start().await;
    let (database, publisher) = (cluster.postgres.connect().await, cluster.publisher());
    let id = callback(&database, &publisher, json!({})).await;
    let agent = cluster.user("agent");
    let mut stream = agent.stream().await;
    stream.hello().await;
    let until = at(&database, 60.0).await;
    agent.post(&format!("/api/notifications/{id}/snooze"), &json!({"until": until})).await.expect(200);
    agent.touch(&format!("/api/notifications/{id}/done")).await.expect(200);
    pass(&database, 61.0).await;
    let item = stream.next_of("notification").await.json();
    assert_eq!((&item["dueState"], item["readAt"].is_string(), &item["unread"]), (&json!("done"), true, &json!(0)));
    is_sound(&database).await;
}

#[tokio::test]
async fn nothing_is_set_for_a_time_at_which_the_item_has_expired() {
    let cluster = cluster().start().await;
    let (database, publisher) = (cluster.postgres.connect().await, cluster.publisher());
    let times = json!({"dueAt": at(&database, 60.0).await, "expiresAt": at(&database, 600.0).await});
    let mut body = json!({"users": ["agent"], "title": "t", "escalation": [{"after": 550}]});
    body.as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
    assert_eq!(publisher.publish(&body).await.problem(422)["errors"][0]["pointer"], "/expiresAt");
    body["escalation"] = json!([{"after": 500}]);
    let id = publisher.notify_with(body).await;
    let snooze = json!({"until": at(&database, 700.0).await});
    let refused = cluster.user("agent").post(&format!("/api/notifications/{id}/snooze"), &snooze).await.problem(422);
    assert_eq!(refused["errors"][0]["pointer"], "/until");
}

#[tokio::test]
async fn who_has_left_the_team_gets_no_steps_and_ends_nothing_for_the_others() {
    let cluster = cluster().instances(2).start().await;
    let (database, publisher) = (cluster.postgres.connect().await, cluster.publisher());
    subscribe(&database, "team:leads", &["stays", "leaves"]).await;
    let due = at(&database, 3600.0).await;
    let body = json!({"topics": ["team:leads"], "title": "call", "dueAt": due, "remindBefore": [900], "escalation": [{"after": 600}]});
    let (stays, leaves) = (cluster.user("stays"), cluster.edges()[1].user("leaves"));
    let (mut stream, mut gone) = (stays.stream().await, leaves.stream().await);
    stream.hello().await;
    gone.hello().await;
    let id = publisher.notify_with(body).await;
    assert_eq!(
        (&stream.titles(1).await[..], &gone.titles(1).await[..]),
        (&["call".to_owned()][..], &["call".to_owned()][..])
    );
    cluster.edge().admin().delete("/api/topics/team:leads/members/leaves").await.expect(204);
    // The reminder, the time, the step after it.
    for (seconds, expected) in [(2701.0, "due"), (900.0, "overdue"), (600.0, "overdue")] {
        pass(&database, seconds).await;
        assert_eq!(stream.next_of("notification").await.json()["dueState"], expected);
    }
    publisher.notify("leaves", "behind the steps").await;
    assert_eq!(gone.next_of("notification").await.json()["title"], "behind the steps");
    for end in ["acknowledge", "done"] {
        let refused = leaves.touch(&format!("/api/notifications/{id}/{end}")).await.problem(403);
        assert_eq!(refused["type"], "urn:tidings:problem:not-concerned");
    }
    stays.touch(&format!("/api/notifications/{id}/acknowledge")).await.expect(200);
    assert_eq!(gone.next_of("state").await.json()["dueState"], "acknowledged");
    // A user who comes back is one of them again.
    cluster.edge().admin().set("/api/topics/team:leads/subscribers/leaves").await.expect(204);
    leaves.touch(&format!("/api/notifications/{id}/done")).await.expect(200);
    is_sound(&database).await;
}
