//! One action on many items.

use serde_json::{Value, json};

use super::{publish_many, titles};
use crate::harness::*;

const PATH: &str = "/api/notifications/bulk";

fn ids(answer: &Value) -> Vec<&str> {
    answer["ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_filter_chooses_the_changed_items_and_later_arrivals_do_not_change() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    let publish = async |title: &str, kind: &str, priority: &str| {
        let body = json!({"users": ["u1"], "title": title, "kind": kind, "category": "c", "priority": priority});
        cluster.publisher().notify_with(body).await
    };
    let (a, b) = (publish("a", "x", "low").await, publish("b", "y", "high").await);
    let c = publish("c", "x", "high").await;
    let before = user.list("").await["cursor"].clone();
    let d = publish("d", "x", "high").await;
    let bulk = async |filter: Value, before: &Value, action: &str| {
        user.post(PATH, &json!({"filter": filter, "before": before, "action": action})).await.expect(200)
    };
    let read = bulk(json!({"kind": "x", "priority": "high"}), &before, "read").await;
    assert_eq!((ids(&read), &read["unread"]), (vec![c.as_str()], &json!(3)));
    let again = bulk(json!({"kind": "x", "priority": "high"}), &before, "read").await;
    assert_eq!((ids(&again), &again["cursor"]), (vec![], &read["cursor"]), "what is read takes no change");
    let seen = bulk(json!({"category": "c", "unread": true}), &Value::Null, "seen").await;
    assert_eq!(ids(&seen), [&a, &b, &d], "oldest first");
    let named = bulk(json!({"ids": [d, a, a], "kind": "x"}), &before, "archive").await;
    assert_eq!(ids(&named), [&a]);
    assert_eq!(ids(&bulk(json!({"kind": "x", "q": "a"}), &Value::Null, "delete").await), [""; 0], "it is not listed");
    assert_eq!(ids(&bulk(json!({"ids": [a], "q": "A"}), &Value::Null, "delete").await), [&a], "but it can be named");
    assert_eq!(ids(&bulk(json!({"ids": [a]}), &Value::Null, "unread").await), [""; 0], "what is gone is gone");
    let list = user.list("").await;
    assert_eq!((titles(&list), &list["unread"]), (vec!["d", "c", "b"], &json!(2)));
}

#[tokio::test]
async fn what_arrives_after_the_position_stays_unread_over_http_and_web_socket() {
    let cluster = cluster().start().await;
    let (user, admin) = (cluster.user("u1"), cluster.edge().admin());
    admin.put("/api/topic-kinds/team", &json!({"access": "open", "presence": false})).await.expect(200);
    assert!(user.set("/api/topics/team:7/subscription").await.status < 300);
    let publish = async |title: &str| {
        let everyone = if title.ends_with("topic") { json!({"topics": ["team:7"]}) } else { json!({"users": ["u1"]}) };
        let mut body = json!({"title": title, "kind": "k", "priority": "critical"});
        body.as_object_mut().unwrap().extend(everyone.as_object().unwrap().clone());
        let id = cluster.publisher().notify_with(body).await;
        eventually("it has arrived", async || (titles(&user.list("?limit=1").await) == [title]).then_some(())).await;
        id
    };
    let unread =
        async || titles(&user.list("?unreadOnly=true").await).into_iter().map(str::to_owned).collect::<Vec<_>>();
    for way in ["http", "socket", "narrowed"] {
        let mut socket = user.socket(if way == "narrowed" { "?kinds=other&minPriority=low" } else { "" }).await;
        socket.connected().await;
        let (a, b) = (publish("a").await, publish("b of a topic").await);
        let before = user.list("").await["cursor"].clone();
        publish("late").await;
        publish("late of a topic").await;
        let ids = if way == "http" {
            user.post("/api/notifications/read-all", &json!({"before": before})).await.expect(200)["ids"].clone()
        } else {
            let answer = socket.ask(json!({"type": "mark_all_read", "before": before})).await;
            assert_eq!((&answer["type"], &answer["unread"]), (&json!("marked_all_read"), &json!(2)), "{way}");
            json!([a, b])
        };
        assert_eq!(ids, json!([a, b]));
        assert_eq!(unread().await, ["late of a topic", "late"], "{way}");
        user.touch("/api/notifications/read-all").await.expect(200);
        assert_eq!(unread().await, [""; 0], "without a position everything is marked");
    }
}

