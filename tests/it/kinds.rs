//! Kinds: missing fields of a publish are filled in from the tenant's or the server's definition of its kind.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::*;

const TENANT_SETTINGS: &str = "/api/tenant/settings";

/// Replaces the tenant's settings under a condition.
async fn put_defaults(admin: &Caller, condition: &str, defaults: &Value) -> Answer {
    Answer::of(admin.request(Method::PUT, TENANT_SETTINGS).header("If-Match", condition).json(defaults)).await
}

/// Publishes and returns the item as the recipient `u1` has it.
async fn item(edge: &Edge, body: Value) -> Value {
    let mut body = body;
    body["users"] = json!(["u1"]);
    let id = edge.publisher().notify_with(body).await;
    edge.user("u1").get(&format!("/api/notifications/{id}")).await.expect(200)
}

#[tokio::test]
async fn a_publish_takes_missing_fields_from_its_kind() {
    let cluster = cluster().start().await;
    let mut stream = cluster.user("u1").stream().await;
    stream.hello().await;
    let seeded = item(&cluster.edge(), json!({"kind": "payment_received", "title": "Paid"})).await;
    assert_eq!((&seeded["category"], &seeded["priority"]), (&json!("payments"), &json!("high")));
    assert_eq!((&seeded["icon"], &seeded["sound"]), (&json!("wallet"), &json!("coin")));
    assert_eq!(seeded["actionLabel"], "View payment");
    assert_eq!(seeded["channels"], json!(["inbox", "toast", "browser", "push"]));
    let mut live = stream.next_of("notification").await.json();
    live.as_object_mut().unwrap().remove("unread");
    assert_eq!(live, seeded, "live and stored are the same");
    let replayed = cluster.user("u1").stream_with("?replay=1", None).await.next_of("notification").await.json();
    assert_eq!(replayed["channels"], seeded["channels"]);
    assert_eq!(replayed["icon"], "wallet");

    let unknown = item(&cluster.edge(), json!({"kind": "never_heard_of", "title": "t"})).await;
    assert_eq!((&unknown["category"], &unknown["priority"]), (&json!(null), &json!("medium")));
    assert_eq!((unknown.get("icon"), &unknown["channels"]), (None, &json!(["inbox", "toast"])));
    let own = json!({"kind": "payment_received", "title": "t", "category": "mine", "priority": "low"});
    let own = item(&cluster.edge(), own).await;
    assert_eq!((&own["category"], &own["priority"]), (&json!("mine"), &json!("low")));
}

#[tokio::test]
async fn a_tenants_own_word_is_in_force_on_every_instance_and_for_no_other_tenant() {
    let mut cluster = cluster().instances(2).start().await;
    let (one, other) = (cluster.instances[0].edge(), cluster.instances[1].edge());
    let definition = json!({"category": "orders", "priority": "critical", "titleTemplate": "Order {{data.id}} of {{data.by.name}}",
        "messageTemplate": "{{data.gone}}{{kind}} {{priority}}", "icon": "box", "retentionDays": 1, "channels": {"toast": false, "sms": true}});
    let answer = one.admin().put("/api/kinds/order", &definition).await.expect(200);
    assert_eq!((&answer["origin"], &answer["icon"]), (&json!("tenant"), &json!("box")));
    eventually("the other instance knows it", async || {
        let known = other.user("u1").get("/api/kinds/order").await.expect(200);
        (known["origin"] == "tenant").then_some(())
    })
    .await;
    for edge in [&one, &other] {
        let made = item(edge, json!({"kind": "order", "data": {"id": 7, "by": {"name": "Ann"}}})).await;
        assert_eq!((&made["title"], &made["message"]), (&json!("Order 7 of Ann"), &json!("order critical")));
        assert_eq!((&made["category"], &made["channels"]), (&json!("orders"), &json!(["inbox", "sms"])));
        let day = |field: &str| made[field].as_str().unwrap()[..10].parse::<chrono::NaiveDate>().unwrap();
        assert_eq!((day("expiresAt") - day("createdAt")).num_days(), 1);
    }
    let foreign = one.caller(&Token::publisher().tenant("other"));
    assert_eq!(foreign.get("/api/kinds/order").await.expect(200)["origin"], "default");
    foreign.publish(&json!({"users": ["u1"], "kind": "order"})).await.problem(422);

    // Through Redis the same applies, and a message that cannot be stored becomes a dead letter.
    let body = |kind: &str| json!({"users": ["u2"], "kind": kind, "data": {"id": 8}}).to_string();
    let mut redis = cluster.redis().connect().await;
    for kind in ["order", "nameless"] {
        let mut add = redis::cmd("XADD");
        add.arg(&["tidings:ingest", "*", "tenant", "default", "message", &body(kind)]);
        add.query_async::<String>(&mut redis).await.unwrap();
    }
    eventually("the entry is stored", async || {
        (one.user("u2").list("").await["notifications"][0]["title"] == "Order 8 of ").then_some(())
    })
    .await;
    eventually("the other is a dead letter", async || {
        let dead: redis::Value =
            redis::cmd("XRANGE").arg(&["tidings:ingest:dead", "-", "+"]).query_async(&mut redis).await.unwrap();
        format!("{dead:?}").contains("/title").then_some(())
    })
    .await;

    assert_eq!(one.admin().delete("/api/kinds/order").await.status, 204);
    assert_eq!(one.user("u1").get("/api/kinds/order").await.expect(200)["origin"], "default");
    one.publisher().publish(&json!({"users": ["u1"], "kind": "order"})).await.problem(422);
}

