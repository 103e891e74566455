//! Texts that try to break out: of a frame, of a header, of a channel, of a key.

use serde_json::json;

use crate::harness::*;

/// Line ends of every kind that a client may know, and the text that would follow them.
const NASTY: [&str; 8] = [
    "a\nid: stolen.1",
    "a\r\nevent: bye\r\ndata: {}",
    "a\n\nevent: notification\ndata: {\"id\":\"forged\"}\n\n",
    "a\rdata: x",
    "a\u{2028}b\u{2029}c\u{85}d",
    "\u{feff}bom",
    "</script><script>alert(1)</script>",
    "\"}\\\n\\u000a",
];

#[tokio::test]
async fn no_text_of_a_publisher_can_end_a_frame() {
    let cluster = cluster().instances(2).start().await;
    let user = cluster.instances[1].edge().user("u1");
    let start = user.list("").await["cursor"].as_str().unwrap().to_owned();
    let mut live = user.stream().await;
    live.hello().await;
    for text in NASTY {
        cluster
            .publisher()
            .notify_with(json!({"users": ["u1"], "title": text, "message": text, "data": {text: [text]}}))
            .await;
    }
    let mut replayed = user.resume(&start).await;
    replayed.hello().await;
    for stream in [&mut live, &mut replayed] {
        for (index, text) in NASTY.iter().enumerate() {
            let frame = stream.next().await;
            assert!(frame.is("notification") && frame.other.is_empty() && frame.retry.is_none(), "{frame:?}");
            assert!(frame.id.as_deref().unwrap().ends_with(&format!(".{}", index + 1)), "{frame:?}");
            assert!(!frame.data.as_deref().unwrap().contains(['\r', '\n']));
            let data = frame.json();
            assert_eq!((&data["title"], &data["message"]), (&json!(text), &json!(text)));
            assert_eq!(data["data"], json!({ *text: [text] }));
        }
    }
}

/// Ids with the separators of channels, keys, URLs, SQL, globs, hash tags and cursors.
const USERS: [&str; 16] = [
    "a:b",
    "a/b",
    "a{b}c",
    "a*b",
    "a?b",
    "a[b]",
    "a.b",
    "a,b",
    "a%62",
    "a b",
    "a'b",
    "a\"b",
    "a\\b",
    "a|b#c@d",
    "ünï\u{1f600}",
    "default:u1",
];

#[tokio::test]
async fn users_whose_ids_hold_separators_are_kept_apart() {
    let cluster = cluster().instances(2).start().await;
    let other = cluster.instances[1].edge();
    let mut streams = Vec::new();
    for user in USERS.iter().chain(["a", "b", "u1", "ab", "axb"].iter()) {
        let mut stream = other.user(user).stream().await;
        stream.hello().await;
        streams.push((user, stream));
    }
    for user in USERS {
        cluster.publisher().notify(user, user).await;
    }
    let everybody: Vec<_> = streams.iter().map(|(user, _)| **user).collect();
    cluster.publisher().notify_with(json!({"users": everybody, "title": "marker"})).await;
    for (user, stream) in &mut streams {
        if USERS.contains(user) {
            assert_eq!(stream.titles(1).await, [**user]);
        }
        assert_eq!(stream.titles(1).await, ["marker"], "{user} got what was for another");
    }
}

#[tokio::test]
async fn headers_are_not_made_from_the_values_of_callers() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    let odd = "x".repeat(300);
    for id in ["good-id_1", "a b", "a;b", &odd] {
        let request = user.request(reqwest::Method::GET, "/api/notifications").header("X-Request-Id", id);
        let answer = Answer::of(request).await;
        answer.expect(200);
        assert_eq!(answer.header("x-request-id") == id, id == "good-id_1", "{id}");
    }
    let mut stream = user.stream_with("?cursor=a%0D%0Aid:%20x.1", None).await;
    assert_eq!(stream.hello().await["reason"], "invalid");
}

#[tokio::test]
async fn notifications_of_others_and_unknown_ones_are_the_same_404() {
    let cluster = cluster().start().await;
    let id = cluster.publisher().notify("u2", "not yours").await;
    let user = cluster.user("u1");
    let mut answers = Vec::new();
    for id in [id.as_str(), "0192f0c1-d8e7-7c4b-9a3e-5f6071829304", "nonsense", "%00", "1'%20or%201=1"] {
        let path = format!("/api/notifications/{id}");
        let mut problem = user.get(&path).await.problem(404);
        for action in ["read", "unread", "archive"] {
            user.touch(&format!("{path}/{action}")).await.problem(404);
        }
        user.delete(&path).await.problem(404);
        problem.as_object_mut().unwrap().remove("instance");
        answers.push(problem);
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    let owner = cluster.user("u2").list("").await;
    assert_eq!((&owner["total"], &owner["unread"]), (&json!(1), &json!(1)));
}

#[tokio::test]
async fn no_secret_and_no_content_reaches_the_log() {
    let cluster =
        cluster().instances(3).set("RUST_LOG", "debug,h2=info,hyper=info,hyper_util=info,reqwest=info").start().await;
    let nginx = Nginx::before(&cluster.instances).await;
    let edge = nginx.edge();
    let user = edge.user("u1");
    let ticket = user.touch("/api/stream-tickets").await.expect(200)["ticket"].as_str().unwrap().to_owned();
    let mut stream = edge.nobody().stream_with(&format!("?ticket={ticket}"), None).await;
    stream.hello().await;
    edge.publisher()
        .notify_with(json!({"users": ["u1"], "title": "secret-title", "data": {"pin": "secret-pin"}}))
        .await;
    stream.titles(1).await;
    edge.nobody().get(&format!("/api/notifications/stream?token={}&ticket=secret-ticket", user.token())).await;
    edge.nobody().get("/api/notifications?secret-query=1").await;
    edge.bearer("secret.bearer.token").get("/api/notifications").await.problem(401);
    let logs = cluster.instances.iter().map(Instance::log).chain([nginx.log()]).collect::<String>();
    assert!(logs.contains("/api/notifications"), "something was logged");
    for secret in [ticket.as_str(), user.token(), token::SECRET, "secret-", "secret.bearer"] {
        assert!(!logs.contains(secret), "{secret} is in the log");
    }
}
