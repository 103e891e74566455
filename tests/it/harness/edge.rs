//! The HTTP side of an instance or of a proxy before several, as a caller sees it.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, header::HeaderMap};
use serde_json::{Value, json};

use super::{Frames, Token};

/// The base URL of an instance or a proxy.
#[derive(Clone)]
pub struct Edge {
    base: String,
    http: Client,
}

impl Edge {
    pub fn new(base: &str) -> Self {
        Self::with_client(base, client().build().unwrap())
    }

    /// Speaks HTTP/2 without an upgrade.
    pub fn http2(base: &str) -> Self {
        Self::with_client(base, client().http2_prior_knowledge().build().unwrap())
    }

    fn with_client(base: &str, http: Client) -> Self {
        Self { base: base.to_owned(), http }
    }

    pub fn base(&self) -> &str {
        &self.base
    }

    /// Calls as `user` of the default tenant.
    pub fn user(&self, user: &str) -> Caller {
        self.caller(&Token::of(user))
    }

    /// Calls as a backend of the default tenant.
    pub fn publisher(&self) -> Caller {
        self.caller(&Token::publisher())
    }

    pub fn admin(&self) -> Caller {
        self.caller(&Token::admin())
    }

    pub fn caller(&self, token: &Token) -> Caller {
        self.bearer(&token.sign())
    }

    /// Calls with this very text as the token.
    pub fn bearer(&self, token: &str) -> Caller {
        Caller { edge: self.clone(), token: Some(token.to_owned()) }
    }

    pub fn nobody(&self) -> Caller {
        Caller { edge: self.clone(), token: None }
    }

    /// The sum of one metric, which counts something, over all label sets that contain every one of `labels`.
    pub async fn metric(&self, name: &str, labels: &[&str]) -> i64 {
        // Of a name that nothing counts under, every sum would be 0.
        let base = ["_count", "_sum", "_bucket"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        assert!(tidings::metrics::ALL.iter().any(|metric| metric.name == base), "{name} is not declared");
        let text = self.nobody().get("/metrics").await.text;
        let lines = text.lines().filter(|line| {
            let end = line.find(['{', ' ']).unwrap_or(line.len());
            &line[..end] == name && labels.iter().all(|label| line.contains(label))
        });
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<i64>().unwrap()).sum()
    }
}

fn client() -> reqwest::ClientBuilder {
    Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).connect_timeout(Duration::from_secs(10))
}

/// A caller, with a token or without.
#[derive(Clone)]
pub struct Caller {
    edge: Edge,
    token: Option<String>,
}

impl Caller {
    /// The caller's token.
    pub fn token(&self) -> &str {
        self.token.as_deref().expect("a caller with a token")
    }

    /// The base URL.
    pub fn base(&self) -> &str {
        self.edge.base()
    }

    /// A request of this caller, to be refined.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.edge.http.request(method, format!("{}{path}", self.edge.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(body)).await
    }

    /// A POST without a body.
    pub async fn touch(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::POST, path)).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        Answer::of(self.request(Method::PUT, path).json(body)).await
    }

    /// A PUT without a body.
    pub async fn set(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::PUT, path)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::DELETE, path)).await
    }

    /// Publishes a body and returns the answer as it is.
    pub async fn publish(&self, body: &Value) -> Answer {
        self.post("/api/notifications", body).await
    }

    /// Publishes to one user, which must succeed, and returns the id.
    pub async fn notify(&self, user: &str, title: &str) -> String {
        self.notify_with(json!({"users": [user], "title": title})).await
    }

    /// Publishes a body, which must succeed, and returns the id.
    pub async fn notify_with(&self, body: Value) -> String {
        let answer = self.publish(&body).await.expect(201);
        answer["id"].as_str().expect("an id").to_owned()
    }

    /// The caller's inbox.
    pub async fn list(&self, query: &str) -> Value {
        self.get(&format!("/api/notifications{query}")).await.expect(200)
    }

    /// The caller's unread count.
    pub async fn unread(&self) -> i64 {
        let answer = self.get("/api/notifications/unread-count").await.expect(200);
        answer["unread"].as_i64().expect("a count")
    }

    /// Opens the caller's stream, from now on.
    pub async fn stream(&self) -> Frames {
        self.stream_with("", None).await
    }

    /// Opens the caller's stream from after `cursor`, as a reconnecting browser does.
    pub async fn resume(&self, cursor: &str) -> Frames {
        self.stream_with("", Some(cursor)).await
    }

    /// Opens the caller's stream with a query (`?...`) and a `Last-Event-ID`.
    pub async fn stream_with(&self, query: &str, last_event_id: Option<&str>) -> Frames {
        let mut request = self.request(Method::GET, &format!("/api/notifications/stream{query}"));
        if let Some(cursor) = last_event_id {
            request = request.header("Last-Event-ID", cursor);
        }
        Frames::open(request).await
    }
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub async fn of(request: RequestBuilder) -> Self {
        Self::try_of(request).await.expect("an answer")
    }

    pub async fn try_of(request: RequestBuilder) -> reqwest::Result<Self> {
        let response = request.timeout(super::DEADLINE).send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Self { status, headers, text: response.text().await? })
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The JSON of an answer that must have this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        if self.text.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&self.text).expect("JSON")
    }

    /// The problem of an answer that must have this status: RFC 9457, and telling something.
    #[track_caller]
    pub fn problem(&self, status: u16) -> Value {
        let problem = self.expect(status);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(problem["status"], status, "{problem}");
        assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()), "{problem}");
        problem
    }
}
