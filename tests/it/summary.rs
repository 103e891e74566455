//! The summary of an inbox and the items that are due soon. Time is moved in the database.

use reqwest::Method;
use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::harness::*;

const SUMMARY: &str = "/api/notifications/summary";
const DUE: &str = "/api/notifications/due-callbacks";

/// A user's desk, and the database behind it.
struct Desk {
    cluster: Cluster,
    database: Client,
}

impl Desk {
    async fn open() -> Self {
        let cluster = cluster().start().await;
        let database = cluster.postgres.connect().await;
        Self { cluster, database }
    }

    fn user(&self) -> Caller {
        self.cluster.user("agent")
    }

    async fn put(&self, title: &str, category: &str, priority: &str) -> String {
        let data = json!({"contact": {"name": "Ann"}, "campaign": "spring"});
        let body =
            json!({"users": ["agent"], "title": title, "category": category, "priority": priority, "data": data});
        self.cluster.publisher().notify_with(body).await
    }

    /// Has an item be due so many minutes from now.
    async fn due(&self, id: &str, minutes: i64) {
        let due = format!(
            "update inbox set due_at = clock_time() + {minutes} * interval '1 minute' where notification_id = '{id}'"
        );
        assert_eq!(self.database.execute(&due, &[]).await.unwrap(), 1);
    }

    /// Has an item be so many minutes old.
    async fn age(&self, id: &str, minutes: i64) {
        let age =
            format!("update notifications set created_at = now() - {minutes} * interval '1 minute' where id = '{id}'");
        assert_eq!(self.database.execute(&age, &[]).await.unwrap(), 1);
    }

    /// Moves the time by so many minutes from where it began.
    async fn move_clock(&self, minutes: i64) {
        let shift = format!("update clock set shift = {minutes} * interval '1 minute'");
        self.database.execute(&shift, &[]).await.unwrap();
    }

    async fn summary(&self) -> Value {
        self.user().get(SUMMARY).await.expect(200)
    }

    /// The four lines of the issue, published in another order than they matter in.
    async fn four_lines(&self) -> [String; 4] {
        let system = self.put("system", "system", "medium").await;
        let missed = self.put("missed", "missedCalls", "high").await;
        let soon = self.put("soon", "callbacks", "high").await;
        let overdue = self.put("overdue", "callbacks", "high").await;
        self.age(&missed, 45).await;
        self.due(&soon, 30).await;
        self.due(&overdue, -120).await;
        [overdue, soon, missed, system]
    }
}

