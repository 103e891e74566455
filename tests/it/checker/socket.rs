//! The same clients over `WebSocket`s.

use futures_util::SinkExt as _;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::subscriber::{Life, PAUSE, SILENCE, heard};
use crate::harness::{Edge, Socket};

impl Life {
    /// Connects for ever, to one edge after the other; every second time it sends its cursor only after the handshake.
    pub(super) async fn live_by_socket(mut self, index: usize, edges: Vec<Edge>) {
        for (turn, edge) in edges.iter().cycle().skip(index).enumerate() {
            let late = self.cursor.clone().filter(|_| turn % 2 == 1);
            if let Some(socket) = self.open(edge, late.is_some()).await {
                self.follow(socket, late).await;
            }
            sleep(self.retry.min(PAUSE)).await;
        }
    }

    /// One WebSocket; none when no instance listens there.
    async fn open(&self, edge: &Edge, late: bool) -> Option<Socket> {
        let query = self.cursor.as_ref().filter(|_| !late).map(|cursor| format!("?cursor={cursor}"));
        let request = edge.bearer(&self.issuer.sign(&self.token)).socket_request(&query.unwrap_or_default());
        timeout(SILENCE, Socket::open(request)).await.ok()?.ok()
    }

    async fn follow(&mut self, mut socket: Socket, mut late: Option<String>) {
        let mut first = true;
        while let Ok(Ok(message)) = timeout(SILENCE, socket.message()).await {
            let kind = message["type"].as_str().unwrap_or_default();
            if first && kind != "connected" && kind != "bye" {
                self.log.lock().await.offences.push(format!("a WebSocket began with {kind}"));
            }
            first = false;
            match &late {
                Some(cursor) if kind == "connected" && message["replyTo"].is_null() => {
                    let resume = json!({"type": "resume", "cursor": cursor, "id": 1}).to_string();
                    // A failed write shows with the next read.
                    let _ = socket.stream.send(Message::text(resume)).await;
                    continue;
                }
                // Events before the verdict on the cursor are repeated after it.
                Some(_) if kind != "connected" => continue,
                _ => late = None,
            }
            self.take_message(kind, &message).await;
        }
    }

    async fn take_message(&mut self, kind: &str, message: &Value) {
        let cursor = message["payload"]["cursor"].as_str().or(message["cursor"].as_str());
        let mut log = self.log.lock().await;
        match kind {
            "connected" => {
                log.verdicts.push(message["verdict"].as_str().unwrap_or("none").to_owned());
                if message["verdict"] == "resumed" {
                    return;
                }
            }
            "notification" => match heard(&message["payload"], cursor) {
                Ok(heard) => log.heard.push(heard),
                Err(offence) => log.offences.push(offence),
            },
            "heartbeat" | "bye" | "signal" => {}
            other => log.offences.push(format!("an unexpected {other}: {message}")),
        }
        if let Some(milliseconds) = message["retryMs"].as_u64() {
            self.retry = std::time::Duration::from_millis(milliseconds);
        }
        self.cursor = cursor.map(str::to_owned).or(self.cursor.take());
    }
}
