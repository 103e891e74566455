//! A client of `WebSocket`s that hides nothing: messages come out as they came in.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        handshake::client::{Request, Response},
    },
};

use super::{Caller, in_time};

/// An open WebSocket.
pub struct Socket {
    pub stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    pub response: Response,
    /// The newest cursor, as a client keeps it.
    pub cursor: Option<String>,
}

/// How a WebSocket ended: its close code, none when it broke off.
pub type Closed = Option<u16>;

/// The request for a WebSocket, to be refined.
pub fn request(base: &str, query: &str) -> Request {
    let base = base.replacen("http", "ws", 1);
    format!("{base}/ws/notifications{query}").into_client_request().unwrap()
}

impl Caller {
    /// Opens the caller's WebSocket with a query (`?...`).
    pub async fn socket(&self, query: &str) -> Socket {
        Socket::open(self.socket_request(query)).await.expect("a WebSocket")
    }

    /// The request for the caller's WebSocket.
    pub fn socket_request(&self, query: &str) -> Request {
        let mut request = request(self.base(), query);
        request.headers_mut().insert("Authorization", format!("Bearer {}", self.token()).parse().unwrap());
        request
    }
}

impl Socket {
    pub async fn open(request: Request) -> Result<Self, Error> {
        let (stream, response) = in_time("the WebSocket is answered", connect_async(request)).await?;
        Ok(Self { stream, response, cursor: None })
    }

    /// The next message of any type, or how it ended.
    pub async fn message(&mut self) -> Result<Value, Closed> {
        in_time("a message arrives", self.read()).await
    }

    /// The next message with a cause; panics at the end.
    pub async fn next(&mut self) -> Value {
        in_time("a message that somebody caused", async {
            loop {
                let message = self.read().await.unwrap_or_else(|closed| panic!("closed with {closed:?}"));
                let by_itself = message["type"] == "heartbeat"
                    || (message["type"] == "signal" && message["payload"]["kind"] == "presence");
                if !by_itself {
                    return message;
                }
            }
        })
        .await
    }

    /// The next message of this type; earlier messages are skipped.
    pub async fn next_of(&mut self, kind: &str) -> Value {
        in_time(kind, async {
            loop {
                match self.read().await {
                    Ok(message) if message["type"] == kind => return message,
                    Ok(_) => {}
                    Err(closed) => panic!("closed with {closed:?} before any {kind}"),
                }
            }
        })
        .await
    }

    /// The verdict, which must come first.
    pub async fn connected(&mut self) -> Value {
        let message = self.next().await;
        assert_eq!(message["type"], "connected", "{message}");
        message
    }

    /// The titles of the next `count` notifications, which must come one after the other.
    pub async fn titles(&mut self, count: usize) -> Vec<String> {
        let mut titles = Vec::new();
        while titles.len() < count {
            let message = self.next().await;
            assert_eq!(message["type"], "notification", "{message}");
            titles.push(message["payload"]["title"].as_str().unwrap().to_owned());
        }
        titles
    }

    /// Sends a message.
    pub async fn send(&mut self, message: &Value) {
        self.stream.send(Message::text(message.to_string())).await.expect("an open WebSocket");
    }

    /// Sends a message with an id of its own and returns the answer to it.
    pub async fn ask(&mut self, mut message: Value) -> Value {
        let id = rand::random::<u32>();
        message["id"] = json!(id);
        self.send(&message).await;
        in_time("the answer", async {
            loop {
                let answer = self.read().await.unwrap_or_else(|closed| panic!("closed with {closed:?}"));
                if answer["replyTo"] == id {
                    return answer;
                }
            }
        })
        .await
    }

    /// Reads to the end; the messages, and the close code.
    pub async fn rest(&mut self) -> (Vec<Value>, Closed) {
        let mut messages = Vec::new();
        loop {
            match self.message().await {
                Ok(message) => messages.push(message),
                Err(closed) => return (messages, closed),
            }
        }
    }

    async fn read(&mut self) -> Result<Value, Closed> {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Ok(self.take(&text)),
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code.into())),
                Some(Ok(Message::Binary(_))) => panic!("a binary message"),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    fn take(&mut self, text: &str) -> Value {
        let message: Value = serde_json::from_str(text).expect("JSON");
        let moves = message["type"] != "marked_read" && (message["verdict"] != "resumed");
        let cursor = message["payload"]["cursor"].as_str().or(message["cursor"].as_str()).filter(|_| moves);
        self.cursor = cursor.map(str::to_owned).or(self.cursor.take());
        message
    }
}
