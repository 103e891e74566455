//! A database that forgot what it had acknowledged: no client resumes over the hole.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::harness::*;

/// The verdict on a cursor, and its reason.
async fn verdict(user: &Caller, cursor: &str) -> (Value, Value) {
    let hello = user.resume(cursor).await.hello().await;
    (hello["verdict"].clone(), hello["reason"].clone())
}

fn reset() -> (Value, Value) {
    (json!("reset"), json!("epoch"))
}

async fn cursor(user: &Caller) -> String {
    user.list("").await["cursor"].as_str().unwrap().to_owned()
}

/// Publishes to each user in turn.
async fn publish(edge: &Edge, users: &[&str], title: &str) {
    for user in users {
        edge.publisher().notify(user, title).await;
    }
}

/// Waits until an instance stores again, and fills the holes of `users` with other changes.
async fn publish_once_it_stores(edge: &Edge, users: &[&str], title: &str) {
    let first = json!({"users": ["probe"], "title": "t"});
    eventually("it stores again", async || (edge.publisher().publish(&first).await.status == 201).then_some(())).await;
    publish(edge, users, title).await;
}

#[tokio::test]
async fn one_cursor_ahead_of_a_restored_disk_resets_every_client() {
    let mut cluster = cluster().set("TIDINGS_HEAD_CHECK_SECONDS", "60").start().await;
    let edge = cluster.edge();
    publish(&edge, &["witness", "victim"], "kept").await;
    cluster.postgres.stop().await;
    let disk = cluster.postgres.copy_of_disk();
    cluster.postgres.resume().await;
    publish_once_it_stores(&edge, &["witness", "victim"], "forgotten").await;
    let (witness, victim) = (edge.user("witness"), edge.user("victim"));
    let (ahead, over_a_hole) = (cursor(&witness).await, cursor(&victim).await);
    cluster.postgres.stop().await;
    cluster.postgres.put_back(&disk);
    cluster.postgres.resume().await;
    publish_once_it_stores(&edge, &["victim", "victim"], "in the same place").await;

    assert_eq!(verdict(&witness, &ahead).await, reset());
    assert_eq!(verdict(&victim, &over_a_hole).await, reset());
    // What a client makes up resets itself, but nobody else so soon again.
    let good = cursor(&victim).await;
    let (epoch, _) = good.rsplit_once('.').unwrap();
    assert_eq!(verdict(&victim, &format!("{epoch}.99")).await, (json!("reset"), json!("invalid")));
    assert_eq!(verdict(&victim, &good).await.0, "resumed");
}

#[tokio::test]
async fn a_client_whose_word_comes_a_moment_late_begins_in_the_new_generation() {
    let cluster = cluster().set("TIDINGS_HEAD_CHECK_SECONDS", "60").start().await;
    publish(&cluster.edge(), &["u1"], "kept").await;
    let user = cluster.user("u1");
    let known = cursor(&user).await;
    let ahead = format!("{}.99", known.rsplit_once('.').unwrap().0);
    // Another instance raises the generation, and commits after this one has read the page and wants to raise it as well.
    let (mut other, watcher) = (cluster.postgres.connect().await, cluster.postgres.connect().await);
    let raising = other.transaction().await.unwrap();
    raising.execute("update generation set value = value + 1, mark = 'gother', accused_at = now()", &[]).await.unwrap();
    let late = tokio::spawn({
        let user = user.clone();
        async move {
            let mut stream = user.resume(&ahead).await;
            let hello = stream.hello().await;
            (hello, stream)
        }
    });
    let waits =
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like 'update generation%'";
    eventually("it waits for the other", async || {
        let waiting: i64 = watcher.query_one(waits, &[]).await.unwrap().get(0);
        (waiting == 1).then_some(())
    })
    .await;
    raising.commit().await.unwrap();
    let (hello, mut stream) = late.await.unwrap();
    assert_eq!((&hello["verdict"], &hello["reason"]), (&json!("reset"), &json!("epoch")), "{hello}");
    assert_eq!(hello["cursor"], cursor(&user).await, "a cursor of the new generation");
    cluster.publisher().notify("u1", "next").await;
    assert_eq!(stream.titles(1).await, ["next"]);
}

