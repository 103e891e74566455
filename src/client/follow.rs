//! One user's stream, followed over every end of it: the cursor is kept, waits are jittered, 401 and 403 are final.

use std::{collections::VecDeque, time::Duration};

use reqwest::{
    Response, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER},
};
use url::Url;

use super::{
    backoff::Backoff,
    sse::Parser,
    wire::{Bye, Hello, Problem},
};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Silence before the first hello says how often heartbeats come.
const FIRST_SILENCE: Duration = Duration::from_mins(1);
const PROBLEM_BYTES: usize = 64 * 1024;

/// The updates that a follower returns, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Update {
    /// An event arrived.
    Event {
        /// The event's name.
        kind: String,
        /// Its data.
        data: String,
        /// The cursor with it.
        id: String,
    },
    /// The stream ended or could not be opened; the next call waits this long and tries again.
    Waiting {
        /// How long.
        wait: Duration,
        /// The cause.
        why: String,
    },
}

/// Why a stream is over for good.
#[derive(Debug, thiserror::Error)]
pub enum Final {
    /// The token is not accepted (401), or not for this (403).
    #[error("the server refuses the token (status {0}): {1}")]
    Forbidden(u16, Problem),
    /// Another answer, which a repeated request does not change.
    #[error("the server refuses the stream (status {0}): {1}")]
    Refused(u16, Problem),
    /// The server answered that the client must stop (204).
    #[error("the server told this client to stop")]
    Stopped,
    /// The request cannot be made at all.
    #[error("cannot make the request: {0}")]
    Unusable(String),
}

struct Open {
    response: Response,
    parser: Parser,
    silence: Duration,
}

enum Step {
    Opened(Box<Open>),
    Failed(String),
}

/// Follows one stream; [`Follower::next`] is not cancel-safe, so drop the follower when it is dropped.
pub struct Follower {
    http: reqwest::Client,
    url: Url,
    authorization: HeaderValue,
    cursor: String,
    backoff: Backoff,
    open: Option<Box<Open>>,
    ready: VecDeque<Update>,
    waiting: Option<Duration>,
}

