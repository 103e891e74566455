//! Instances that die, a Postgres that goes away and clocks that differ, in the middle of a schedule and of an escalation. Nothing
//! is sent twice, nothing is forgotten, and no step follows an acknowledgement.
//!
//! The length of a user's log shows how often anything was sent: each delivery and each step takes one seq.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tokio_postgres::Client;

use super::{at, is_sound, pass, subscribe};
use crate::harness::{instance::setting, *};

/// How far the clocks of the instances are off, in seconds.
const CLOCKS: [&str; 3] = ["-5s", "+0s", "+5s"];

/// Three instances with clocks of their own.
async fn disagreeing() -> Cluster {
    let library = walk_for("libfaketimeMT.so.1");
    let (postgres, redis) = tokio::join!(Postgres::start(), Redis::start());
    let mut instances: Vec<_> = CLOCKS
        .iter()
        .map(|offset| {
            Instance::new(&[
                (setting::DATABASE, &postgres.url()),
                (setting::REDIS, &redis.url()),
                ("LD_PRELOAD", &library),
                ("FAKETIME", offset),
                ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
            ])
        })
        .collect();
    instances.iter_mut().for_each(Instance::launch);
    for instance in &mut instances {
        instance.ready().await;
    }
    Cluster { instances, redis: Some(redis), postgres }
}

/// The path of the library that moves a process' clock: its folder is named after the machine's kind.
fn walk_for(name: &str) -> String {
    let folders = std::fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path().join("faketime").join(name));
    let found = folders.into_iter().find(|path| path.exists()).expect("the package faketime is installed");
    found.display().to_string()
}

/// A caller whose token is old enough for every clock.
fn caller(cluster: &Cluster, instance: usize, user: &str, scope: &str) -> Caller {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let token = Token::of(user).claim("iat", json!(now - 60)).scope(scope);
    cluster.instances[instance].edge().caller(&token)
}

/// Kills an instance and restarts Postgres meanwhile, then starts the instance again.
async fn trouble(cluster: &mut Cluster, instance: usize) {
    cluster.instances[instance].kill();
    cluster.postgres.crash().await;
    cluster.postgres.resume().await;
    cluster.instances[instance].restart().await;
}

async fn number(database: &Client, query: &str) -> i64 {
    database.query_one(query, &[]).await.unwrap().get(0)
}

