//! Publishing by channel.

use super::*;

#[tokio::test]
async fn a_channel_message_is_stored_once_however_many_hear_it() {
    let server = RedisServer::start().await;
    let mut redis = server.connect().await;
    let instances = Instances::start(&servers(&server), &["a", "b", "c"], CALM);
    heard_by(&mut redis, 3).await;
    let users = ["u1", "a:b:c", "user:x", "{*?}[x]", "\u{e4} \u{1f600}"];
    for user in users {
        let channel = format!("tidings:publish:acme:user:{user}");
        let received: i64 = call(&mut redis, &["PUBLISH", &channel, r#"{"title":"t"}"#]).await;
        assert_eq!(received, 3);
        let keyed = r#"{"title":"keyed","idempotencyKey":"k-"}"#.replace("k-", &format!("k-{}", hex::encode(user)));
        for _ in 0..3 {
            call::<i64>(&mut redis, &["PUBLISH", &channel, &keyed]).await;
        }
    }
    instances.kept.has(10).await;
    instances.end().await;
    let mut expected: Vec<_> =
        users.iter().flat_map(|user| ["t", "keyed"].map(|title| ((*user).to_owned(), title.to_owned()))).collect();
    expected.sort();
    assert_eq!(instances.kept.stored(), expected);
    assert_eq!(letters(&mut redis).await, []);
}

#[tokio::test]
async fn a_refused_channel_message_leaves_one_dead_letter() {
    let server = RedisServer::start().await;
    let mut redis = server.connect().await;
    let instances = Instances::start(&servers(&server), &["a", "b"], CALM);
    heard_by(&mut redis, 2).await;
    let long = format!(r#"{{"title":"t","message":"{}"}}"#, "x".repeat(70_000));
    let refused = [
        ("tidings:publish:acme:user:u", r#"{"title":""}"#, "/title"),
        ("tidings:publish:acme:user:u", r#"{"title":"t","users":["v"]}"#, "/users"),
        ("tidings:publish:acme:user:u", "not json", "expected"),
        ("tidings:publish:acme:user:u", &long, "65536 bytes"),
        ("tidings:publish:acme:user:", r#"{"title":"t"}"#, "user's id"),
        ("tidings:publish:a b:user:u", r#"{"title":"t"}"#, "channel"),
        ("tidings:publish:acme:topic:x y", r#"{"title":"t"}"#, "a topic is"),
        ("tidings:publish:x", r#"{"title":"t"}"#, "channel"),
    ];
    for (channel, message, _) in refused {
        call::<i64>(&mut redis, &["PUBLISH", channel, message]).await;
    }
    until(async || letters(&mut redis).await.len() >= refused.len()).await;
    instances.end().await;
    let letters = letters(&mut redis).await;
    assert_eq!(letters.len(), refused.len());
    for (_, message, reason) in refused {
        let found = letters.iter().any(|letter| {
            letter.0.contains(reason) && letter.1.len() <= 4_096 && message.starts_with(letter.1.as_str())
        });
        assert!(found, "{reason}: {letters:?}");
    }
    assert_eq!(instances.kept.stored(), []);
}

#[tokio::test]
async fn a_channel_message_outlasts_a_short_absence_of_the_store() {
    let server = RedisServer::start().await;
    let mut redis = server.connect().await;
    let instances = Instances::start(&servers(&server), &["a"], CALM);
    heard_by(&mut redis, 1).await;
    instances.kept.away.store(true, Ordering::SeqCst);
    call::<i64>(&mut redis, &["PUBLISH", "tidings:publish:acme:user:u", r#"{"title":"t"}"#]).await;
    until(async || instances.kept.attempts.load(Ordering::SeqCst) >= 2).await;
    instances.kept.away.store(false, Ordering::SeqCst);
    instances.kept.has(1).await;
    instances.end().await;
}

#[tokio::test]
async fn a_channel_message_that_could_not_be_stored_may_be_sent_again() {
    let server = RedisServer::start().await;
    let mut redis = server.connect().await;
    let instances = Instances::start(&servers(&server), &["a"], CALM);
    heard_by(&mut redis, 1).await;
    instances.kept.away.store(true, Ordering::SeqCst);
    let publish = ["PUBLISH", "tidings:publish:acme:user:u", r#"{"title":"t","idempotencyKey":"k"}"#];
    call::<i64>(&mut redis, &publish).await;
    until(async || letters(&mut redis).await.len() == 1).await;
    instances.kept.away.store(false, Ordering::SeqCst);
    call::<i64>(&mut redis, &publish).await;
    instances.kept.has(1).await;
    instances.end().await;
}
