//! Messages from the client: one at a time, and the next is not read before the answer to the last was taken.

use std::time::{Duration, Instant};

use actix_web::web::Data;
use chrono::{DateTime, Utc};
use futures_util::{StreamExt as _, stream::SplitStream};
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc::Sender;
use tokio_tungstenite::tungstenite::protocol::Message;
use uuid::Uuid;

use super::{
    channels::Channels,
    ending::Ending,
    inbound::{About, Ask, Id, Received, refusal, wrong},
    liveness::Liveness,
    outbound::{answer, history_item},
    position::Told,
    session::Socket,
    writer::Order,
};
use crate::{
    domain::{cursor::Cursor, notification::Action, rate_limit::RateLimit, user::UserKey},
    frame::item_json::Item,
    http::{Parts, error::ApiError},
    store::ListQuery,
};

/// About the most bytes of items in one answer: further items follow when asked for.
const HISTORY_BYTES: usize = 1024 * 1024;
/// Why a client has to name a position.
const NARROWED: &str =
    "is required: a filter or channels leave out notifications on this connection, or have left out some";
/// So much of the rate may come at once.
const BURST: Duration = Duration::from_secs(2);

/// The way from the client.
pub struct Listener<'a> {
    stream: SplitStream<&'a mut Socket>,
    key: UserKey,
    parts: &'a Data<Parts>,
    liveness: &'a Liveness,
    told: &'a Told,
    rate_limit: RateLimit,
    /// Until when the messages so far use up the rate.
    used_until: Instant,
    channels: Channels,
}

impl<'a> Listener<'a> {
    /// Acts for this user.
    pub fn new(
        stream: SplitStream<&'a mut Socket>,
        key: UserKey,
        parts: &'a Data<Parts>,
        liveness: &'a Liveness,
        told: &'a Told,
    ) -> Self {
        let rate_limit = RateLimit::new(parts.settings.stream.messages_per_second, BURST);
        let (used_until, channels) = (Instant::now(), Channels::default());
        Self { stream, key, parts, liveness, told, rate_limit, used_until, channels }
    }

    /// Takes messages until the client leaves or breaks a rule.
    pub async fn run(&mut self, orders: Sender<Order>) -> Ending {
        loop {
            self.liveness.set_deaf(true);
            let Ok(permit) = orders.reserve().await else { return Ending::Gone };
            self.liveness.set_deaf(false);
            let text = match self.next_text().await {
                Ok(text) => text,
                Err(ending) => return ending,
            };
            self.liveness.set_deaf(true);
            permit.send(self.answer(&text).await);
        }
    }

    /// The next message that asks for something. Pings are answered by the protocol's own layer.
    async fn next_text(&mut self) -> Result<String, Ending> {
        loop {
            let message = self.stream.next().await.ok_or(Ending::Left)?.map_err(|error| Ending::of_error(&error))?;
            let answers = self.liveness.note() && message.is_pong();
            if !answers && !message.is_close() && !self.admit() {
                return Err(Ending::too_many());
            }
            match message {
                Message::Text(text) => return Ok(text.as_str().to_owned()),
                Message::Binary(_) => return Err(Ending::binary()),
                Message::Close(_) => return Err(Ending::Left),
                Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => {}
            }
        }
    }

    /// Counts a message; false when it is one too many.
    fn admit(&mut self) -> bool {
        self.rate_limit.admit(&mut self.used_until, Instant::now()).is_ok()
    }