#[tokio::test]
async fn the_list_of_kinds_says_where_each_comes_from() {
    let cluster = cluster().start().await;
    let admin = cluster.edge().admin();
    admin.put("/api/kinds/missed_call", &json!({"category": "own"})).await.expect(200);
    admin.put("/api/kinds/new.kind", &json!({})).await.expect(200);
    let kinds = cluster.user("u1").get("/api/kinds").await.expect(200);
    assert_eq!(kinds.as_object().unwrap().len(), 16);
    assert_eq!(kinds["missed_call"], json!({"category": "own", "mandatory": false, "origin": "tenant"}));
    assert_eq!((&kinds["call_escalation"]["origin"], &kinds["new.kind"]["origin"]), (&json!("seed"), &json!("tenant")));
    assert_eq!(admin.delete("/api/kinds/missed_call").await.status, 204);
    assert_eq!(admin.delete("/api/kinds/missed_call").await.status, 204);
    assert_eq!(cluster.user("u1").get("/api/kinds/missed_call").await.expect(200)["origin"], "seed");
}

#[tokio::test]
async fn bad_definitions_are_refused_by_place_and_only_administrators_give_any() {
    let cluster = cluster().start().await;
    let admin = cluster.edge().admin();
    for (body, pointer) in [
        (json!({"titleTemplate": "{{user.name}}"}), "/titleTemplate"),
        (json!({"titleTemplate": "x".repeat(501)}), "/titleTemplate"),
        (json!({"priority": "urgent"}), "/priority"),
        (json!({"category": "a b"}), "/category"),
        (json!({"icon": "<img>"}), "/icon"),
        (json!({"actionLabel": " "}), "/actionLabel"),
        (json!({"retentionDays": 0}), "/retentionDays"),
        (json!({"retentionDays": 70_000}), "/retentionDays"),
        (json!({"channels": {"fax": true}}), "/channels/fax"),
        (json!({"mandatory": true, "channels": {"inbox": false}}), "/channels/inbox"),
        (json!({"burst": {"most": 0, "windowSeconds": 60}}), "/burst/most"),
        (json!({"burst": {"most": 1, "windowSeconds": 86_401}}), "/burst/windowSeconds"),
        (json!({"burst": {"most": 1}}), "/burst"),
        (json!({"colour": "red"}), "/colour"),
        (json!([]), ""),
    ] {
        let problem = admin.put("/api/kinds/k", &body).await.problem(422);
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{body} {problem}");
    }
    let burst = json!({"burst": {"most": 20, "windowSeconds": 60}});
    assert_eq!(admin.put("/api/kinds/k", &burst).await.expect(200)["burst"], burst["burst"]);
    admin.put("/api/kinds/a%20b", &json!({})).await.problem(400);
    let categories = json!({"categories": {"a b": {"toast": true}}});
    let problem = put_defaults(&admin, "*", &categories).await.problem(422);
    assert_eq!(problem["errors"][0]["pointer"], "/categories/a b");
    cluster.publisher().put("/api/kinds/k", &json!({})).await.problem(403);
    put_defaults(&cluster.publisher(), "*", &json!({})).await.problem(403);
    cluster.publisher().delete("/api/kinds/k").await.problem(403);
    cluster.user("u1").get(TENANT_SETTINGS).await.problem(403);
    cluster.edge().nobody().get("/api/kinds").await.problem(401);
}