fn titles(answer: &Value) -> Vec<&str> {
    answer["notifications"].as_array().unwrap().iter().map(|item| item["title"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_four_lines_of_a_desk_come_in_their_order() {
    let desk = Desk::open().await;
    let ids = desk.four_lines().await;
    let answer = desk.summary().await;
    assert_eq!(titles(&answer), ["overdue", "soon", "missed", "system"]);
    assert_eq!(answer["breakdown"], json!({"system": 1, "callbacks": 1, "overdueCallbacks": 1, "missedCalls": 1}));
    let list = desk.user().list("").await;
    assert_eq!((&answer["unreadCount"], &answer["isExact"]), (&json!(4), &json!(true)));
    assert_eq!(answer["cursor"], list["cursor"]);
    assert_eq!(answer["notifications"][3], list["notifications"][3], "items are those of the list");
    assert_eq!(answer["notifications"][0]["id"], ids[0]);
}

#[tokio::test]
async fn only_relevant_items_count_and_urgent_ones_come_first() {
    let desk = Desk::open().await;
    let [overdue, ..] = desk.four_lines().await;
    let user = desk.user();
    // A due item counts although it is read; an item that is read, far away, archived or deleted does not.
    user.touch(&format!("/api/notifications/{overdue}/read")).await.expect(200);
    desk.due(&desk.put("tomorrow", "callbacks", "critical").await, 30 * 60).await;
    desk.age(&desk.put("long missed", "missedCalls", "critical").await, 5 * 60).await;
    desk.age(&desk.put("old", "news", "low").await, 30 * 24 * 60).await;
    desk.put("critical", "news", "critical").await;
    let archived = desk.put("archived", "callbacks", "high").await;
    let read = desk.put("read", "callbacks", "high").await;
    desk.due(&archived, 5).await;
    user.touch(&format!("/api/notifications/{archived}/archive")).await.expect(200);
    user.touch(&format!("/api/notifications/{read}/read")).await.expect(200);
    let body = json!({"users": ["agent"], "kind": "unknown", "title": "without a category"});
    desk.cluster.publisher().notify_with(body).await;

    let answer = desk.summary().await;
    let expected = ["critical", "overdue", "soon", "missed", "without a category", "system", "old"];
    assert_eq!(titles(&answer), expected);
    let counts = json!({"system": 1, "callbacks": 1, "overdueCallbacks": 1, "missedCalls": 1, "news": 2, "other": 1});
    assert_eq!(answer["breakdown"], counts);
    assert_eq!(answer["unreadCount"], user.unread().await);
    let short = user.get(&format!("{SUMMARY}?limit=2")).await.expect(200);
    assert_eq!((titles(&short), &short["breakdown"]), (expected[..2].to_vec(), &counts));
}

#[tokio::test]
async fn the_answer_changes_with_time_and_its_etag_with_it() {
    let desk = Desk::open().await;
    desk.four_lines().await;
    let tag = desk.user().get(SUMMARY).await.header("etag").to_owned();
    let again = || async { Answer::of(desk.user().request(Method::GET, SUMMARY).header("If-None-Match", &tag)).await };
    let unchanged = again().await;
    assert_eq!((unchanged.status, unchanged.text.as_str()), (304, ""));
    assert_eq!((unchanged.header("etag"), unchanged.header("cache-control")), (tag.as_str(), "no-cache"));
    desk.move_clock(31).await;
    assert_eq!(again().await.expect(200)["breakdown"], json!({"system": 1, "overdueCallbacks": 2, "missedCalls": 1}));
    desk.move_clock(4 * 60).await;
    assert_eq!(again().await.expect(200)["breakdown"], json!({"system": 1, "overdueCallbacks": 2}));
    desk.move_clock(0).await;
    assert_eq!(again().await.status, 304);
    desk.put("more", "system", "low").await;
    assert_eq!(again().await.expect(200)["breakdown"]["system"], 2);
}

#[tokio::test]
async fn administrators_say_for_how_long_a_category_matters() {
    let desk = Desk::open().await;
    desk.four_lines().await;
    let admin = desk.cluster.edge().admin();
    let set = async |relevance: Value| {
        let put = admin.request(Method::PUT, "/api/tenant/settings").header("If-Match", "*");
        Answer::of(put.json(&json!({"relevance": relevance}))).await
    };
    for (relevance, pointer) in [
        (json!({"system": 59}), "/relevance/system"),
        (json!({"system": 2_592_001}), "/relevance/system"),
        (json!({"a b": 60}), "/relevance/a b"),
        (json!((0..201).map(|n| (format!("c{n}"), 60)).collect::<std::collections::BTreeMap<_, _>>()), "/relevance"),
    ] {
        assert_eq!(set(relevance).await.problem(422)["errors"][0]["pointer"], pointer);
    }
    let relevance = json!({"missedCalls": 2_640, "system": 2_592_000, "callbacks": 60});
    assert_eq!(set(relevance.clone()).await.expect(200)["relevance"], relevance);
    assert_eq!(titles(&desk.summary().await), ["overdue", "soon", "system"], "what is due matters however old it is");
    set(json!({})).await.expect(200);
    assert_eq!(titles(&desk.summary().await), ["overdue", "soon", "missed", "system"]);
}

#[tokio::test]
async fn a_summary_looks_through_so_much_and_says_so() {
    let desk = Desk::open().await;
    for first in [0, 250] {
        let batch: Vec<_> = (first..first + 250)
            .map(|n| json!({"users": ["agent"], "title": n.to_string(), "category": "c"}))
            .collect();
        desk.cluster.publisher().post("/api/notifications/batch", &json!(batch)).await.expect(200);
    }
    let first = desk.cluster.user("agent").list("?limit=1&offset=499").await["notifications"][0]["id"].clone();
    desk.cluster.user("agent").touch(&format!("/api/notifications/{}/read", first.as_str().unwrap())).await.expect(200);
    let exact = desk.summary().await;
    assert_eq!((&exact["breakdown"], &exact["isExact"]), (&json!({"c": 499}), &json!(true)));
    assert_eq!((titles(&exact).len(), titles(&exact)[0]), (10, "499"));
    for title in ["500", "501"] {
        desk.put(title, "c", "medium").await;
    }
    let bounded = desk.summary().await;
    assert_eq!((&bounded["breakdown"], &bounded["isExact"]), (&json!({"c": 500}), &json!(false)));
    assert_eq!(bounded["unreadCount"], 501);
    for query in ["limit=0", "limit=51", "limit=x", "category=c"] {
        desk.user().get(&format!("{SUMMARY}?{query}")).await.problem(400);
    }
    let nothing = desk.cluster.user("somebody").get(SUMMARY).await.expect(200);
    assert_eq!((&nothing["notifications"], &nothing["breakdown"]), (&json!([]), &json!({})));
}

#[tokio::test]
async fn items_due_soon_come_with_minutes_and_the_person_to_call() {
    let desk = Desk::open().await;
    let [overdue, soon, ..] = desk.four_lines().await;
    let user = desk.user();
    let got = user.get(DUE).await;
    let answer = got.expect(200);
    let callbacks = answer["callbacks"].as_array().unwrap();
    assert_eq!((callbacks.len(), &answer["hasMore"]), (2, &json!(false)));
    let (first, second) = (&callbacks[0], &callbacks[1]);
    assert_eq!((&first["id"], &first["overdue"]), (&json!(overdue), &json!(true)));
    assert_eq!((&first["minutesLate"], &first["minutesLeft"]), (&json!(120), &Value::Null));
    assert_eq!((&second["id"], &second["overdue"]), (&json!(soon), &json!(false)));
    assert_eq!((&second["minutesLeft"], &second["minutesLate"]), (&json!(30), &Value::Null));
    assert_eq!((&second["contact"], &second["campaign"]), (&json!({"name": "Ann"}), &json!("spring")));
    assert_eq!(second["data"], json!({"contact": {"name": "Ann"}, "campaign": "spring"}));
    assert_eq!((&second["priority"], &second["actionUrl"]), (&json!("high"), &Value::Null));
    let again = Answer::of(user.request(Method::GET, DUE).header("If-None-Match", got.header("etag"))).await;
    // The minute may have passed meanwhile.
    assert!(again.status == 304 || again.expect(200) != answer);

    desk.move_clock(60).await;
    let later = user.get(DUE).await.expect(200);
    assert_eq!(
        (&later["callbacks"][0]["minutesLate"], &later["callbacks"][1]["minutesLate"]),
        (&json!(180), &json!(30))
    );
    let other =
        desk.cluster.publisher().notify_with(json!({"users": ["agent"], "title": "t", "category": "visits"})).await;
    desk.due(&other, 24 * 60 + 5).await;
    assert_eq!(user.get(&format!("{DUE}?category=visits")).await.expect(200)["callbacks"], json!([]));
    desk.move_clock(70).await;
    let visit = &user.get(&format!("{DUE}?category=visits")).await.expect(200)["callbacks"][0];
    assert_eq!((&visit["id"], &visit["contact"], &visit["data"]), (&json!(other), &Value::Null, &Value::Null));
    for query in ["category=", "limit=5"] {
        user.get(&format!("{DUE}?{query}")).await.problem(400);
    }
    assert_eq!(desk.cluster.user("somebody").get(DUE).await.expect(200), json!({"callbacks": [], "hasMore": false}));
}

#[tokio::test]
async fn more_than_an_answer_holds_is_said_to_follow() {
    let desk = Desk::open().await;
    let batch: Vec<_> =
        (0..101).map(|n| json!({"users": ["agent"], "title": n.to_string(), "category": "callbacks"})).collect();
    desk.cluster.publisher().post("/api/notifications/batch", &json!(batch)).await.expect(200);
    let due = "update inbox set due_at = clock_time() - seq * interval '1 minute'";
    desk.database.execute(due, &[]).await.unwrap();
    let answer = desk.user().get(DUE).await.expect(200);
    assert_eq!((answer["callbacks"].as_array().unwrap().len(), &answer["hasMore"]), (100, &json!(true)));
    assert_eq!((&answer["callbacks"][0]["title"], &answer["callbacks"][99]["title"]), (&json!("100"), &json!("1")));
}
