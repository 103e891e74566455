//! Bounds of the API through the proxies of this repository: nothing that the server takes or waits for is cut on the way.

use std::{fs, path::Path};

use reqwest::{Method, header::CONTENT_TYPE};
use serde_json::{Value, json};
use tidings::auth::TOKEN_BYTES;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{ROOT, harness::*};

const CHANGES: &str = "/api/notifications/changes";
const BATCH: &str = "/api/notifications/batch";
/// A batch may have this many times the bytes of one publish.
const BODIES: u64 = 16;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap()
}

/// The greatest value of a setting, as the page says that a test holds to the code.
fn greatest(setting: &str) -> f64 {
    let page = read("docs/settings.md");
    let line = page.lines().find(|line| line.contains(&format!("`{setting}`"))).expect(setting);
    let most = line.rsplit_once(" to ").unwrap().1;
    most.split_once(']').unwrap().0.parse().unwrap()
}

/// The value of a directive of the shipped nginx: in a location, or where none is named, outside of all of them.
fn nginx(location: &str, directive: &str) -> String {
    let configuration = read("deploy/nginx.conf");
    let mut inside = String::new();
    for line in configuration.lines().map(str::trim) {
        match line.strip_prefix("location ").and_then(|rest| rest.strip_suffix(" {")) {
            Some(name) => name.trim_start_matches("= ").clone_into(&mut inside),
            None if line == "}" => inside.clear(),
            None if inside == location => {
                let value = line.strip_prefix(directive).and_then(|rest| rest.strip_suffix(';'));
                if let Some(value) = value.filter(|value| value.starts_with(' ')) {
                    return value.trim().to_owned();
                }
            }
            None => {}
        }
    }
    panic!("{directive} is not set in {location:?}");
}

/// The value of an annotation of the ingress.
fn ingress(annotation: &str) -> String {
    let manifest = read("k8s/base/ingress.yaml");
    let name = format!("nginx.ingress.kubernetes.io/{annotation}: ");
    let line = manifest.lines().find_map(|line| line.trim().strip_prefix(&name)).expect(annotation);
    line.trim_matches('"').to_owned()
}

fn seconds(text: &str) -> f64 {
    text.trim_end_matches('s').parse().unwrap()
}

fn bytes(text: &str) -> f64 {
    let (number, unit) = text.split_at(text.len() - 1);
    let unit = ["k", "m"].iter().position(|known| *known == unit).expect("k or m");
    number.parse::<f64>().unwrap() * 1024_f64.powi(unit as i32 + 1)
}