#[tokio::test]
async fn a_tenant_has_no_more_kinds_than_the_bound() {
    let cluster = cluster().start().await;
    let database = cluster.postgres.connect().await;
    let fill = "insert into kinds (tenant, kind, definition) select 'default', 'k' || n, '{}' from generate_series(1, 500) as n";
    database.batch_execute(fill).await.unwrap();
    let admin = cluster.edge().admin();
    admin.put("/api/kinds/k7", &json!({"icon": "i"})).await.expect(200);
    let problem = admin.put("/api/kinds/one-more", &json!({})).await.problem(413);
    assert!(problem["detail"].as_str().unwrap().contains("500 kinds"), "{problem}");
}

#[tokio::test]
async fn a_repeat_is_the_same_publish_after_a_change_of_its_kind() {
    let cluster = cluster().start().await;
    let admin = cluster.edge().admin();
    admin.put("/api/kinds/k", &json!({"titleTemplate": "one", "priority": "low"})).await.expect(200);
    let body = json!({"users": ["u1"], "kind": "k", "idempotencyKey": "x"});
    let first = cluster.publisher().publish(&body).await.expect(201);
    admin.put("/api/kinds/k", &json!({"titleTemplate": "two", "priority": "high"})).await.expect(200);
    let again = cluster.publisher().publish(&body).await;
    assert_eq!((again.header("idempotent-replayed"), again.expect(201)), ("true", first));
    assert_eq!(cluster.user("u1").list("").await["notifications"][0]["title"], "one");
}

#[tokio::test]
async fn a_change_whose_announcement_was_lost_is_found() {
    let cluster = cluster().set("TIDINGS_HEAD_CHECK_SECONDS", "0.1").start().await;
    let database = cluster.postgres.connect().await;
    let change = r#"insert into kinds (tenant, kind, definition) values ('default', 'k', '{"icon":"new"}')"#;
    database.batch_execute(change).await.unwrap();
    eventually("it is in force", async || {
        (cluster.user("u1").get("/api/kinds/k").await.expect(200)["icon"] == "new").then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_tenants_default_channels_hold_where_the_kind_says_nothing() {
    let cluster = cluster().start().await;
    let admin = cluster.edge().admin();
    let defaults = json!({"channels": {"toast": false, "email": true}, "categories": {"calls": {"email": false}}});
    assert_eq!(put_defaults(&admin, "*", &defaults).await.expect(200), defaults);
    assert_eq!(admin.get(TENANT_SETTINGS).await.expect(200), defaults);
    for (kind, channels) in [
        ("unknown", json!(["inbox", "email"])),
        ("high_value_call", json!(["inbox", "browser", "push"])),
        ("call_escalation", json!(["inbox", "toast", "browser", "push"])),
    ] {
        assert_eq!(item(&cluster.edge(), json!({"kind": kind, "title": "t"})).await["channels"], channels, "{kind}");
    }
}

#[tokio::test]
async fn the_tenants_settings_are_changed_under_the_etag_that_was_seen() {
    let cluster = cluster().instances(2).start().await;
    let (edges, admin) = (cluster.edges(), cluster.edge().admin());
    let first = admin.get(TENANT_SETTINGS).await;
    assert_eq!(first.header("etag"), "\"0\"");
    let none = first.expect(200);
    let wanted = json!({"channels": {"email": true}, "categories": {}});
    admin.put(TENANT_SETTINGS, &wanted).await.problem(428);
    put_defaults(&admin, "0", &wanted).await.problem(400);
    put_defaults(&admin, "\"1\"", &wanted).await.problem(412);
    let problem = Answer::of(admin.request(Method::GET, &format!("{TENANT_SETTINGS}?user=u1"))).await.problem(400);
    assert_eq!(problem["errors"][0]["parameter"], "user");
    assert_eq!(admin.get(TENANT_SETTINGS).await.expect(200), none, "what was refused changed nothing");
    for round in 0..3 {
        let condition = format!("\"{round}\"");
        let puts = (0..8).map(|n| {
            let (admin, condition) = (edges[n % 2].admin(), condition.clone());
            let defaults = json!({"categories": {format!("c{round}-{n}"): {"sms": true}}});
            async move { put_defaults(&admin, &condition, &defaults).await.status }
        });
        let mut statuses = futures_util::future::join_all(puts).await;
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
    }
    // The other instance knows the newest state at once, even before the announcement arrives.
    let shown = edges[1].admin().get(TENANT_SETTINGS).await;
    assert_eq!(shown.header("etag"), "\"3\"");
    assert_eq!(put_defaults(&admin, "W/\"3\"", &shown.expect(200)).await.header("etag"), "\"3\"", "it is the same");
    let other = cluster.edge().caller(&Token::admin().tenant("other"));
    assert_eq!(put_defaults(&other, "*", &wanted).await.header("etag"), "\"1\"");
    assert_eq!(admin.get(TENANT_SETTINGS).await.header("etag"), "\"3\"");
}