    async fn answer(&mut self, text: &str) -> Order {
        let Received { id, ask } = match Received::parse(text) {
            Ok(received) => received,
            Err((about, error)) => return Order::Send(refusal(&about, &error)),
        };
        let (name, order) = match ask {
            Ask::Subscribe(names) => ("subscribe", self.narrow("subscribed", self.channels.with(&names), id.as_ref())),
            Ask::Unsubscribe(names) => {
                ("unsubscribe", self.narrow("unsubscribed", self.channels.without(&names), id.as_ref()))
            }
            Ask::MarkRead(item) => ("mark_read", Box::pin(self.mark_read(item, id.as_ref())).await),
            Ask::MarkAllRead(before) => ("mark_all_read", Box::pin(self.mark_all_read(before, id.as_ref())).await),
            Ask::GetHistory { limit, offset } => {
                ("get_history", Box::pin(self.history(limit, offset, id.as_ref())).await)
            }
            Ask::Ping => ("ping", Ok(Order::Send(pong(id.as_ref())))),
            Ask::Resume(cursor) => return Order::Resume(cursor, id),
        };
        order.unwrap_or_else(|error| Order::Send(refusal(&About { id, name: Some(name) }, &error)))
    }

    fn narrow(
        &mut self,
        kind: &str,
        channels: Result<Channels, (Option<usize>, String)>,
        id: Option<&Id>,
    ) -> Result<Order, ApiError> {
        #[derive(Serialize)]
        struct Now<'a> {
            channels: &'a Channels,
        }
        let channels = channels.map_err(|(index, detail)| {
            let pointer = index.map(|index| format!("/{index}")).unwrap_or_default();
            wrong(&format!("/channels{pointer}"), detail)
        })?;
        if !channels.is_open() {
            self.told.narrow();
        }
        self.channels = channels.clone();
        let text = answer(kind, id, &Now { channels: &channels });
        Ok(Order::Narrow(channels, text))
    }

    async fn mark_read(&self, item: Uuid, id: Option<&Id>) -> Result<Order, ApiError> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Marked {
            notification_id: Uuid,
            unread: i64,
            cursor: String,
        }
        let changed = self.parts.inbox.change(&self.key, item, Action::Read).await?;
        let marked = Marked { notification_id: item, unread: changed.unread, cursor: changed.cursor.to_string() };
        Ok(Order::Send(answer("marked_read", id, &marked)))
    }

    /// Without a position it is about all that had arrived when the connection began, and what the client was sent since: other items may
    /// have arrived that its user has not seen. A client that is sent only a part has to name the position.
    async fn mark_all_read(&self, before: Option<Cursor>, id: Option<&Id>) -> Result<Order, ApiError> {
        #[derive(Serialize)]
        struct Marked {
            unread: i64,
            cursor: String,
        }
        let before = before.or_else(|| self.told.position()).ok_or_else(|| wrong("/before", NARROWED.to_owned()))?;
        let changed = self.parts.inbox.read_all(&self.key, Some(before)).await?;
        let marked = Marked { unread: changed.unread, cursor: changed.cursor.to_string() };
        Ok(Order::Send(answer("marked_all_read", id, &marked)))
    }

    async fn history(&self, limit: i64, offset: i64, id: Option<&Id>) -> Result<Order, ApiError> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct History {
            notifications: Vec<Box<RawValue>>,
            total: i64,
            has_more: bool,
            timestamp: DateTime<Utc>,
        }
        let query = ListQuery { limit, offset, ..ListQuery::default() };
        let page = self.parts.store.list(&self.key, &query).await?;
        let (mut notifications, mut bytes) = (Vec::new(), 0);
        for item in &page.items {
            let text = history_item(&Item::from(item)).ok_or(ApiError::Internal)?;
            bytes += text.len();
            if bytes > HISTORY_BYTES && !notifications.is_empty() {
                break;
            }
            notifications.push(RawValue::from_string(text).map_err(|_| ApiError::Internal)?);
        }
        let has_more = page.next.is_some() || notifications.len() < page.items.len();
        let history = History { notifications, total: page.total, has_more, timestamp: page.time };
        Ok(Order::Send(answer("history", id, &history)))
    }
}

fn pong(id: Option<&Id>) -> String {
    #[derive(Serialize)]
    struct Pong {
        timestamp: DateTime<Utc>,
    }
    answer("pong", id, &Pong { timestamp: Utc::now() })
}