#[tokio::test]
async fn every_proxy_allows_what_the_server_does() {
    let cluster = cluster().start().await;
    let document = cluster.edge().nobody().get("/api/openapi.json").await.expect(200);
    let parameters = document["paths"][CHANGES]["get"]["parameters"].as_array().unwrap();
    let wait = parameters.iter().find(|parameter| parameter["name"] == "wait").unwrap();
    let longest = wait["schema"]["maximum"].as_f64().unwrap();
    assert!(seconds(&nginx(CHANGES, "proxy_read_timeout")) > longest);
    // A stream is silent between two heartbeats.
    let heartbeat = greatest("TIDINGS_HEARTBEAT_SECONDS");
    for stream in ["/api/notifications/stream", "/ws/notifications"] {
        assert!(seconds(&nginx(stream, "proxy_read_timeout")) > 2.0 * heartbeat, "{stream}");
    }
    assert!(seconds(&ingress("proxy-read-timeout")) > longest.max(2.0 * heartbeat));
    let batch = greatest("TIDINGS_BODY_BYTES") * BODIES as f64;
    for allowed in [nginx("", "client_max_body_size"), ingress("proxy-body-size")] {
        assert!(bytes(&allowed) >= batch, "{allowed}");
    }
    // Words around the token, and other cookies.
    let buffers = nginx("", "large_client_header_buffers");
    let (_, line) = buffers.split_once(' ').unwrap();
    assert!(bytes(line) >= 2.0 * TOKEN_BYTES as f64, "{buffers}");
    assert!(read("k8s/base/ingress.yaml").contains(&format!(r#"large-client-header-buffers: "{buffers}""#)));
    // The proxy closes an idle connection before the instance does.
    assert!(seconds(&nginx("", "keepalive_timeout")) < 75.0);
    let upstream = read("deploy/nginx.conf");
    let upstream = upstream.split_once("upstream tidings {").unwrap().1.split_once('}').unwrap().0;
    let idle = upstream.lines().find_map(|line| line.trim().strip_prefix("keepalive_timeout ")).unwrap();
    assert!(seconds(idle.trim_end_matches(';')) < 75.0);
}

#[tokio::test]
async fn a_long_poll_waits_longer_behind_nginx_than_any_other_request() {
    let cluster = cluster().instances(3).start().await;
    // In the place of 30 s, so that the test does not take as long as that.
    let nginx = Nginx::altered(&cluster.instances, |shipped| {
        assert!(shipped.contains("proxy_read_timeout          30s;"));
        shipped.replace("proxy_read_timeout          30s;", "proxy_read_timeout 1s;")
    })
    .await;
    let user = nginx.edge().user("u1");
    let cursor = user.list("").await["cursor"].as_str().unwrap().to_owned();
    let answer = user.get(&format!("{CHANGES}?cursor={cursor}&wait=2")).await.expect(200);
    assert_eq!((&answer["verdict"], &answer["events"]), (&json!("resumed"), &json!([])));
    user.get(&format!("{CHANGES}?cursor={cursor}&wait=61")).await.problem(400);
}

#[tokio::test]
async fn bodies_of_any_length_that_the_server_takes_pass_nginx() {
    let most = greatest("TIDINGS_BODY_BYTES") as usize;
    let cluster = cluster().instances(3).set("TIDINGS_BODY_BYTES", &most.to_string()).start().await;
    let nginx = Nginx::before(&cluster.instances).await;
    let publisher = nginx.edge().publisher();
    let send = async |path: &str, body: String| {
        let request = publisher.request(Method::POST, path).header(CONTENT_TYPE, "application/json").body(body);
        Answer::of(request).await
    };
    let one = r#"{"users":["u1"],"title":"t"}"#;
    let padded = |bytes: usize| one.to_owned() + &" ".repeat(bytes - one.len());
    send("/api/notifications", padded(most)).await.expect(201);
    let refused = send("/api/notifications", padded(most + 1)).await.problem(413);
    assert!(refused["detail"].as_str().unwrap().contains(&most.to_string()), "the server's own words: {refused}");
    let batch = |bytes: usize| format!("[{}]", padded(bytes - 2));
    let results = send(BATCH, batch(most * BODIES as usize)).await.expect(200);
    // Each item has the bound of one publish; spaces between items are none of its bytes.
    assert!(results["results"][0]["id"].is_string(), "{results}");
    assert_eq!(send(BATCH, batch(most * BODIES as usize + 1)).await.status, 413);
}

#[tokio::test]
async fn a_token_of_the_greatest_length_passes_nginx_wherever_it_stands() {
    let cluster = cluster().instances(3).set("TIDINGS_QUERY_TOKEN", "true").start().await;
    let nginx = Nginx::before(&cluster.instances).await;
    let sized = |padding: usize| Token::of("u1").claim("pad", json!("x".repeat(padding))).sign();
    // Base64 makes four characters of three bytes, so not every length can be met.
    let padding = (0..TOKEN_BYTES).rev().find(|padding| sized(*padding).len() <= TOKEN_BYTES).unwrap();
    let token = sized(padding);
    assert!(token.len() > TOKEN_BYTES - 4, "{}", token.len());
    let edge = nginx.edge();
    assert_eq!(edge.bearer(&token).list("").await["total"], 0);
    let cookie = format!("other=1; tidings_token={token}");
    let request = edge.nobody().request(Method::GET, "/api/notifications").header("Cookie", cookie);
    Answer::of(request).await.expect(200);
    let mut stream = edge.nobody().stream_with(&format!("?token={token}"), None).await;
    stream.hello().await;
    edge.bearer(&token).socket("").await.connected().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_the_configured_time() {
    let cluster = cluster().set("TIDINGS_KEEP_ALIVE_SECONDS", "1").start().await;
    let mut socket = TcpStream::connect(("127.0.0.1", cluster.instances[0].port())).await.unwrap();
    socket.write_all(b"GET /health HTTP/1.1\r\nHost: t\r\n\r\n").await.unwrap();
    let mut read = Vec::new();
    in_time("the server closes the connection", socket.read_to_end(&mut read)).await.unwrap();
    let text = String::from_utf8(read).unwrap();
    assert!(text.starts_with("HTTP/1.1 200") && text.to_lowercase().contains("content-length"), "{text}");
    let health: Value = serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(health["status"], "ok");
}
