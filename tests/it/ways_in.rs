//! The ways in beside HTTP: a closed one shows in the health, with the reason and the cure.

use serde_json::json;

use crate::harness::{instance::setting, *};

/// Waits until a way is open, or closed for a reason with these words.
async fn way(edge: &Edge, name: &str, words: Option<&str>) {
    eventually(&format!("{name}: {words:?}"), async || {
        let health = edge.nobody().get("/health").await.expect(200);
        let part = &health["ways"][name];
        let found = match words {
            None => part["up"] == true,
            Some(words) => {
                part["up"] == false && health["status"] == "degraded" && part["detail"].as_str()?.contains(words)
            }
        };
        found.then_some(())
    })
    .await;
    let open = edge.metric("tidings_way_in_up", &[&format!("way=\"{name}\"")]).await;
    assert_eq!(open, i64::from(words.is_none()));
}

#[tokio::test]
async fn a_redis_that_lets_nothing_in_is_named_with_the_cure() {
    let (postgres, redis) = tokio::join!(Postgres::start(), Redis::start());
    let mut admin = redis.connect().await;
    let mut ask = async |words: &str| {
        let mut command = redis::Cmd::new();
        for word in words.split_whitespace() {
            command.arg(word);
        }
        command.query_async::<()>(&mut admin).await.unwrap_or_else(|error| panic!("{words}: {error}"));
    };
    // Its channels are covered, but PSUBSCRIBE wants the very pattern.
    ask("ACL SETUSER limited on >secret ~* resetchannels &tidings:* +@all").await;
    let url = redis.url().replace("redis://", "redis://limited:secret@");
    let instance = Instance::start(&[(setting::DATABASE, &postgres.url()), (setting::REDIS, &url)]).await;
    let edge = instance.edge();
    way(&edge, "redisChannels", Some("ACL SETUSER <user> '&tidings:publish:*'")).await;
    way(&edge, "redisSignals", Some("&tidings:signal:*")).await;
    way(&edge, "redisStream", None).await;
    ask("ACL SETUSER limited &tidings:publish:* &tidings:signal:*").await;
    for name in ["redisChannels", "redisSignals"] {
        way(&edge, name, None).await;
    }
    ask("ACL SETUSER limited resetkeys ~none").await;
    way(&edge, "redisStream", Some("needs all commands on the keys tidings:*")).await;
    ask("ACL SETUSER limited ~*").await;
    way(&edge, "redisStream", None).await;
    ask("CONFIG SET maxmemory 1").await;
    way(&edge, "redisStream", Some("raise maxmemory")).await;
    ask("CONFIG SET maxmemory 0").await;
    way(&edge, "redisStream", None).await;
    ask("REPLICAOF 127.0.0.1 1").await;
    way(&edge, "redisStream", Some("must lead to the primary")).await;
    ask("REPLICAOF NO ONE").await;
    way(&edge, "redisStream", None).await;
    ask("PUBLISH tidings:publish:default:user:u1 {\"title\":\"t\"}").await;
    eventually("it arrives", async || (edge.user("u1").list("").await["total"] == 1).then_some(())).await;
}

#[tokio::test]
async fn a_role_without_rights_to_the_inlet_is_named_with_the_cure() {
    let postgres = Postgres::start().await;
    let owner = postgres.connect().await;
    owner.batch_execute("create role server login; grant all on all tables in schema public to server").await.unwrap();
    let url = postgres.url().replace("tidings@", "server@");
    let instance = Instance::start(&[(setting::DATABASE, &url)]).await;
    let edge = instance.edge();
    edge.publisher().publish(&json!({"users": ["u1"], "title": "t"})).await.expect(201);
    way(&edge, "sql", Some("usage on the schema tidings")).await;
    owner.batch_execute("grant usage on schema tidings to server").await.unwrap();
    owner.batch_execute("grant all on all tables in schema tidings to server").await.unwrap();
    way(&edge, "sql", None).await;
}
