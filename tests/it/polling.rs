//! Clients that cannot stream: `ETag`s on polled answers, and long polling on the stream's own cursor.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{process::Signal, *};

const LIST: &str = "/api/notifications";
const COUNT: &str = "/api/notifications/unread-count";

/// Asks under a condition.
async fn ask_if_new(caller: &Caller, path: &str, known: &[&str]) -> Answer {
    let request = caller.request(Method::GET, path);
    Answer::of(known.iter().fold(request, |request, line| request.header("If-None-Match", *line))).await
}

/// Asks for the changes after a cursor.
async fn changes(caller: &Caller, query: &str) -> Value {
    caller.get(&format!("/api/notifications/changes?{query}")).await.expect(200)
}

async fn position(caller: &Caller) -> String {
    caller.list("").await["cursor"].as_str().unwrap().to_owned()
}

fn events(answer: &Value) -> &Vec<Value> {
    answer["events"].as_array().unwrap()
}

fn titles(answer: &Value) -> Vec<&str> {
    events(answer).iter().map(|event| event["data"]["title"].as_str().unwrap()).collect()
}

fn cursor(answer: &Value) -> &str {
    answer["cursor"].as_str().unwrap()
}

/// Waits until so many connections are open, on all instances.
async fn connected(edges: &[Edge], count: i64) {
    eventually("so many connections are open", async || {
        let mut open = 0;
        for edge in edges {
            open += edge.metric("tidings_connections", &[]).await;
        }
        (open == count).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_etag_to_which_a_proxy_added_its_coding_is_known() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    cluster.publisher().notify("u1", "one").await;
    let settings = "/api/notifications/settings";
    for path in [LIST, COUNT, "/api/notifications/summary"] {
        let given = user.get(path).await.header("ETag").trim_matches('"').to_owned();
        assert!(!given.is_empty(), "{path}");
        for known in ["-gzip", "-br", ";gzip", "--gzip", "-zstd"].map(|added| format!("W/\"{given}{added}\"")) {
            assert_eq!(ask_if_new(&user, path, &[&known]).await.status, 304, "{path} {known}");
        }
        assert_eq!(ask_if_new(&user, path, &[&format!("\"{given}x-gzip\"")]).await.status, 200);
    }
    let change = async |tag: &str, on: bool| {
        let body = json!({"kinds": {"k": {"email": on}}});
        Answer::of(user.request(Method::PATCH, settings).header("If-Match", tag).json(&body)).await
    };
    let mut on = false;
    for added in ["", "-gzip", ";gzip", "-br"] {
        let given = user.get(settings).await.header("ETag").trim_matches('"').to_owned();
        on = !on;
        change(&format!("\"{given}{added}\""), on).await.expect(200);
        change(&format!("\"{given}{added}\""), on).await.problem(412);
    }
}

#[tokio::test]
async fn a_poll_with_the_known_list_or_count_gets_304_until_it_changes() {
    let cluster = cluster().start().await;
    let (publisher, user) = (cluster.publisher(), cluster.user("u1"));
    let id = publisher.notify("u1", "one").await;
    for (path, name) in [(LIST, "cursor"), ("/api/notifications?limit=1&kind=x", "cursor"), (COUNT, "unread")] {
        let first = user.get(path).await;
        let body = first.expect(200);
        let value = body[name].as_str().map_or_else(|| body[name].to_string(), str::to_owned);
        let tag = first.header("etag").to_owned();
        assert_eq!(tag, format!("\"{value}\""), "{path}");
        assert_eq!(first.header("cache-control"), "no-cache");
        let weak = format!("W/{tag}");
        let several = format!("\"old\" , {weak}, ");
        for known in [&[tag.as_str()][..], &[&weak], &[&several], &["\"old\"", &tag], &["*"]] {
            let again = ask_if_new(&user, path, known).await;
            assert_eq!((again.status, again.text.as_str()), (304, ""), "{path} {known:?}");
            assert_eq!((again.header("etag"), again.header("cache-control")), (tag.as_str(), "no-cache"));
        }
        let mut again = ask_if_new(&user, path, &["\"old\", \"other\""]).await.expect(200);
        // The tag names the state of the inbox; the time goes on.
        if body["timestamp"].is_string() {
            again["timestamp"] = body["timestamp"].clone();
        }
        assert_eq!(again, body, "{path}");
        for malformed in [&[value.as_str()][..], &["\"a"], &["\"a\" \"b\""], &["*", "\"a\""]] {
            let refused = ask_if_new(&user, path, malformed).await.problem(400);
            assert!(refused["detail"].as_str().unwrap().contains("If-None-Match"), "{refused}");
        }
        publisher.notify("u1", "more").await;
        assert_eq!(ask_if_new(&user, path, &[&tag]).await.status, 200, "{path}");
    }
    let tag = user.get(LIST).await.header("etag").to_owned();
    assert_eq!(ask_if_new(&cluster.user("u2"), LIST, &[&tag]).await.expect(200)["total"], 0, "somebody else's");
    user.touch(&format!("/api/notifications/{id}/read")).await.expect(200);
    assert_eq!(ask_if_new(&user, LIST, &[&tag]).await.status, 200);
    assert_eq!(ask_if_new(&user, COUNT, &["\"4\""]).await.expect(200)["unread"], 3);
}

/// The state of a client from events alone: each item's seq and whether it is read.
#[derive(Default)]
struct Seen {
    items: BTreeMap<String, (i64, bool)>,
    unread: Option<i64>,
}

impl Seen {
    fn take(&mut self, event: &Value) {
        let data = &event["data"];
        self.unread = data["unread"].as_i64();
        if event["event"] == "notification" {
            let (id, seq) = (data["id"].as_str().unwrap().to_owned(), data["seq"].as_i64().unwrap());
            let before = self.items.insert(id, (seq, data["readAt"].is_string()));
            assert!(before.is_none(), "told twice: {event}");
        } else {
            for id in data["ids"].as_array().unwrap() {
                // A change of an item that arrives later in its newest state.
                let item = self.items.get_mut(id.as_str().unwrap()).unwrap_or_else(|| panic!("not seen: {event}"));
                item.1 = data["read"].as_bool().unwrap();
            }
        }
    }
}

#[tokio::test]
async fn long_polls_of_any_instance_return_the_events_of_the_stream_in_order_and_once() {
    const ITEMS: usize = 90;
    let cluster = cluster().instances(3).set("TIDINGS_HEAD_CHECK_SECONDS", "3600").start().await;
    let edges = cluster.edges();
    let mut stream = edges[0].user("u1").stream().await;
    let mut at = stream.hello().await["cursor"].as_str().unwrap().to_owned();
    let publish = async {
        let mut head = String::new();
        for number in 0..ITEMS {
            let id = edges[number % 3].publisher().notify("u1", &number.to_string()).await;
            let user = edges[(number + 1) % 3].user("u1");
            if number % 3 == 0 {
                head = user.touch(&format!("/api/notifications/{id}/read")).await.expect(200)["cursor"].to_string();
            }
            if number % 6 == 0 {
                user.touch(&format!("/api/notifications/{id}/unread")).await.expect(200);
            }
        }
        edges[0].user("u1").touch("/api/notifications/read-all").await.expect(200);
        edges[2].publisher().notify("u1", "last").await;
        head
    };
    let poll = async {
        let (mut seen, mut last, mut calls) = (Seen::default(), 0, 0);
        while !seen.items.len().eq(&(ITEMS + 1)) {
            let answer = changes(&edges[calls % 3].user("u1"), &format!("cursor={at}&wait=20")).await;
            assert_eq!(answer["verdict"], "resumed");
            for event in events(&answer) {
                if let Some(id) = event["id"].as_str() {
                    let seq = id.rsplit_once('.').unwrap().1.parse::<i64>().unwrap();
                    assert!(seq > last, "out of order: {answer}");
                    last = seq;
                }
                seen.take(event);
            }
            at = cursor(&answer).to_owned();
            calls += 1;
        }
        assert!(at.ends_with(&format!(".{last}")), "the last event's id is the cursor: {last} and {at}");
        seen
    };
    let (_, seen) = tokio::join!(publish, poll);
    let mut streamed = Seen::default();
    while streamed.items.len() < ITEMS + 1 {
        let frame = stream.next().await;
        streamed.take(&json!({"id": frame.id, "event": frame.event, "data": frame.json()}));
    }
    assert_eq!((seen.items, seen.unread), (streamed.items, streamed.unread));
    assert_eq!(at, position(&edges[1].user("u1")).await);
    assert_eq!(stream.cursor.unwrap(), at);
}

#[tokio::test]
async fn an_answer_waits_for_something_and_no_longer() {
    let cluster = cluster().instances(2).start().await;
    let edges = cluster.edges();
    let user = edges[0].user("u1");
    let fresh = changes(&user, "wait=60").await;
    assert_eq!((&fresh["verdict"], &fresh["events"], &fresh["hasMore"]), (&json!("fresh"), &json!([]), &json!(false)));
    let query = format!("cursor={}&wait=60", cursor(&fresh));
    let publish = async {
        connected(&edges, 1).await;
        edges[1].publisher().notify("u1", "news").await;
    };
    let (answer, ()) = tokio::join!(changes(&user, &query), publish);
    assert_eq!((titles(&answer), &answer["unread"]), (vec!["news"], &json!(1)));
    assert_eq!(answer["events"][0]["id"], answer["cursor"]);
    connected(&edges, 0).await;
    let none = changes(&user, &format!("cursor={}", cursor(&answer))).await;
    assert_eq!((&none["events"], &none["cursor"], &none["missed"]), (&json!([]), &answer["cursor"], &json!(0)));
    // Changes of other things than items have the same events as on the stream.
    let put = user.request(Method::PUT, "/api/notifications/settings").header("If-Match", "*");
    Answer::of(put.json(&json!({"muteUntil": "forever"}))).await.expect(200);
    let told = changes(&edges[1].user("u1"), &format!("cursor={}", cursor(&none))).await;
    assert_eq!((&told["events"][0]["event"], &told["events"][0]["data"]), (&json!("settings"), &json!({"unread": 1})));
}

#[tokio::test]
async fn verdicts_are_the_streams() {
    let cluster = cluster().set("TIDINGS_MAX_REPLAY", "5").start().await;
    let user = cluster.user("u1");
    for number in 0..9 {
        cluster.publisher().notify("u1", &number.to_string()).await;
    }
    let database = cluster.postgres.connect().await;
    database.execute("update streams set pruned_seq = 6 where user_id = 'u1'", &[]).await.unwrap();
    let head = position(&user).await;
    let epoch = head.strip_suffix(".9").unwrap();
    let mut reasons = Vec::new();
    for text in [&head, &format!("{epoch}.7"), &format!("{epoch}.5"), "0000000000.8", "garbage", ""] {
        let answer = changes(&user, &format!("cursor={text}&wait=0")).await;
        let hello = user.stream_with(&format!("?cursor={text}"), None).await.hello().await;
        for name in ["verdict", "reason", "missed", "unread"] {
            assert_eq!(answer[name], hello[name], "{name} of {text}");
        }
        assert_eq!(answer["cursor"], head, "{text}");
        reasons.push(answer["reason"].as_str().unwrap_or_default().to_owned());
    }
    assert_eq!(reasons, ["", "", "pruned", "epoch", "invalid", "invalid"]);
    database.execute("update streams set pruned_seq = 0 where user_id = 'u1'", &[]).await.unwrap();
    let far = changes(&user, &format!("cursor={epoch}.3&wait=60")).await;
    assert_eq!((&far["reason"], &far["events"], &far["cursor"]), (&json!("tooFar"), &json!([]), &json!(head)));
    let near = changes(&user, &format!("cursor={epoch}.4&wait=60")).await;
    assert_eq!((&near["missed"], titles(&near)), (&json!(5), vec!["4", "5", "6", "7", "8"]));
}

#[tokio::test]
async fn filters_leave_out_the_same_events_as_on_the_stream() {
    let cluster = cluster().start().await;
    let (publisher, user) = (cluster.publisher(), cluster.user("u1"));
    let start = position(&user).await;
    for (title, kind, priority) in [("a", "x", "low"), ("b", "y", "high"), ("c", "x", "critical"), ("d", "z", "high")] {
        publisher.notify_with(json!({"users": ["u1"], "title": title, "kind": kind, "priority": priority})).await;
    }
    for (filter, expected) in
        [("kinds=x,y", &["a", "b", "c"][..]), ("minPriority=high", &["b", "c", "d"]), ("kinds=q", &[])]
    {
        let answer = changes(&user, &format!("cursor={start}&{filter}")).await;
        assert_eq!(titles(&answer), expected, "{filter}");
        assert_eq!((cursor(&answer), &answer["unread"]), (position(&user).await.as_str(), &json!(4)), "{filter}");
    }
    // A change that the filter leaves out while the answer waits moves the cursor and the count, and does not end the wait.
    let query = format!("cursor={}&kinds=wanted&wait=60", position(&user).await);
    let publish = async {
        connected(&[cluster.edge()], 1).await;
        publisher.notify("u1", "unwanted").await;
        publisher.notify_with(json!({"users": ["u1"], "title": "wanted", "kind": "wanted"})).await;
    };
    let (answer, ()) = tokio::join!(changes(&user, &query), publish);
    assert_eq!((titles(&answer), &answer["unread"]), (vec!["wanted"], &json!(6)));
}

#[tokio::test]
async fn much_that_was_missed_comes_in_several_answers() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    let mut at = position(&user).await;
    for first in [0, 600] {
        let batch: Vec<_> = (first..first + 600).map(|n| json!({"users": ["u1"], "title": n.to_string()})).collect();
        cluster.publisher().post("/api/notifications/batch", &json!(batch)).await.expect(200);
    }
    let (mut all, mut sizes) = (Vec::new(), Vec::new());
    loop {
        let answer = changes(&user, &format!("cursor={at}&wait=60")).await;
        all.extend(titles(&answer).into_iter().map(|title| title.parse::<usize>().unwrap()));
        sizes.push(events(&answer).len());
        at = cursor(&answer).to_owned();
        if answer["hasMore"] == false {
            break;
        }
    }
    assert_eq!(sizes, [500, 500, 200]);
    assert_eq!(all, (0..1200).collect::<Vec<_>>());
    let large = "x".repeat(9_000);
    let batch: Vec<_> = (0..100).map(|_| json!({"users": ["u1"], "title": "t", "message": large})).collect();
    for _ in 0..2 {
        cluster.publisher().post("/api/notifications/batch", &json!(batch)).await.expect(200);
    }
    let first = changes(&user, &format!("cursor={at}")).await;
    let rest = changes(&user, &format!("cursor={}", cursor(&first))).await;
    assert_eq!((&first["hasMore"], &rest["hasMore"]), (&json!(true), &json!(false)));
    assert_eq!(events(&first).len() + events(&rest).len(), 200);
    user.touch("/api/notifications/read-all").await.expect(200);
    let told = changes(&user, &format!("cursor={}", cursor(&rest))).await;
    let ids: usize = events(&told).iter().map(|event| event["data"]["ids"].as_array().unwrap().len()).sum();
    assert_eq!((ids, &told["hasMore"], cursor(&told)), (1_400, &json!(false), position(&user).await.as_str()));
}

#[tokio::test]
async fn a_long_poll_too_many_is_refused_and_one_that_leaves_makes_room() {
    let cluster =
        cluster().set("TIDINGS_MAX_CONNECTIONS_PER_USER", "1").set("TIDINGS_MAX_CONNECTIONS", "2").start().await;
    let (edges, user) = (cluster.edges(), cluster.user("u1"));
    let at = position(&user).await;
    let waiting = {
        let (user, query) = (user.clone(), format!("cursor={at}&wait=60"));
        tokio::spawn(async move { changes(&user, &query).await })
    };
    connected(&edges, 1).await;
    let refused = user.get("/api/notifications/changes").await;
    let problem = refused.problem(503);
    assert_eq!(problem["type"], "urn:tidings:problem:no-room");
    assert!(problem["detail"].as_str().unwrap().contains("max_connections_per_user"), "{problem}");
    assert_eq!(refused.header("retry-after"), "1");
    let mut other = cluster.user("u2").stream().await;
    other.hello().await;
    let problem = cluster.user("u3").get("/api/notifications/changes").await.problem(503);
    assert!(problem["detail"].as_str().unwrap().ends_with("(max_connections)"), "{problem}");
    waiting.abort();
    connected(&edges, 1).await;
    changes(&user, "").await;
}

#[tokio::test]
async fn an_instance_that_is_killed_or_drained_meanwhile_costs_nothing() {
    let mut cluster = cluster().instances(3).start().await;
    let edges = cluster.edges();
    let at = position(&edges[0].user("u1")).await;
    let path = format!("/api/notifications/changes?cursor={at}&wait=60");
    let wait_at = |edge: &Edge| {
        let request = edge.user("u1").request(Method::GET, &path);
        tokio::spawn(async move { Answer::try_of(request).await })
    };
    let (killed, drained) = (wait_at(&edges[0]), wait_at(&edges[1]));
    connected(&edges, 2).await;
    cluster.instances[0].kill();
    assert!(killed.await.unwrap().is_err());
    cluster.instances[1].signal(Signal::TERM);
    let early = drained.await.unwrap().unwrap().expect(200);
    assert_eq!((&early["events"], cursor(&early)), (&json!([]), at.as_str()));
    edges[2].publisher().notify("u1", "while away").await;
    assert_eq!(titles(&changes(&edges[2].user("u1"), &format!("cursor={at}&wait=60")).await), ["while away"]);
}

#[tokio::test]
async fn a_poll_is_answered_when_its_token_ends_and_the_next_is_refused() {
    let cluster = cluster().start().await;
    let edge = cluster.edge();
    let at = position(&cluster.user("u1")).await;
    let path = format!("/api/notifications/changes?cursor={at}&wait=60");
    let brief = edge.caller(&Token::of("u1").expires_in(6));
    let early = brief.get(&path).await.expect(200);
    assert_eq!((&early["events"], cursor(&early)), (&json!([]), at.as_str()));
    brief.get(&path).await.problem(401);

    let user = cluster.user("u1");
    let revoke = async {
        connected(&[cluster.edge()], 1).await;
        edge.admin().post("/api/admin/revocations", &json!({"user": "u1"})).await.expect(204);
    };
    let (early, ()) = tokio::join!(user.get(&path), revoke);
    assert_eq!(cursor(&early.expect(200)), at);
    user.get(&path).await.problem(401);
}

#[tokio::test]
async fn no_news_may_be_answered_without_a_body() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    let at = position(&user).await;
    let (path, tag) = (format!("/api/notifications/changes?cursor={at}"), format!("\"{at}\""));
    let none = ask_if_new(&user, &path, &[&tag]).await;
    assert_eq!((none.status, none.text.as_str(), none.header("etag")), (304, "", tag.as_str()));
    cluster.publisher().notify("u1", "news").await;
    let news = ask_if_new(&user, &path, &[&tag]).await;
    assert_eq!(titles(&news.expect(200)), ["news"]);
    assert_eq!(news.header("etag"), format!("\"{}\"", position(&user).await));
    let reset = ask_if_new(&user, "/api/notifications/changes?cursor=x", &["*"]).await;
    assert_eq!(reset.expect(200)["verdict"], "reset");
}

#[tokio::test]
async fn questions_that_are_not_understood_are_refused_by_name() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    for (query, name) in [
        ("wait=61", "wait"),
        ("wait=-1", "wait"),
        ("wait=1.5", "wait"),
        ("kinds=", "kinds"),
        ("minPriority=urgent", "minPriority"),
        ("replay=5", "replay"),
        ("cursor=a.1&cursor=a.2", "cursor"),
    ] {
        let problem = user.get(&format!("/api/notifications/changes?{query}")).await.problem(400);
        assert_eq!(problem["errors"][0]["parameter"], name, "{query}");
    }
    cluster.edge().nobody().get("/api/notifications/changes").await.problem(401);
}
