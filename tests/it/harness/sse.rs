//! A small client of event streams that hides nothing: blocks come out as they came in.

use std::collections::VecDeque;

use reqwest::{RequestBuilder, Response, header::HeaderMap};
use serde_json::Value;

use super::in_time;

/// One block of an event stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Frame {
    pub id: Option<String>,
    pub event: Option<String>,
    pub data: Option<String>,
    pub retry: Option<u64>,
    /// Fields that the protocol does not know, and comments.
    pub other: Vec<String>,
}

impl Frame {
    fn parse(block: &str) -> Self {
        let mut frame = Self::default();
        for line in block.lines() {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
            match name {
                "id" => frame.id = Some(value),
                "event" => frame.event = Some(value),
                "retry" => frame.retry = value.parse().ok(),
                "data" => frame.data = Some(frame.data.map_or(value.clone(), |data| format!("{data}\n{value}"))),
                _ => frame.other.push(line.to_owned()),
            }
        }
        frame
    }

    pub fn is(&self, event: &str) -> bool {
        self.event.as_deref() == Some(event)
    }

    /// Whether it comes without a cause in the test: a heartbeat, or a change of presence.
    fn comes_by_itself(&self) -> bool {
        let presence = || self.data.as_ref().is_some_and(|data| data.contains(r#""kind":"presence""#));
        self.is("heartbeat") || (self.is("signal") && presence())
    }

    /// The data as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(self.data.as_deref().unwrap_or_else(|| panic!("no data in {self:?}"))).expect("JSON")
    }
}

/// An open stream.
pub struct Frames {
    response: Response,
    buffer: Vec<u8>,
    ready: VecDeque<Frame>,
    /// The last id seen, as a browser keeps it.
    pub cursor: Option<String>,
}

impl Frames {
    /// Opens a stream, which must be answered with 200 and the headers of one.
    pub async fn open(request: RequestBuilder) -> Self {
        let request = request.header("Accept", "text/event-stream");
        let response = in_time("the stream is answered", request.send()).await.expect("an answer");
        let status = response.status();
        if status != 200 {
            let text = response.text().await.unwrap_or_default();
            panic!("{status} instead of a stream: {text}");
        }
        assert_eq!(response.headers()["content-type"].to_str().unwrap().split(';').next(), Some("text/event-stream"));
        Self { response, buffer: Vec::new(), ready: VecDeque::new(), cursor: None }
    }

    pub fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    /// The next block of any kind, none at the end of the stream.
    pub async fn block(&mut self) -> Option<Frame> {
        in_time("a block arrives", self.read_block()).await
    }

    /// The next block that does not come by itself, an event or another block.
    pub async fn block_after_heartbeats(&mut self) -> Frame {
        let found = self.find("a block", |frame| !frame.comes_by_itself()).await;
        found.expect("a block before the end of the stream")
    }

    /// The next event that does not come by itself; panics at the end of the stream.
    pub async fn next(&mut self) -> Frame {
        self.next_or_end().await.expect("an event before the end of the stream")
    }

    /// The next event that does not come by itself, none at the end of the stream.
    pub async fn next_or_end(&mut self) -> Option<Frame> {
        self.find("an event", |frame| frame.event.is_some() && !frame.comes_by_itself()).await
    }

    /// The next event of this kind; earlier events are skipped.
    pub async fn next_of(&mut self, event: &str) -> Frame {
        let found = self.find(event, |frame| frame.is(event)).await;
        found.unwrap_or_else(|| panic!("no {event} before the end of the stream"))
    }

    /// All blocks up to the next event of this kind. Presence is among them, which the other readers pass over.
    pub async fn until_with_presence(&mut self, event: &str) -> Vec<Frame> {
        let mut before = Vec::new();
        loop {
            let frame = self.block().await.unwrap_or_else(|| panic!("no {event} before the end of the stream"));
            if frame.is(event) {
                return before;
            }
            before.push(frame);
        }
    }

    /// The verdict, which must be the first event.
    pub async fn hello(&mut self) -> Value {
        let frame = self.next().await;
        assert!(frame.is("hello"), "{frame:?}");
        frame.json()
    }

    /// The titles of the next `count` notifications, which must come one after the other.
    pub async fn titles(&mut self, count: usize) -> Vec<String> {
        let mut titles = Vec::new();
        while titles.len() < count {
            let frame = self.next().await;
            assert!(frame.is("notification"), "{frame:?}");
            titles.push(frame.json()["title"].as_str().unwrap().to_owned());
        }
        titles
    }

    /// Reads to the end of the stream and returns its text.
    pub async fn rest(&mut self) -> Vec<Frame> {
        let mut frames = Vec::new();
        while let Some(frame) = self.block().await {
            frames.push(frame);
        }
        frames
    }

    /// One deadline for all of it: heartbeats that come meanwhile do not extend it.
    async fn find(&mut self, what: &str, wanted: impl Fn(&Frame) -> bool) -> Option<Frame> {
        let search = async {
            loop {
                let frame = self.read_block().await?;
                if wanted(&frame) {
                    return Some(frame);
                }
            }
        };
        in_time(what, search).await
    }

    async fn read_block(&mut self) -> Option<Frame> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                self.cursor = frame.id.clone().or(self.cursor.take());
                return Some(frame);
            }
            // A connection that breaks off ends the stream just as well.
            let chunk = self.response.chunk().await.ok().flatten()?;
            self.buffer.extend_from_slice(&chunk);
            self.split();
        }
    }

    fn split(&mut self) {
        while let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
            let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
            let text = String::from_utf8(block).expect("UTF-8");
            self.ready.push_back(Frame::parse(text.trim_matches('\n')));
        }
    }
}