#[tokio::test]
async fn an_instance_that_remembers_more_than_the_database_resets_every_client() {
    let mut cluster = cluster().on_postgres_alone(2).set("TIDINGS_HEAD_CHECK_SECONDS", "1").start().await;
    let edge = cluster.edge();
    publish(&edge, &["online", "victim"], "kept").await;
    cluster.postgres.stop().await;
    let disk = cluster.postgres.copy_of_disk();
    cluster.postgres.resume().await;
    publish_once_it_stores(&edge, &["victim"], "forgotten").await;
    let mut stream = edge.user("online").stream().await;
    stream.hello().await;
    publish(&edge, &["online"], "forgotten").await;
    stream.titles(1).await;
    let over_a_hole = cursor(&edge.user("victim")).await;
    cluster.postgres.stop().await;
    cluster.postgres.put_back(&disk);
    cluster.postgres.resume().await;
    let other = cluster.edges().remove(1);
    publish_once_it_stores(&other, &["victim", "victim"], "in the same place").await;
    let bye = stream.next_of("bye").await;
    assert_eq!(bye.json()["reason"], "rotated");
    assert_eq!(verdict(&other.user("online"), stream.cursor.as_ref().unwrap()).await, reset());
    assert_eq!(verdict(&other.user("victim"), &over_a_hole).await, reset());
}

#[tokio::test]
async fn nobody_resumes_over_the_hole_that_a_lagging_standby_leaves() {
    let mut old = Postgres::start().await;
    let new = old.standby().await;
    let address = Address::of(old.port()).await;
    let mut instances: Vec<_> = (0..2).map(|_| Instance::new(&[("DATABASE_URL", &address.url())])).collect();
    instances.iter_mut().for_each(Instance::launch);
    for instance in &mut instances {
        instance.ready().await;
    }
    let (edge, other) = (instances[0].edge(), instances[1].edge());
    let users: Vec<String> = (0..20).map(|index| format!("u{index}")).collect();
    let names: Vec<&str> = users.iter().map(String::as_str).collect();
    publish(&edge, &names, "on both").await;
    let mut online = other.user("u0").stream().await;
    online.hello().await;
    new.stop_following(&old).await;
    publish(&edge, &names, "on the primary alone").await;
    online.titles(1).await;
    let mut cursors = Vec::new();
    for name in &names {
        cursors.push(cursor(&edge.user(name)).await);
    }
    old.crash().await;
    new.promote().await;
    address.move_to(new.port());
    // Other changes take the places of those that are lost.
    publish_once_it_stores(&edge, &names, "on the new primary").await;
    publish(&edge, &names, "on the new primary").await;
    for (name, cursor) in names.iter().zip(&cursors) {
        assert_eq!(verdict(&edge.user(name), cursor).await, reset(), "{name}");
    }
    online.next_of("bye").await;
    assert_eq!(verdict(&other.user("u0"), online.cursor.as_ref().unwrap()).await, reset());
}

#[tokio::test]
async fn a_dump_that_is_restored_is_noticed_and_an_operator_may_say_so() {
    let mut cluster = cluster().start().await;
    publish(&cluster.edge(), &["u1", "u2"], "kept").await;
    let dump = cluster.postgres.dump();
    publish(&cluster.edge(), &["u1", "u2"], "forgotten").await;
    let over_a_hole = cursor(&cluster.user("u1")).await;
    let mut restored = String::new();
    let mut holes = vec![over_a_hole];
    // The second time the counter in the dump is the same as the first time.
    for name in ["once", "again"] {
        restored = cluster.postgres.restore(&dump, name);
        cluster.instances[0].kill();
        cluster.instances[0].set("DATABASE_URL", &restored);
        cluster.instances[0].restart().await;
        publish(&cluster.edge(), &["u1", "u1"], "in the same place").await;
        for hole in &holes {
            assert_eq!(verdict(&cluster.user("u1"), hole).await, reset(), "{name}");
        }
        holes.push(cursor(&cluster.user("u1")).await);
    }

    let mut stream = cluster.user("u1").stream().await;
    let good = stream.hello().await["cursor"].as_str().unwrap().to_owned();
    assert_eq!(verdict(&cluster.user("u1"), &good).await.0, "resumed");
    let said = tokio::process::Command::new(crate::tidings())
        .args(["restored", "--database-url", &restored])
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&said.stdout), "generation 2: all clients start anew\n");
    assert_eq!(verdict(&cluster.user("u1"), &good).await, reset());
    // The new connection tells the stream beside it.
    stream.next_of("bye").await;
}

#[tokio::test]
async fn a_server_that_only_restarts_is_the_same_and_its_cursors_stay_good() {
    let mut cluster = cluster().start().await;
    publish(&cluster.edge(), &["u1"], "one").await;
    let before = cursor(&cluster.user("u1")).await;
    cluster.postgres.crash().await;
    cluster.postgres.resume().await;
    publish_once_it_stores(&cluster.edge(), &["u1"], "two").await;
    assert_eq!(verdict(&cluster.user("u1"), &before).await.0, "resumed");
}
