//! The inbox over HTTP: list, pages, filters, states, counts.

mod bulk;
mod model;
mod search;
mod snooze;

use serde_json::{Value, json};

use crate::harness::*;

fn titles(list: &Value) -> Vec<&str> {
    list["notifications"].as_array().unwrap().iter().map(|item| item["title"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_list_is_newest_first_with_counts_and_a_cursor() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    let empty = user.list("").await;
    assert_eq!((&empty["notifications"], &empty["total"], &empty["unread"]), (&json!([]), &json!(0), &json!(0)));
    assert_eq!((&empty["hasMore"], &empty["nextPage"]), (&json!(false), &json!(null)));
    assert!(empty["cursor"].as_str().unwrap().ends_with(".0"));
    for title in ["a", "b", "c"] {
        cluster.publisher().notify("u1", title).await;
    }
    let list = user.list("").await;
    assert_eq!(titles(&list), ["c", "b", "a"]);
    assert_eq!((&list["total"], &list["unread"]), (&json!(3), &json!(3)));
    assert!(list["cursor"].as_str().unwrap().ends_with(".3"));
}

#[tokio::test]
async fn pages_stay_put_while_newer_items_arrive() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    for index in 0..7 {
        cluster.publisher().notify("u1", &format!("n{index}")).await;
    }
    let mut seen = Vec::new();
    let mut query = "?limit=3".to_owned();
    loop {
        let list = user.list(&query).await;
        assert!(list["total"].as_i64().unwrap() >= 7);
        seen.extend(titles(&list).into_iter().map(str::to_owned));
        cluster.publisher().notify("u1", "newer").await;
        let Some(next) = list["nextPage"].as_str() else {
            assert_eq!(list["hasMore"], false);
            break;
        };
        query = format!("?limit=3&page={next}");
    }
    assert_eq!(seen, ["n6", "n5", "n4", "n3", "n2", "n1", "n0"]);
    assert_eq!(titles(&user.list("?limit=2&offset=3").await), ["n6", "n5"]);
}

#[tokio::test]
async fn filters_choose_the_items_that_are_listed_and_counted() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    for (title, kind, category, priority) in
        [("a", "x", "pay", "low"), ("b", "y", "pay", "high"), ("c", "x", "ops", "high"), ("d", "y", "ops", "critical")]
    {
        let body = json!({"users": ["u1"], "title": title, "kind": kind, "category": category, "priority": priority});
        let id = cluster.publisher().notify_with(body).await;
        if title == "b" {
            user.touch(&format!("/api/notifications/{id}/read")).await.expect(200);
        }
    }
    for (query, expected) in [
        ("?kind=x", vec!["c", "a"]),
        ("?category=pay", vec!["b", "a"]),
        ("?priority=high", vec!["c", "b"]),
        ("?unreadOnly=true", vec!["d", "c", "a"]),
        ("?kind=y&unreadOnly=true", vec!["d"]),
        ("?kind=x&category=ops&priority=low", vec![]),
    ] {
        let list = user.list(query).await;
        assert_eq!(titles(&list), expected, "{query}");
        assert_eq!((&list["total"], &list["unread"]), (&json!(expected.len()), &json!(3)), "{query}");
    }
}

#[tokio::test]
async fn states_are_shown_and_counted_authoritatively() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    let mut ids = Vec::new();
    for title in ["a", "b", "c"] {
        ids.push(cluster.publisher().notify("u1", title).await);
    }
    let path = |index: usize| format!("/api/notifications/{}", ids[index]);
    let step = async |path: String, unread: i64| {
        let answer = user.touch(&path).await.expect(200);
        assert_eq!(answer["unread"], unread, "{path}");
        assert_eq!(user.unread().await, unread, "{path}");
        assert_eq!(user.list("").await["unread"], unread, "{path}");
    };
    step(path(0) + "/read", 2).await;
    step(path(0) + "/read", 2).await;
    assert!(user.get(&path(0)).await.expect(200)["readAt"].is_string());
    step(path(0) + "/unread", 3).await;
    assert!(user.get(&path(0)).await.expect(200)["readAt"].is_null());
    step(path(1) + "/archive", 2).await;
    step(path(1) + "/read", 2).await;
    assert_eq!(titles(&user.list("").await), ["c", "a"]);
    assert_eq!(user.delete(&path(2)).await.expect(200)["unread"], 1);
    user.get(&path(2)).await.problem(404);
    user.touch(&(path(2) + "/read")).await.problem(404);
    user.delete(&path(2)).await.problem(404);
    step("/api/notifications/read-all".to_owned(), 0).await;
    assert_eq!(user.list("").await["total"], 1);
}

