//! Presence across instances, reloads, drains and deaths.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::harness::*;

const TOPIC: &str = "team:7";

/// Makes users subscribers of [`TOPIC`].
async fn subscribe(cluster: &Cluster, users: &[String]) {
    let body = json!({"add": users});
    cluster.edge().admin().post(&format!("/api/topics/{TOPIC}/subscribers"), &body).await.expect(200);
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}-{number:02}")).collect()
}

/// A stream whose topics are in force.
async fn open(edge: &Edge, user: &str) -> Frames {
    let mut stream = edge.user(user).stream_with("?signals=last", None).await;
    stream.hello().await;
    stream
}

async fn open_all(edge: &Edge, users: &[String]) -> Vec<Frames> {
    futures_util::future::join_all(users.iter().map(|user| open(edge, user))).await
}

async fn roster(caller: &Caller, query: &str) -> Value {
    caller.get(&format!("/api/presence?{query}")).await.expect(200)
}

async fn online(caller: &Caller, count: usize) {
    eventually(&format!("{count} are online"), async || {
        (roster(caller, &format!("topic={TOPIC}&limit=0")).await["online"] == count).then_some(())
    })
    .await;
}

/// The presence signals that a subscriber gets.
struct Watcher {
    stream: Frames,
    joined: Vec<String>,
    left: Vec<String>,
    online: Value,
}

impl Watcher {
    async fn on(edge: &Edge, user: &str) -> Self {
        let stream = open(edge, user).await;
        Self { stream, joined: Vec::new(), left: Vec::new(), online: Value::Null }
    }

    async fn next(&mut self) {
        let told = self.stream.next_of("signal").await.json();
        assert_eq!((&told["kind"], &told["topic"]), (&json!("presence"), &json!(TOPIC)));
        let names = |list: &str| told["data"][list].as_array().unwrap().iter().map(text).collect::<Vec<_>>();
        self.joined.extend(names("joined"));
        self.left.extend(names("left"));
        self.online = told["data"]["online"].clone();
    }

    async fn until_joined(&mut self, users: &[String]) {
        while !users.iter().all(|user| self.joined.contains(user)) {
            self.next().await;
        }
    }

    fn no_user_joined_twice(&self) {
        let joined: BTreeSet<_> = self.joined.iter().collect();
        assert_eq!(joined.len(), self.joined.len(), "{:?}", self.joined);
    }

    async fn until_joined_again(&mut self, user: &str) {
        while self.joined.iter().filter(|joined| *joined == user).count() < 2 {
            self.next().await;
        }
    }