impl Follower {
    /// A follower of the stream at `url` (query included), from `cursor` on if there is one.
    ///
    /// # Errors
    /// [`Final::Unusable`] for a token or cursor that cannot be part of a header.
    pub fn new(url: Url, token: &str, cursor: Option<String>) -> Result<Self, Final> {
        let unusable = |what: &str| Final::Unusable(format!("the {what} holds characters that no header can carry"));
        let mut authorization = HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| unusable("token"))?;
        authorization.set_sensitive(true);
        let cursor = cursor.unwrap_or_default();
        HeaderValue::try_from(&cursor).map_err(|_| unusable("cursor"))?;
        let http = reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).build();
        let http = http.map_err(|error| Final::Unusable(error.to_string()))?;
        let (backoff, ready) = (Backoff::default(), VecDeque::new());
        Ok(Self { http, url, authorization, cursor, backoff, open: None, ready, waiting: None })
    }

    /// The cursor from which a new follower continues; empty before the first hello.
    pub fn cursor(&self) -> &str {
        &self.cursor
    }

    /// The next thing that happens.
    ///
    /// # Errors
    /// [`Final`] when trying again is of no use.
    pub async fn next(&mut self) -> Result<Update, Final> {
        loop {
            if let Some(update) = self.ready.pop_front() {
                return Ok(update);
            }
            if let Some(wait) = self.waiting.take() {
                tokio::time::sleep(wait).await;
            }
            match self.open.take() {
                Some(open) => self.read(open).await,
                None => self.connect().await?,
            }
        }
    }

    async fn connect(&mut self) -> Result<(), Final> {
        match self.request().await? {
            Step::Opened(open) => self.open = Some(open),
            Step::Failed(why) => {
                self.backoff.failed();
                self.wait(why);
            }
        }
        Ok(())
    }

    async fn request(&mut self) -> Result<Step, Final> {
        let request = self.http.get(self.url.clone()).headers(self.headers());
        let response = match tokio::time::timeout(FIRST_SILENCE, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) if error.is_builder() => return Err(Final::Unusable(error.without_url().to_string())),
            Ok(Err(error)) => return Ok(Step::Failed(root_cause(&error))),
            Err(_) => return Ok(Step::Failed("no answer".to_owned())),
        };
        match response.status() {
            StatusCode::OK if is_event_stream(&response) => {
                let parser = Parser::default().resuming(&self.cursor);
                Ok(Step::Opened(Box::new(Open { response, parser, silence: FIRST_SILENCE })))
            }
            StatusCode::NO_CONTENT => Err(Final::Stopped),
            status => self.refusal(status.as_u16(), response).await,
        }
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, self.authorization.clone());
        headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Ok(cursor) = HeaderValue::try_from(&self.cursor)
            && !cursor.is_empty()
        {
            headers.insert("last-event-id", cursor);
        }
        headers
    }

    /// An answer that is no stream: overload and failures of gateways pass, the rest is final.
    async fn refusal(&mut self, status: u16, response: Response) -> Result<Step, Final> {
        let asked = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
        let problem = Problem::from_body(status, &beginning(response).await);
        match status {
            401 | 403 => Err(Final::Forbidden(status, problem)),
            408 | 425 | 429 | 500.. => {
                asked.into_iter().for_each(|seconds| self.backoff.ask(Duration::from_secs(seconds)));
                Ok(Step::Failed(format!("status {status}: {problem}")))
            }
            _ => Err(Final::Refused(status, problem)),
        }
    }

    async fn read(&mut self, mut open: Box<Open>) {
        let why = match tokio::time::timeout(open.silence, open.response.chunk()).await {
            Ok(Ok(Some(chunk))) => match self.take(&mut open, &chunk) {
                Ok(()) => {
                    self.open = Some(open);
                    return;
                }
                Err(why) => why,
            },
            Ok(Ok(None)) => "the stream ended".to_owned(),
            Ok(Err(error)) => root_cause(&error),
            Err(_) => "the stream fell silent".to_owned(),
        };
        self.wait(why);
    }

    fn take(&mut self, open: &mut Open, chunk: &[u8]) -> Result<(), String> {
        let Open { parser, silence, .. } = open;
        let (backoff, ready, mut bye) = (&mut self.backoff, &mut self.ready, None);
        let fed = parser.feed(chunk, |event| {
            match event.kind {
                "hello" => {
                    backoff.succeeded();
                    *silence = silence_limit(event.data).unwrap_or(*silence);
                }
                "bye" => bye = asked_by_bye(event.data),
                _ => {}
            }
            let (kind, data, id) = (event.kind.to_owned(), event.data.to_owned(), event.id.to_owned());
            ready.push_back(Update::Event { kind, data, id });
        });
        parser.retry().into_iter().chain(bye).for_each(|wait| self.backoff.ask(wait));
        if self.cursor != parser.last_event_id() {
            parser.last_event_id().clone_into(&mut self.cursor);
        }
        fed.map_err(|oversized| oversized.to_string())
    }

    fn wait(&mut self, why: String) {
        let wait = self.backoff.wait();
        self.waiting = Some(wait);
        self.ready.push_back(Update::Waiting { wait, why });
    }
}

/// Two heartbeats and a bit without any byte: the path is dead.
fn silence_limit(hello: &str) -> Option<Duration> {
    let hello: Hello = serde_json::from_str(hello).ok()?;
    (hello.heartbeat_ms > 0).then(|| Duration::from_millis(hello.heartbeat_ms * 2) + Duration::from_secs(5))
}

fn asked_by_bye(bye: &str) -> Option<Duration> {
    serde_json::from_str::<Bye>(bye).ok()?.retry()
}

fn is_event_stream(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("text/event-stream"))
}

/// The first bytes of a body that explains a refusal.
async fn beginning(mut response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    while let Ok(Ok(Some(chunk))) = tokio::time::timeout(CONNECT_TIMEOUT, response.chunk()).await {
        body.extend_from_slice(&chunk);
        if body.len() > PROBLEM_BYTES {
            break;
        }
    }
    body
}

/// The innermost cause: "connection refused" rather than "error sending request".
pub fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