#[tokio::test]
async fn the_unread_count_survives_a_storm_of_changes() {
    let cluster = cluster().instances(2).start().await;
    let edges = cluster.edges();
    let mut ids = Vec::new();
    for index in 0..20 {
        ids.push(cluster.publisher().notify("u1", &format!("n{index}")).await);
    }
    let storm = (0..160_usize).map(|step| {
        let user = edges[step % 2].user("u1");
        let publisher = edges[step % 2].publisher();
        let path = format!("/api/notifications/{}", ids[step * 7 % ids.len()]);
        async move {
            match step % 8 {
                0 => drop(publisher.notify("u1", "more").await),
                1 | 2 => drop(user.touch(&format!("{path}/unread")).await),
                3 => drop(user.touch(&format!("{path}/archive")).await),
                4 => drop(user.delete(&path).await),
                5 if step % 32 == 5 => drop(user.touch("/api/notifications/read-all").await),
                _ => drop(user.touch(&format!("{path}/read")).await),
            }
        }
    });
    futures_util::future::join_all(storm).await;
    let user = cluster.user("u1");
    let list = user.list("?unreadOnly=true").await;
    assert_eq!(list["total"], list["unread"]);
    let whole = user.list("?limit=100").await;
    assert_eq!(whole["total"], titles(&whole).len(), "counted under the lock and by hand");
    let unread = whole["notifications"].as_array().unwrap().iter().filter(|item| item["readAt"].is_null());
    assert_eq!(whole["unread"], unread.count(), "counted under the lock and by hand");
    assert_eq!(titles(&list).len() as u64, whole["unread"].as_u64().unwrap().min(20));
}

/// Publishes so many items to `user`, the first of a kind of its own.
async fn publish_many(cluster: &Cluster, user: &str, count: usize) {
    let bodies: Vec<_> = (0..count)
        .map(|index| json!({"users": [user], "title": format!("n{index}"), "kind": if index == 0 { "rare" } else { "common" }}))
        .collect();
    for chunk in bodies.chunks(1_000) {
        cluster.publisher().post("/api/notifications/batch", &json!(chunk)).await.expect(200);
    }
}

#[tokio::test]
async fn a_rare_kind_in_a_large_inbox_is_found_page_by_page() {
    let cluster = cluster().start().await;
    publish_many(&cluster, "u1", 2_100).await;
    let user = cluster.user("u1");
    let newest = user.list("?kind=rare").await;
    assert_eq!((&newest["notifications"], &newest["total"]), (&json!([]), &json!(0)));
    assert_eq!((&newest["totalIsExact"], &newest["hasMore"]), (&json!(false), &json!(true)));
    let mut list = newest;
    let mut answers = 1;
    while let Some(next) = list["nextPage"].as_str() {
        list = user.list(&format!("?kind=rare&page={next}")).await;
        answers += 1;
    }
    assert_eq!((titles(&list), answers), (vec!["n0"], 3));
    let common = user.list("?kind=common&limit=5").await;
    assert_eq!((titles(&common).len(), &common["hasMore"]), (5, &json!(true)));
    let whole = user.list("").await;
    assert_eq!((&whole["total"], &whole["totalIsExact"]), (&json!(2_100), &json!(true)));
}

#[tokio::test]
async fn a_large_inbox_is_read_in_several_changes_that_other_tabs_see_whole() {
    let cluster = cluster().start().await;
    publish_many(&cluster, "u1", 2_100).await;
    let user = cluster.user("u1");
    let before = user.list("").await["cursor"].as_str().unwrap().to_owned();
    let answer = user.touch("/api/notifications/read-all").await.expect(200);
    assert_eq!((&answer["unread"], answer["ids"].as_array().unwrap().len()), (&json!(0), 2_100));
    let mut stream = user.resume(&before).await;
    assert_eq!(stream.hello().await["missed"], 2);
    let mut ids = Vec::new();
    while ids.len() < 2_100 {
        ids.extend(stream.next().await.json()["ids"].as_array().unwrap().clone());
    }
    assert_eq!(ids, *answer["ids"].as_array().unwrap());
    assert_eq!(stream.cursor.as_deref(), answer["cursor"].as_str());
}

#[tokio::test]
async fn a_stored_value_that_cannot_be_read_is_an_error_and_logged_once() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    cluster.publisher().notify("u1", "a").await;
    cluster.publisher().notify("u2", "b").await;
    let client = cluster.postgres.connect().await;
    client.execute("update notifications set priority = 9 where title = 'a'", &[]).await.unwrap();
    for _ in 0..3 {
        user.get("/api/notifications").await.problem(503);
    }
    assert_eq!(titles(&cluster.user("u2").list("").await), ["b"]);
    let line = "stored, but not readable: a row: 9 is no rank of a priority";
    assert_eq!(cluster.instances[0].log().matches(line).count(), 1);
    client.execute("update notifications set priority = 3 where title = 'a'", &[]).await.unwrap();
    assert_eq!(titles(&user.list("").await), ["a"]);
}
