//! No hot query reads more than it has to: the plans of the server's real statements, from Postgres' own log.
//!
//! `auto_explain` writes the plan of every statement into the server's log while the API is driven.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio_postgres::Client;

use crate::harness::*;

/// The tables that grow.
const TABLES: [&str; 17] = [
    "account_changes",
    "bursts",
    "duties",
    "folded",
    "inbox",
    "inbox_changes",
    "inbox_unread",
    "notifications",
    "preferences",
    "presence_rows",
    "present_users",
    "scheduled",
    "streams",
    "subscriptions",
    "topic_members",
    "topics",
    "withheld",
];
/// Most rows that one node of a plan may look at: far fewer than the large inbox has, more than any statement may need.
const MOST_ROWS: f64 = 4_000.0;
/// Most pages that a statement may look at on behalf of one request.
const MOST_PAGES: u64 = 15_000;

/// Words by which each hot statement is known; all must have been seen.
const STATEMENTS: [(&str, &str); 59] = [
    ("append", "insert into notifications"),
    ("unknown topics", "known.is_there is null"),
    ("beginning of a fan-out", "insert into fanouts"),
    ("subscribers", r#""subscriptions"."user_id" > $3"#),
    ("everyone", r#""streams"."user_id" > $2"#),
    ("locks of many streams", "do update set head_seq = s.head_seq where false"),
    ("whom a chunk reaches", "The recipients of a notification among some users"),
    ("items on top", "Inserts items at the head of inboxes"),
    ("connected first", "from subscriptions as s where s.tenant = $3"),
    ("what a fan-out has left", "How many users a fan-out"),
    ("publishes that are more than an item", "Writes publishes that are more than an item"),
    ("what named users get", "The decision for each user that publishes name"),
    ("items of a thread", "i.thread_key = asked.thread_key"),
    ("windows of a kind", "insert into bursts"),
    ("parts of an item", r#"INSERT INTO "folded""#),
    ("what waits, by its time", r#""scheduled"."deliver_at" >="#),
    ("what waits and is sent", "delete from scheduled"),
    ("whose turn it is", "with recursive walk"),
    ("ends of snoozes", "where tenant = $2 and snoozed_until <= clock_time()"),
    ("what is due", r#""duties"."next_at" <="#),
    ("who has it", "i.user_id > asked.after"),
    ("their items", "inbox.notification_id = asked.id"),
    ("how far it is", "Writes a new state of a due item"),
    ("one more topic", "array_append"),
    ("page", "max_rows"),
    ("list", r#""inbox"."seq" DESC"#),
    ("list of unread", r#""inbox_unread"."seq" DESC"#),
    ("list by content", "looked_through"),
    ("items of a list", r#""inbox"."seq" = ANY"#),
    ("one item", r#""inbox"."notification_id" = $3"#),
    ("summary", "The summary of an inbox"),
    ("what is due soon", "that are due to a user within a day"),
    ("unread count", r#"SELECT "streams"."unread" FROM"#),
    ("lock", "FOR UPDATE"),
    ("change", "no_longer_unread"),
    ("what read-all finds", r#""inbox_unread"."seq" <="#),
    ("heads", "as asked (tenant, user_id, index) cross join lateral (select epoch"),
    ("sweep", "expires_at <= clock_time()"),
    ("purge", "swept_at is not null"),
    ("change of the account", "insert into account_changes"),
    ("bound of subscriptions", "offset $4"),
    ("membership", "FOR KEY SHARE"),
    ("end of subscriptions", r#"DELETE FROM "subscriptions""#),
    ("my topics", r#""subscriptions"."topic" >"#),
    ("members", r#""topic_members"."user_id" >"#),
    ("ticket", r#""stream_tickets"."hash" ="#),
    ("settings", r#"SELECT "preferences"."settings""#),
    ("changed settings", r#"INSERT INTO "preferences""#),
    ("why", "as channels from withheld"),
    ("how a fan-out stands to a user", r#""notifications"."expires_at", "notifications"."topics""#),
    ("which of its topics the user has", r#""subscriptions"."topic" = ANY"#),
    ("topics of who came", "as joined"),
    ("facts of a topic", "exists (select from topics where"),
    ("sign of life", "insert into instances"),
    ("who has left", "delete from presence_rows"),
    ("who has joined", "set told = true"),
    ("who is told", "coalesce(k.presence, true)"),
    ("count of who is present", COUNT),
    ("who is present", "coalesce(sum(r.connections)"),
];

/// Publishes beyond named users, and waits until it has reached a connected user and all others.
async fn fan_out(publisher: &Caller, connected: &mut Frames, body: Value) -> String {
    let id = publisher.notify_with(body).await;
    connected.next_of("notification").await;
    eventually("it is finished", async || {
        let progress = publisher.get(&format!("/api/fanouts/{id}")).await.expect(200);
        (progress["state"] == "finished").then_some(())
    })
    .await;
    id
}

async fn drive(cluster: &Cluster) {
    let publisher = cluster.publisher();
    let everyone: Vec<_> = (0..100).map(|number| format!("user-{number}")).collect();
    publisher.publish(&json!({"users": everyone, "title": "many", "idempotencyKey": "k"})).await.expect(201);
    publisher.notify("large", "one").await;
    // A connected user gets it first, so the plan of that step is examined as well.
    let mut connected = cluster.user("user-700").stream().await;
    connected.hello().await;
    fan_out(&publisher, &mut connected, json!({"topics": ["large"], "title": "to a topic"})).await;
    let broad =
        fan_out(&publisher, &mut connected, json!({"topics": ["large"], "everyone": true, "title": "broad"})).await;
    let user = cluster.user("large");
    user.list("?offset=50").await;
    for query in [
        "",
        "unreadOnly=true",
        "q=title+2000",
        "category=rare",
        "kind=rare",
        "priority=critical",
        "unreadOnly=true&kind=rare",
    ] {
        let list = user.list(&format!("?{query}")).await;
        let next = list["nextPage"].as_str().expect("there is more");
        user.list(&format!("?{query}&page={next}")).await;
    }
    let cursor = user.list("").await["cursor"].as_str().unwrap().to_owned();
    let (epoch, head) = cursor.rsplit_once('.').unwrap();
    let missed = format!("{epoch}.{}", head.parse::<i64>().unwrap() - 100);
    user.unread().await;
    assert_eq!(user.get("/api/notifications/summary").await.expect(200)["isExact"], false);
    let due = user.get("/api/notifications/due-callbacks?category=common").await.expect(200);
    assert_eq!(due["hasMore"], true);
    let mut live = user.stream_with("?replay=10", None).await;
    live.hello().await;
    let id = user.list("?unreadOnly=true").await["notifications"][3]["id"].as_str().unwrap().to_owned();
    for step in ["read", "unread", "seen", "archive"] {
        user.touch(&format!("/api/notifications/{id}/{step}")).await.expect(200);
    }
    drive_many(&user, &id).await;
    user.get(&format!("/api/notifications/{id}")).await.expect(200);
    user.delete(&format!("/api/notifications/{id}")).await.expect(200);
    assert_eq!(user.resume(&missed).await.hello().await["verdict"], "resumed");
    assert_eq!(user.touch("/api/notifications/read-all").await.expect(200)["unread"], 0);
    for (condition, until) in [("\"0\"", "forever"), ("*", "2199-01-01T00:00:00Z")] {
        let put = user.request(reqwest::Method::PUT, "/api/notifications/settings").header("If-Match", condition);
        Answer::of(put.json(&json!({"muteUntil": until}))).await.expect(200);
    }
    let withheld = "/api/notifications/00000000-0000-7000-8000-000000000007/why";
    cluster.user("withholder").get(withheld).await.expect(200);
    cluster.user("guest").get(&format!("/api/notifications/{broad}/why")).await.expect(200);
    let ticket = user.touch("/api/stream-tickets").await.expect(200)["ticket"].as_str().unwrap().to_owned();
    let mut by_ticket = cluster.edge().nobody().stream_with(&format!("?ticket={ticket}"), None).await;
    by_ticket.hello().await;
}

/// Changes the items that filters find, and archives an item.
async fn drive_many(user: &Caller, id: &str) {
    let tomorrow = chrono::Utc::now() + chrono::Duration::days(1);
    user.post(&format!("/api/notifications/{id}/snooze"), &json!({"until": tomorrow})).await.expect(200);
    let rare = json!({"kind": "rare", "q": "title", "unread": true});
    for (filter, action) in
        [(json!({"ids": [id], "q": "title"}), "archive"), (rare, "read"), (json!({"kind": "rare"}), "seen")]
    {
        user.post("/api/notifications/bulk", &json!({"filter": filter, "action": action})).await.expect(200);
    }
}

/// Joins and leaves, alone and with others, in the midst of many topics and users.
async fn drive_topics(cluster: &Cluster) {
    let (admin, user) = (cluster.edge().admin(), cluster.user("large"));
    let mut stream = user.stream().await;
    stream.hello().await;
    admin.set("/api/topics/team:7777/members/large").await.expect(204);
    user.set("/api/topics/team:7777/subscription").await.expect(200);
    user.delete("/api/topics/team:7777/subscription").await.expect(200);
    let some: Vec<_> = (5_990..6_010).map(|number| format!("user-{number}")).collect();
    let change = json!({"add": some, "remove": ["large", "user-1", "user-2"]});
    for path in ["/api/topics/team:0/subscribers", "/api/topics/team:0/members"] {
        admin.post(path, &change).await.expect(200);
    }
    user.get("/api/topics?limit=1000").await.expect(200);
    user.get("/api/topics/team:5").await.expect(200);
    let page = admin.get("/api/topics/team:0/members?limit=10").await.expect(200);
    let next = page["nextPage"].as_str().unwrap().to_owned();
    admin.get(&format!("/api/topics/team:0/members?limit=10&page={next}")).await.expect(200);
    let (epoch, head) = stream.next_of("subscription").await.id.unwrap().rsplit_once('.').map(pair).unwrap();
    let missed = format!("{epoch}.{}", head - 100);
    assert_eq!(user.resume(&missed).await.hello().await["verdict"], "resumed");
}

async fn drive_signals(cluster: &Cluster) {
    let (user, publisher) = (cluster.user("large"), cluster.publisher());
    let mut stream = user.stream_with("?signals=last", None).await;
    stream.hello().await;
    let body = json!({"topic": "team:3", "kind": "k", "data": 1});
    user.post("/api/signals", &body).await.expect(202);
    publisher.post("/api/signals", &body).await.expect(202);
    // A guest comes into a topic of the large user's.
    let mut guest = cluster.user("guest").stream().await;
    guest.hello().await;
    while stream.next_of("signal").await.json()["kind"] != "presence" {}
    for query in ["topic=team:3", "topic=team:3&after=l&limit=1"] {
        publisher.get(&format!("/api/presence?{query}")).await.expect(200);
    }
}

fn pair((epoch, head): (&str, &str)) -> (String, i64) {
    (epoch.to_owned(), head.parse().unwrap())
}

/// Publishes that are scheduled, due, folded, or returned by the clock.
async fn drive_time(cluster: &Cluster, database: &Client) {
    let (publisher, user, admin) = (cluster.publisher(), cluster.user("large"), cluster.edge().admin());
    let mut stream = user.stream().await;
    stream.hello().await;
    let hour = (chrono::Utc::now() + chrono::Duration::hours(1)).to_rfc3339();
    for title in ["one", "two", "three"] {
        let body = json!({"users": ["large", "user-1"], "title": title, "threadKey": "t", "collapseKey": "c"});
        publisher.notify_with(body).await;
    }
    admin.put("/api/kinds/chatty", &json!({"burst": {"most": 1, "windowSeconds": 60}})).await.expect(200);
    let many = json!([{"users": ["large"], "kind": "chatty", "title": "a"}, {"users": ["large"], "kind": "chatty", "title": "b"}]);
    publisher.post("/api/notifications/batch", &many).await.expect(200);
    let waits = json!({"users": ["large"], "topics": ["large"], "title": "waits", "deliverAt": hour, "idempotencyKey": "waits"});
    publisher.notify_with(waits).await;
    let patch =
        publisher.request(reqwest::Method::PATCH, "/api/scheduled/waits").json(&json!({"title": "still waits"}));
    Answer::of(patch).await.expect(200);
    publisher.get("/api/scheduled/waits").await.expect(200);
    let page = publisher.get("/api/scheduled?limit=5").await.expect(200);
    let next = page["nextPage"].as_str().unwrap();
    publisher.get(&format!("/api/scheduled?limit=5&page={next}")).await.expect(200);
    let due = json!({"users": ["large", "user-1"], "title": "due", "dueAt": hour, "escalation": [{"after": 60, "topic": "team:3"}]});
    let due = publisher.notify_with(due).await;
    let snoozed = user.list("").await["notifications"][4]["id"].as_str().unwrap().to_owned();
    user.post(&format!("/api/notifications/{snoozed}/snooze"), &json!({"until": hour})).await.expect(200);
    database.batch_execute("update clock set shift = interval '2 hours'").await.unwrap();
    eventually("all that has a time has come", async || {
        let item = user.get(&format!("/api/notifications/{snoozed}")).await.expect(200);
        let sent = publisher.get("/api/scheduled/waits").await.status == 409;
        let told = cluster.user("guest").get(&format!("/api/notifications/{due}")).await.status == 200;
        (item.get("snoozedUntil").is_none() && sent && told).then_some(())
    })
    .await;
    user.touch(&format!("/api/notifications/{due}/acknowledge")).await.expect(200);
    eventually("all are told", async || {
        let item = cluster.user("guest").get(&format!("/api/notifications/{due}")).await.expect(200);
        (item["dueState"] == "acknowledged").then_some(())
    })
    .await;
}

/// Has a few notifications expire and then be forgotten.
async fn let_some_expire(database: &Client) {
    // Not in the large inbox: a purge looks at every change that it forgets.
    let expire = "update notifications set expires_at = now() where recipients = 5";
    let forget = "update notifications set swept_at = now() - interval '30 days' where swept_at is not null";
    let none_left = async |condition: &str| {
        let count = format!("select count(*) from notifications where {condition}");
        (database.query_one(&count, &[]).await.unwrap().get::<_, i64>(0) == 0).then_some(())
    };
    database.batch_execute(expire).await.unwrap();
    eventually("all is swept", async || none_left("swept_at is null and expires_at <= now()").await).await;
    database.batch_execute(forget).await.unwrap();
    eventually("all is forgotten", async || none_left("swept_at is not null").await).await;
}

/// A statement with its plan.
struct Plan {
    text: String,
    root: Value,
}

/// The plans in a server's log: each is a message whose later lines begin with a tab.
fn plans(log: &str) -> Vec<Plan> {
    let mut plans = Vec::new();
    let mut lines = log.lines().peekable();
    while let Some(line) = lines.next() {
        if !line.ends_with("plan:") {
            continue;
        }
        let mut text = String::new();
        while let Some(more) = lines.next_if(|next| next.starts_with('\t')) {
            text.push_str(more);
        }
        let plan: Value = serde_json::from_str(&text.replace('\t', " ")).expect("a plan in JSON");
        plans.push(Plan { text: plan["Query Text"].as_str().unwrap().to_owned(), root: plan["Plan"].clone() });
    }
    plans
}

fn nodes(root: &Value) -> Vec<&Value> {
    let below = root["Plans"].as_array().into_iter().flatten().flat_map(nodes);
    std::iter::once(root).chain(below).collect()
}

/// All rows that a node looked at, taken or not.
fn rows_examined(node: &Value) -> f64 {
    let number = |name: &str| node[name].as_f64().unwrap_or(0.0);
    (number("Actual Rows") + number("Rows Removed by Filter") + number("Rows Removed by Index Recheck"))
        * number("Actual Loops")
}

fn pages(root: &Value) -> u64 {
    root["Shared Hit Blocks"].as_u64().unwrap() + root["Shared Read Blocks"].as_u64().unwrap()
}

/// The one statement that reads something whole, a topic: its answer is used for the longer the more it has read.
const COUNT: &str = "count(p.here)";

/// The fault of a plan, in words.
fn fault(plan: &Plan) -> Option<String> {
    let counts = plan.text.contains(COUNT);
    for node in nodes(&plan.root) {
        let table = node["Relation Name"].as_str().unwrap_or_default();
        if node["Node Type"] == "Seq Scan" && TABLES.contains(&table) {
            return Some(format!("reads {table} from end to end"));
        }
        if !counts && TABLES.contains(&table) && rows_examined(node) > MOST_ROWS {
            return Some(format!("looks at {} rows of {table}", rows_examined(node)));
        }
    }
    (!counts && pages(&plan.root) > MOST_PAGES).then(|| format!("looks at {} pages", pages(&plan.root)))
}

#[tokio::test]
async fn no_hot_query_reads_a_table_or_an_inbox_whole() {
    let cluster = cluster()
        .postgres("shared_preload_libraries=auto_explain")
        .postgres("auto_explain.log_min_duration=0")
        .postgres("auto_explain.log_analyze=on")
        .postgres("auto_explain.log_buffers=on")
        .postgres("auto_explain.log_timing=off")
        .postgres("auto_explain.log_format=json")
        .postgres("autovacuum=off")
        .set("TIDINGS_SWEEP_SECONDS", "0.2")
        .set("TIDINGS_HEAD_CHECK_SECONDS", "0.2")
        .start()
        .await;
    let database = cluster.postgres.connect().await;
    // A statement of the test itself is no hot query.
    database.batch_execute("set auto_explain.log_min_duration = -1").await.unwrap();
    for statement in include_str!("plans.sql").split(';').map(str::trim).filter(|text| !text.is_empty()) {
        database.execute(statement, &[]).await.unwrap();
    }
    let filled_at = cluster.postgres.log().len();
    drive(&cluster).await;
    drive_topics(&cluster).await;
    drive_signals(&cluster).await;
    drive_time(&cluster, &database).await;
    let_some_expire(&database).await;

    let log = cluster.postgres.log();
    let plans = plans(&log[filled_at..]);
    let mut faults = BTreeMap::new();
    for plan in &plans {
        if let Some(fault) = fault(plan) {
            faults.insert(&plan.text, fault);
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
    for (name, words) in STATEMENTS {
        assert!(plans.iter().any(|plan| plan.text.contains(words)), "no plan of {name} was seen");
    }
}