    async fn until_left(&mut self, users: &[String]) {
        while !users.iter().all(|user| self.left.contains(user)) {
            self.next().await;
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn sorted(names: &[String]) -> Vec<String> {
    let mut names = names.to_vec();
    names.sort();
    names
}

#[tokio::test]
async fn a_user_connected_anywhere_is_present_once_with_all_connections() {
    let cluster = cluster().instances(3).start().await;
    let users = names("user", 51);
    subscribe(&cluster, &users).await;
    cluster.edge().admin().set("/api/topics/other:1/subscribers/user-00").await.expect(204);
    let edges = cluster.edges();
    let mut streams = Vec::new();
    for (group, edge) in users.chunks(17).zip(&edges) {
        streams.extend(open_all(edge, group).await);
    }
    let _second = open(&edges[2], "user-00").await;
    let user = edges[1].user("user-07");
    online(&user, 51).await;
    let count_of_first = async || roster(&user, &format!("topic={TOPIC}&limit=1")).await["users"][0].clone();
    let first = eventually("both connections count", async || {
        Some(count_of_first().await).filter(|first| first["connections"] == 2)
    })
    .await;
    assert_eq!(first["user"], "user-00");
    assert!(first["since"].as_str().unwrap().starts_with("20"));

    let (mut listed, mut after) = (Vec::new(), String::new());
    loop {
        let page = roster(&user, &format!("topic={TOPIC}&limit=20&after={after}")).await;
        assert_eq!((&page["topic"], &page["online"]), (&json!(TOPIC), &json!(51)));
        listed.extend(page["users"].as_array().unwrap().iter().map(|present| text(&present["user"])));
        match page["nextPage"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => break,
        }
    }
    assert_eq!(listed, users);
    let other = roster(&edges[0].publisher(), "topic=other:1").await;
    assert_eq!((&other["online"], &other["users"][0]["user"]), (&json!(1), &json!("user-00")));
    let whole = roster(&edges[0].admin(), "limit=1000").await;
    assert_eq!((&whole["topic"], whole["users"].as_array().unwrap().len()), (&Value::Null, 51));
    let foreign = edges[0].caller(&Token::admin().tenant("elsewhere"));
    assert_eq!(roster(&foreign, "").await["online"], 0);
}

#[tokio::test]
async fn presence_is_for_subscribers_publishers_and_administrators() {
    let cluster = cluster().start().await;
    subscribe(&cluster, &names("user", 1)).await;
    let edge = cluster.edge();
    for (caller, query) in [("stranger", "topic=team:7"), ("stranger", "topic=none:7"), ("user-00", "")] {
        edge.user(caller).get(&format!("/api/presence?{query}")).await.problem(403);
    }
    edge.publisher().get("/api/presence").await.problem(403);
    edge.nobody().get("/api/presence?topic=team:7").await.problem(401);
    for (query, name) in
        [("topic=none:7", "topic"), ("topic=a%20b", "topic"), ("topic=team:7&limit=1001", "limit"), ("x=1", "x")]
    {
        let problem = edge.admin().get(&format!("/api/presence?{query}")).await.problem(400);
        assert_eq!(problem["errors"][0]["parameter"], name, "{problem}");
    }
}

#[tokio::test]
async fn after_the_death_of_an_instance_its_users_have_left_once_and_no_others_have() {
    let mut cluster = cluster().instances(3).start().await;
    let users = names("user", 54);
    subscribe(&cluster, &[&users[..], &["watcher".to_owned()]].concat()).await;
    let edges = cluster.edges();
    let mut watcher = Watcher::on(&edges[0], "watcher").await;
    let mut streams = Vec::new();
    // In groups: a signal names 50 at most.
    for (group, edge) in users.chunks(18).zip(&edges) {
        streams.extend(open_all(edge, group).await);
        watcher.until_joined(group).await;
    }
    // One of the dead instance's users is connected elsewhere too.
    let _elsewhere = open(&edges[1], &users[36]).await;
    online(&edges[0].publisher(), 55).await;
    cluster.instances[2].kill();
    let died = Instant::now();
    watcher.until_left(&users[37..]).await;
    assert_eq!(sorted(&watcher.left), users[37..]);
    online(&edges[0].publisher(), 38).await;
    online(&edges[1].publisher(), 38).await;
    println!("presence was right {:?} after the death", died.elapsed());
    watcher.no_user_joined_twice();
    assert_eq!(watcher.online, 38);
}

#[tokio::test]
async fn ten_seconds_after_the_death_of_an_instance_its_500_users_are_gone_and_no_others_are() {
    let mut cluster = cluster().instances(2).start().await;
    let (lost, kept) = (names("lost", 500), names("kept", 50));
    subscribe(&cluster, &[&lost[..], &kept].concat()).await;
    let edges = cluster.edges();
    let mut streams = open_all(&edges[0], &kept).await;
    // In groups, for a burst of first connections would test another bound.
    for group in lost.chunks(50) {
        streams.extend(open_all(&edges[1], group).await);
    }
    let publisher = edges[0].publisher();
    online(&publisher, 550).await;

    cluster.instances[1].kill();
    let died = Instant::now();
    let right = eventually("only those of the other instance are present", async || {
        let roster = roster(&publisher, &format!("topic={TOPIC}&limit=1000")).await;
        let present: Vec<_> = roster["users"].as_array().unwrap().iter().map(|user| text(&user["user"])).collect();
        assert!(kept.iter().all(|user| present.contains(user)), "{present:?}");
        (roster["online"] == 50 && present == kept).then_some(())
    });
    tokio::time::timeout(Duration::from_secs(10), right).await.expect("presence is right within ten seconds");
    println!("presence was right {:?} after the death", died.elapsed());
}

#[tokio::test]
async fn neither_a_reload_nor_a_drain_shows_a_leave() {
    let mut cluster = cluster().instances(3).start().await;
    let (drained, reloading, sentinel) = (names("drained", 10), names("reloading", 10), names("sentinel", 1));
    let everybody = [&drained[..], &reloading, &sentinel, &["watcher".to_owned()]].concat();
    subscribe(&cluster, &everybody).await;
    let edges = cluster.edges();
    let mut watcher = Watcher::on(&edges[0], "watcher").await;
    let mut ending = open_all(&edges[1], &drained).await;
    let pages = open_all(&edges[2], &reloading).await;
    let leaving = open_all(&edges[2], &sentinel).await;
    watcher.until_joined(&everybody[..21]).await;

    drop(pages);
    let mut pages = open_all(&edges[0], &reloading).await;
    let mut draining = std::mem::take(&mut ending);
    cluster.instances[1].signal(process::Signal::TERM);
    let came_back = draining.iter_mut().zip(&drained).map(async |(stream, user)| {
        stream.rest().await;
        open(&edges[2], user).await
    });
    pages.extend(futures_util::future::join_all(came_back).await);
    cluster.instances[1].exit().await;
    // The sentinel goes last, so all others that had to be found gone are found before it.
    drop(leaving);
    watcher.until_left(&sentinel).await;
    assert_eq!(watcher.left, sentinel);
    watcher.no_user_joined_twice();
    online(&edges[0].publisher(), 21).await;
}

#[tokio::test]
async fn after_an_outage_no_user_has_left_before_the_instances_had_time_for_a_heartbeat() {
    let mut cluster = cluster().instances(2).set("TIDINGS_PRESENCE_GRACE_SECONDS", "4").start().await;
    let (stays, goes) = (names("stays", 5), names("goes", 5));
    subscribe(&cluster, &[&stays[..], &goes, &["watcher".to_owned()]].concat()).await;
    let edges = cluster.edges();
    let streams = [open_all(&edges[1], &stays).await, open_all(&edges[1], &goes).await];
    online(&edges[0].publisher(), 10).await;
    cluster.instances.iter_mut().for_each(Instance::kill);
    drop(streams);
    let long_ago = "update instances set beat_at = beat_at - interval '1 hour'; \
        update presence_turn set taken_at = taken_at - interval '1 hour'";
    cluster.postgres.connect().await.batch_execute(long_ago).await.unwrap();
    for instance in &mut cluster.instances {
        instance.restart().await;
    }
    let mut watcher = Watcher::on(&edges[0], "watcher").await;
    let _streams = open_all(&edges[1], &stays).await;
    watcher.until_left(&goes).await;
    assert_eq!(sorted(&watcher.left), goes);
    online(&edges[0].publisher(), 6).await;
}

#[tokio::test]
async fn a_topic_whose_kind_has_no_presence_gets_no_presence_signals() {
    let cluster = cluster().set("TIDINGS_PRESENCE_GRACE_SECONDS", "4").start().await;
    let edge = cluster.edge();
    let quiet = json!({"access": "open", "signalIntervalMs": 0, "presence": false});
    edge.admin().put("/api/topic-kinds/quiet", &quiet).await.expect(200);
    for user in ["one", "two"] {
        edge.admin().set(&format!("/api/topics/quiet:1/subscribers/{user}")).await.expect(204);
    }
    let mut one = open(&edge, "one").await;
    let mut two = Some(open(&edge, "two").await);
    let present = async |count: usize| {
        eventually("presence is known", async || {
            (roster(&edge.publisher(), "topic=quiet:1").await["online"] == count).then_some(())
        })
        .await;
    };
    present(2).await;
    two.take();
    present(1).await;
    edge.publisher().notify("one", "after").await;
    let events = one.until_with_presence("notification").await;
    assert!(!events.iter().any(|event| event.is("signal")), "{events:?}");
}

#[tokio::test]
async fn a_connected_user_joins_by_subscribing_and_leaves_by_unsubscribing() {
    let cluster = cluster().instances(2).start().await;
    let edges = cluster.edges();
    edges[0].admin().put("/api/topic-kinds/team", &json!({"access": "open"})).await.expect(200);
    subscribe(&cluster, &["watcher".to_owned(), "known".to_owned()]).await;
    let mut watcher = Watcher::on(&edges[0], "watcher").await;
    // A user with a signal in one topic is known to be present.
    let _known = open(&edges[1], "known").await;
    watcher.until_joined(&["known".to_owned()]).await;
    let _user = open(&edges[1], "user").await;
    edges[0].admin().set(&format!("/api/topics/{TOPIC}/subscribers/user")).await.expect(204);
    watcher.until_joined(&["user".to_owned()]).await;
    assert_eq!(watcher.online, 3);

    // To mute it is neither.
    let path = format!("/api/topics/{TOPIC}/subscription");
    edges[1].user("user").put(&path, &json!({"mutedUntil": "2099-01-01T00:00:00Z"})).await.expect(200);
    edges[1].user("user").delete(&path).await.expect(200);
    watcher.until_left(&["user".to_owned()]).await;
    assert_eq!((&watcher.left, &watcher.online), (&vec!["user".to_owned()], &json!(2)));
    edges[1].user("user").put(&path, &json!({})).await.expect(200);
    watcher.until_joined_again("user").await;
    let removed = json!({"remove": ["user"], "add": ["away"]});
    edges[1].admin().post(&format!("/api/topics/{TOPIC}/subscribers"), &removed).await.expect(200);
    while watcher.left.len() < 2 {
        watcher.next().await;
    }
    assert_eq!((&watcher.left[1], &watcher.online), (&"user".to_owned(), &json!(2)));
    assert!(!watcher.joined.contains(&"away".to_owned()), "who is not connected does not come");
}