/// Waits until a count that rises has begun to.
async fn begun(database: &Client, query: &str) {
    let deadline = tokio::time::Instant::now() + DEADLINE;
    while number(database, query).await == 0 {
        assert!(tokio::time::Instant::now() < deadline, "nothing began: {query}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn reaches(cluster: &Cluster, query: &str, expected: i64) {
    let database = cluster.postgres.connect().await;
    eventually(query, async || (number(&database, query).await == expected).then_some(())).await;
}

#[tokio::test]
async fn a_schedule_survives_deaths_and_clocks_that_differ() {
    const USERS: i64 = 300;
    const EACH: i64 = 20;
    let mut cluster = disagreeing().await;
    let database = cluster.postgres.connect().await;
    let publisher = caller(&cluster, 0, "backend", "publish");
    let time = at(&database, 3600.0).await;
    for round in 0..EACH {
        let body = |user| json!({"users": [format!("u{user}")], "title": format!("{round}"), "deliverAt": time});
        let bodies: Vec<Value> = (0..USERS).map(body).collect();
        let answer = publisher.post("/api/notifications/batch", &json!(bodies)).await.expect(200);
        assert!(answer["results"].as_array().unwrap().iter().all(|one| one["id"].is_string()));
    }
    let mut stream = caller(&cluster, 2, "u7", "").stream().await;
    stream.hello().await;
    pass(&database, 3601.0).await;
    begun(&database, "select count(*) from inbox").await;
    trouble(&mut cluster, 0).await;
    let total = USERS * EACH;
    assert!(number(&cluster.postgres.connect().await, "select count(*) from inbox").await > 0);
    cluster.instances[1].kill();
    reaches(&cluster, "select count(*) from inbox", total).await;
    let database = cluster.postgres.connect().await;
    assert_eq!(number(&database, "select count(*) from scheduled").await, 0);
    assert_eq!(number(&database, "select count(*) from streams where head_seq = 20 and unread = 20").await, USERS);
    assert_eq!(
        number(&database, "select count(*) from (select distinct user_id, notification_id from inbox) as one").await,
        total
    );
    let mut seen = stream.titles(20).await;
    seen.sort_by_key(|title| title.parse::<i64>().unwrap());
    assert_eq!(seen, (0..EACH).map(|round| round.to_string()).collect::<Vec<_>>());
    is_sound(&database).await;
}

#[tokio::test]
async fn an_escalation_survives_deaths_and_ends_when_it_is_acknowledged() {
    const DUTIES: i64 = 400;
    let mut cluster = disagreeing().await;
    let database = cluster.postgres.connect().await;
    let publisher = caller(&cluster, 0, "backend", "publish");
    subscribe(&database, "team:leads", &["lead"]).await;
    let due = at(&database, 3600.0).await;
    let steps = json!([{"after": 60}, {"after": 120, "topic": "team:leads"}, {"after": 180, "priority": "critical"}]);
    let body = |duty| json!({"users": [format!("a{duty}"), format!("b{duty}")], "title": "t", "dueAt": due, "remindBefore": [60], "escalation": steps});
    let bodies: Vec<Value> = (0..DUTIES).map(body).collect();
    let answer = publisher.post("/api/notifications/batch", &json!(bodies)).await.expect(200);
    let ids: Vec<String> =
        answer["results"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
    // Each log has the arrival; then one more for each step that was taken.
    let logs = |head: i64| format!("select count(*) from streams where user_id <> 'lead' and head_seq = {head}");
    for (step, seconds) in [3541.0, 60.0, 60.0].into_iter().enumerate() {
        pass(&cluster.postgres.connect().await, seconds).await;
        let database = cluster.postgres.connect().await;
        begun(&database, &logs(2 + step as i64)).await;
        trouble(&mut cluster, step).await;
        reaches(&cluster, &logs(2 + step as i64), 2 * DUTIES).await;
    }
    // Half of them are acknowledged by one of their two users while the next step is on its way.
    let waiting = "select count(*) from duties where state = 2";
    let acknowledged: Vec<_> = (0..DUTIES as usize / 2).collect();
    for duty in &acknowledged {
        let user = caller(&cluster, duty % 3, &format!("a{duty}"), "");
        let answer = user.touch(&format!("/api/notifications/{}/acknowledge", ids[*duty])).await.expect(200);
        assert_eq!(answer["ids"], json!([ids[*duty]]));
        if *duty == 50 {
            pass(&cluster.postgres.connect().await, 0.0).await;
            trouble(&mut cluster, 1).await;
        }
    }
    assert_eq!(number(&cluster.postgres.connect().await, waiting).await, DUTIES / 2);
    pass(&cluster.postgres.connect().await, 600.0).await;
    let database = cluster.postgres.connect().await;
    begun(&database, "select count(*) from inbox where user_id = 'lead'").await;
    trouble(&mut cluster, 2).await;
    // Two more steps for those that are not acknowledged; for the others one change that says so.
    reaches(&cluster, &logs(6), DUTIES).await;
    reaches(&cluster, &logs(5), DUTIES).await;
    reaches(&cluster, "select count(*) from inbox where user_id = 'lead'", DUTIES / 2).await;
    reaches(&cluster, "select count(*) from inbox where due_state = 3 and due_at is null", DUTIES).await;
    reaches(&cluster, "select count(*) from duties where next_at is not null", 0).await;
    let database = cluster.postgres.connect().await;
    let raised = "select count(*) from notifications where priority = 3";
    assert_eq!(number(&database, raised).await, DUTIES / 2);
    is_sound(&database).await;
}