#[tokio::test]
async fn a_position_of_another_stream_or_of_the_future_marks_nothing() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    cluster.publisher().notify("u1", "a").await;
    cluster.publisher().notify("u2", "b").await;
    let foreign = cluster.user("u2").list("").await["cursor"].clone();
    let cursor = user.list("").await["cursor"].as_str().unwrap().to_owned();
    let ahead = json!(format!("{}.99", cursor.rsplit_once('.').unwrap().0));
    let mut socket = user.socket("").await;
    socket.connected().await;
    for wrong in [foreign, ahead, json!("x"), json!(7)] {
        let problem = user.post("/api/notifications/read-all", &json!({"before": wrong})).await.problem(422);
        assert_eq!(problem["errors"][0]["pointer"], "/before", "{problem}");
        let error = socket.ask(json!({"type": "mark_all_read", "before": wrong})).await;
        assert_eq!((&error["type"], &error["errors"][0]["pointer"]), (&json!("error"), &json!("/before")), "{error}");
    }
    user.post("/api/notifications/read-all", &json!({"until": cursor})).await.problem(422);
    assert_eq!(user.unread().await, 1);
}

#[tokio::test]
async fn a_malformed_bulk_change_does_nothing_and_is_named_by_pointer() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    let id = cluster.publisher().notify("u1", "a").await;
    cluster.publisher().notify("u2", "b").await;
    let foreign = cluster.user("u2").list("").await["cursor"].clone();
    let cursor = user.list("").await["cursor"].as_str().unwrap().to_owned();
    let ahead = format!("{}.99", cursor.rsplit_once('.').unwrap().0);
    let (many, kind) = (vec![id.clone(); 501], json!({"kind": "k"}));
    for (body, pointer) in [
        (json!({"filter": {}, "action": "read"}), "/filter"),
        (json!({"filter": {"kind": null}, "action": "read"}), "/filter"),
        (json!({"filter": {"ids": []}, "action": "read"}), "/filter/ids"),
        (json!({"filter": {"ids": many}, "action": "read"}), "/filter/ids"),
        (json!({"filter": {"ids": ["x"]}, "action": "read"}), "/filter/ids/0"),
        (json!({"filter": {"kind": ""}, "action": "read"}), "/filter/kind"),
        (json!({"filter": {"category": "\u{0}"}, "action": "read"}), "/filter/category"),
        (json!({"filter": {"unread": false}, "action": "read"}), "/filter/unread"),
        (json!({"filter": {"q": " "}, "action": "read"}), "/filter/q"),
        (json!({"filter": {"priority": "urgent"}, "action": "read"}), "/filter/priority"),
        (json!({"filter": {"user": "u2"}, "action": "read"}), "/filter/user"),
        (json!({"filter": kind, "action": "snooze"}), "/action"),
        (json!({"filter": kind, "action": "read", "limit": 1}), "/limit"),
        (json!({"filter": kind, "action": "read", "before": "?"}), "/before"),
        (json!({"filter": kind, "action": "read", "before": ahead}), "/before"),
        (json!({"filter": kind, "action": "read", "before": foreign}), "/before"),
    ] {
        let problem = user.post(PATH, &body).await.problem(422);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
    let stranger =
        cluster.user("u3").post(PATH, &json!({"filter": {"ids": [id]}, "action": "delete"})).await.expect(200);
    assert_eq!(ids(&stranger), [""; 0], "nobody reaches into another inbox");
    assert_eq!(user.list("").await["cursor"], json!(cursor), "nothing was done");
}

#[tokio::test]
async fn a_large_bulk_change_is_several_that_other_tabs_see_whole() {
    let cluster = cluster().start().await;
    publish_many(&cluster, "u1", 4_100).await;
    let user = cluster.user("u1");
    let before = user.list("").await["cursor"].as_str().unwrap().to_owned();
    let answer = user.post(PATH, &json!({"filter": {"kind": "common"}, "action": "archive"})).await.expect(200);
    assert_eq!((&answer["unread"], ids(&answer).len()), (&json!(1), 4_099));
    let list = user.list("").await;
    assert_eq!((titles(&list), &list["total"]), (vec!["n0"], &json!(1)));
    let mut stream = user.resume(&before).await;
    assert_eq!(stream.hello().await["missed"], 3);
    let mut told = Vec::new();
    while told.len() < 4_099 {
        let frame = stream.next().await.json();
        assert_eq!(frame["archived"], true);
        told.extend(ids(&frame).into_iter().map(str::to_owned));
    }
    assert_eq!(stream.cursor.as_deref(), answer["cursor"].as_str());
    told.sort_unstable();
    let mut done = ids(&answer);
    done.sort_unstable();
    assert_eq!(told, done);
}
