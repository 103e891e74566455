//! A publish to a topic reaches the subscribers of that time, and no others.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use futures_util::future::join_all;

use super::*;

/// When each publish was begun, by title; ends at `stop`.
async fn publish_until(publisher: Caller, stop: &AtomicBool) -> BTreeMap<String, (Instant, String)> {
    let mut begun = BTreeMap::new();
    while !stop.load(Ordering::Relaxed) {
        let (title, at) = (format!("t{}", begun.len()), Instant::now());
        let id = publisher.notify_with(json!({"topics": ["team:7"], "title": title})).await;
        begun.insert(title, (at, id));
    }
    begun
}

/// Removes members one after the other, each on another instance; answers when each removal was answered.
async fn remove(edges: &[Edge], members: &[String]) -> Vec<Instant> {
    let mut answered = Vec::new();
    for (member, edge) in members.iter().zip(edges.iter().cycle()) {
        edge.admin().delete(&format!("/api/topics/team:7/members/{member}")).await.expect(204);
        answered.push(Instant::now());
    }
    answered
}

/// The titles that come on a stream before `end`.
async fn titles(stream: &mut Frames) -> Vec<String> {
    let mut titles = Vec::new();
    loop {
        let title = stream.next_of("notification").await.json()["title"].as_str().unwrap().to_owned();
        if title == "end" {
            return titles;
        }
        titles.push(title);
    }
}

#[tokio::test]
async fn a_removed_member_gets_nothing_that_is_published_after_the_removal_was_answered() {
    let cluster = cluster().instances(3).start().await;
    let (edges, admin) = (cluster.edges(), cluster.edge().admin());
    let members: Vec<_> = (0..30).map(|number| format!("m{number}")).collect();
    admin.post("/api/topics/team:7/members", &json!({"add": members})).await.expect(200);
    let mut streams = Vec::new();
    for (member, edge) in members.iter().zip(edges.iter().cycle()) {
        let user = edge.user(member);
        user.set(&subscription("team:7")).await.expect(200);
        let mut stream = user.stream().await;
        stream.hello().await;
        streams.push(stream);
    }
    let stop = AtomicBool::new(false);
    let publishing = publish_until(edges[2].publisher(), &stop);
    let removing = async {
        let answered = remove(&edges, &members[..20]).await;
        stop.store(true, Ordering::Relaxed);
        answered
    };
    let (begun, answered) = tokio::join!(publishing, removing);
    assert!(begun.len() > 2, "there was hardly a race");
    for (_, id) in begun.values() {
        finished(&cluster, id).await;
    }
    cluster.publisher().notify_with(json!({"users": members, "title": "end"})).await;
    let told = join_all(streams.iter_mut().map(titles)).await;
    for (index, (member, told)) in members.iter().zip(&told).enumerate() {
        let listed = cluster.user(member).list("?limit=100").await["total"].as_i64().unwrap();
        assert_eq!(listed, told.len() as i64 + 1, "{member} was sent what is stored");
        match answered.get(index) {
            Some(answered) => {
                let late: Vec<_> = told.iter().filter(|title| begun[*title].0 > *answered).collect();
                assert_eq!(late, [""; 0], "{member} was removed before these were published");
            }
            None => assert_eq!(told.len(), begun.len(), "{member} stayed"),
        }
    }
}

#[tokio::test]
async fn a_user_who_joins_gets_later_publishes() {
    let cluster = cluster().instances(2).start().await;
    kind(&cluster.edge(), "team", "open").await;
    let (user, publisher) = (cluster.user("u1"), cluster.instances[1].edge().publisher());
    let mut stream = cluster.instances[1].edge().user("u1").stream().await;
    stream.hello().await;
    let to_topic = json!({"topics": ["team:7"], "title": "one"});
    publisher.publish(&to_topic).await.problem(422);
    user.set(&subscription("team:7")).await.expect(200);
    assert_eq!(told(&mut stream).await["subscribed"], true);
    publisher.publish(&to_topic).await.expect(201);
    let item = stream.next().await.json();
    assert_eq!((&item["reason"], &item["topic"], &item["unread"]), (&"topic".into(), &"team:7".into(), &1.into()));
    user.delete(&subscription("team:7")).await.expect(200);
    assert_eq!(told(&mut stream).await["unread"], 1);
    publisher.publish(&to_topic).await.expect(201);
    publisher.notify("u1", "direct").await;
    assert_eq!(stream.titles(1).await, ["direct"]);
}
