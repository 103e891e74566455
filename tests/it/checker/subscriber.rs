//! Clients as customers have them: a library reads the stream, and after every fault it reconnects with its cursor.

use std::{sync::Arc, time::Duration};

use eventsource_client::{Client, ClientBuilder, Error, Event, ReconnectOptions, SSE};
use futures_util::StreamExt;
use launchdarkly_sdk_transport::HyperTransport;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::{
    Shape, Shared, Transport,
    issuer::Issuer,
    judge::{Heard, Log},
};
use crate::harness::{Edge, Token, eventually};

/// Silence after which a client takes its connection for dead: many heartbeats.
pub(super) const SILENCE: Duration = Duration::from_secs(20);
/// Longest pause before a client comes back; it obeys the server's `retry:` up to this, so that tests stay short.
pub(super) const PAUSE: Duration = Duration::from_millis(250);

/// One client and all its connections.
pub struct Subscriber {
    log: Shared<Log>,
    task: JoinHandle<()>,
}

impl Subscriber {
    pub fn start(user: &str, index: usize, edges: Vec<Edge>, shape: &Shape) -> Self {
        let log =
            Arc::new(tokio::sync::Mutex::new(Log { user: user.to_owned(), may_reset: shape.moves, ..Log::default() }));
        let (token, issuer) = (Token::of(user), shape.issuer.clone());
        let life = Life { token, issuer, cursor: None, retry: PAUSE, log: log.clone() };
        let task = match shape.transport {
            Transport::EventStream => tokio::spawn(life.live(index, edges)),
            Transport::WebSocket => tokio::spawn(life.live_by_socket(index, edges)),
        };
        Self { log, task }
    }

    /// Waits for the first verdict.
    pub async fn greeted(&self) {
        eventually("a client is greeted", async || (!self.log.lock().await.verdicts.is_empty()).then_some(())).await;
    }

    /// The events that it got so far.
    pub async fn log(&self) -> Log {
        self.log.lock().await.clone()
    }

    /// Ends it.
    pub async fn stop(self) -> Log {
        self.task.abort();
        let ended = self.task.await;
        let mut log = self.log.lock().await.clone();
        if ended.is_err_and(|error| error.is_panic()) {
            log.offences.push("the client panicked".to_owned());
        }
        log
    }
}

pub(super) struct Life {
    pub(super) token: Token,
    pub(super) issuer: Issuer,
    pub(super) cursor: Option<String>,
    pub(super) retry: Duration,
    pub(super) log: Shared<Log>,
}

impl Life {
    /// Connects for ever, to one edge after the other.
    async fn live(mut self, index: usize, edges: Vec<Edge>) {
        for edge in edges.iter().cycle().skip(index) {
            if let Err(Error::UnexpectedResponse(response, _)) = self.listen(edge).await {
                // An EventSource would have given up for good.
                self.log.lock().await.offences.push(format!("a stream was answered with {}", response.status()));
            }
            tokio::time::sleep(self.retry.min(PAUSE)).await;
        }
    }

    /// One connection. The library's own reconnect is not used: it forgets the cursor of a stream that ended before
    /// an event with an id.
    async fn listen(&mut self, edge: &Edge) -> Result<(), Error> {
        let url = format!("{}/api/notifications/stream", edge.base());
        let mut client = ClientBuilder::for_url(&url)?
            .header("Authorization", &format!("Bearer {}", self.issuer.sign(&self.token)))?
            .reconnect(ReconnectOptions::reconnect(false).build());
        if let Some(cursor) = &self.cursor {
            client = client.last_event_id(cursor.clone());
        }
        let mut stream = client.build_with_transport(HyperTransport::new().expect("a transport")).stream();
        let mut events = 0;
        while let Ok(Some(event)) = tokio::time::timeout(SILENCE, stream.next()).await {
            let SSE::Event(event) = event? else { continue };
            if self.take(&event, events == 0).await {
                self.reload(edge).await;
            }
            events += 1;
        }
        Ok(())
    }

    /// Takes one event; true when the client has to reload its list.
    async fn take(&mut self, event: &Event, first: bool) -> bool {
        let data: Value = serde_json::from_str(&event.data).unwrap_or_default();
        let mut log = self.log.lock().await;
        if first && event.event_type != "hello" && event.event_type != "bye" {
            log.offences.push(format!("a stream began with {}", event.event_type));
        }
        match event.event_type.as_str() {
            "hello" => log.verdicts.push(data["verdict"].as_str().unwrap_or("none").to_owned()),
            "notification" => match heard(&data, event.id.as_deref()) {
                Ok(heard) => log.heard.push(heard),
                Err(offence) => log.offences.push(offence),
            },
            "heartbeat" | "bye" | "signal" => {}
            other => log.offences.push(format!("an unexpected {other}")),
        }
        if let Some(milliseconds) = event.retry {
            self.retry = Duration::from_millis(milliseconds);
        }
        // The library repeats the last id on events without one, as the standard has it.
        self.cursor = event.id.clone().or(self.cursor.take());
        log.may_reset && event.event_type == "hello" && data["verdict"] == "reset"
    }

    /// Takes from the list, up to the cursor, what came after the last notification.
    async fn reload(&mut self, edge: &Edge) {
        let end: i64 =
            self.cursor.as_ref().and_then(|cursor| cursor.rsplit('.').next()?.parse().ok()).expect("a cursor");
        let mut log = self.log.lock().await;
        let last = log.heard.last().map_or(0, |heard| heard.seq);
        let user = edge.bearer(&self.issuer.sign(&self.token));
        let (mut missed, mut page) = (Vec::new(), String::new());
        loop {
            let mut answer = user.get(&format!("/api/notifications?limit=100{page}")).await;
            while answer.status != 200 {
                tokio::time::sleep(PAUSE).await;
                answer = user.get(&format!("/api/notifications?limit=100{page}")).await;
            }
            let page_of_list = answer.expect(200);
            for item in page_of_list["notifications"].as_array().expect("a list") {
                let heard = Heard {
                    seq: item["seq"].as_i64().unwrap_or(0),
                    number: item["data"]["number"].as_u64().unwrap_or(0),
                };
                if heard.seq <= last {
                    log.heard.extend(missed.into_iter().rev());
                    return;
                }
                missed.extend((heard.seq <= end).then_some(heard));
            }
            let Some(next) = page_of_list["nextPage"].as_str() else { break };
            page = format!("&page={next}");
        }
        log.heard.extend(missed.into_iter().rev());
    }
}

/// The notification of a frame whose id, data and text agree.
pub(super) fn heard(data: &Value, id: Option<&str>) -> Result<Heard, String> {
    let seq = data["seq"].as_i64().ok_or("a notification without a seq")?;
    let number = data["data"]["number"].as_u64().ok_or("a notification without its number")?;
    if data["title"] != format!("n-{number}") {
        return Err(format!("the parts of n-{number} disagree: {data}"));
    }
    if id.and_then(|id| id.rsplit('.').next()?.parse().ok()) != Some(seq) {
        return Err(format!("n-{number} has seq {seq} and the id {id:?}"));
    }
    Ok(Heard { seq, number })
}
