//! Steps of the path of a notification, each by itself. `micro list` names them, `micro NAME ITERATIONS` runs one so many
//! times; benches/instructions counts what one iteration costs.
#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on must stop")]

use std::{env, hint::black_box, process::ExitCode, sync::Arc, task::Waker, time::Duration};

use chrono::{DateTime, Utc};
use futures_util::FutureExt as _;
use serde_json::json;
use tidings::{
    actions::publish::announce,
    auth::{Authenticator, Grant, Identity, mint},
    bus::{Announcement, Bus},
    config::{AuthSettings, PublishSettings, Secrets, StreamSettings},
    domain::{
        audience::Reason,
        channel::Decision,
        cursor::{Cursor, Epoch, Seq},
        kinds::{Kinds, SHIPPED, Seed},
        notification::{Content, InboxItem, ItemState, NewNotification, Source},
        priority::Priority,
        user::UserKey,
    },
    frame::{Frame, item_json::Item},
    live::{
        connection::{Asked, Connection, Filter, Step},
        hub::{Hub, Membership, Origin, Transport},
    },
    message,
    store::{Page, Placed, Position, Written},
};
use uuid::Uuid;

/// Runs so many iterations.
type Benchmark = fn(u64);

const BENCHMARKS: &[(&str, Benchmark)] = &[
    ("render_notification", render_notification),
    ("render_20_states", render_20_states),
    ("cursor_there_and_back", cursor_there_and_back),
    ("ring_at_the_head", ring_at_the_head),
    ("ring_16_behind", ring_16_behind),
    ("wake_1_of_1", wake_1_of_1),
    ("wake_100_of_1", wake_100_of_1),
    ("step_to_the_chunk", step_to_the_chunk),
    ("join_and_leave", join_and_leave),
    ("publish_before_the_store", publish_before_the_store),
    ("publish_after_the_store_to_100", publish_after_the_store_to_100),
    ("token", token),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let run = match arguments[..] {
        ["list"] => {
            BENCHMARKS.iter().for_each(|(name, _)| println!("{name}"));
            return ExitCode::SUCCESS;
        }
        [name, iterations] => BENCHMARKS.iter().find(|(known, _)| *known == name).zip(iterations.parse().ok()),
        _ => None,
    };
    let Some(((_, benchmark), iterations)) = run else {
        eprintln!("micro list | micro NAME ITERATIONS");
        return ExitCode::FAILURE;
    };
    benchmark(iterations);
    ExitCode::SUCCESS
}

fn render_notification(iterations: u64) {
    let (epoch, item) = (epoch(), item());
    for _ in 0..iterations {
        black_box(Frame::notification(black_box(&epoch), &Item::from(black_box(&item)), 7));
    }
}

fn render_20_states(iterations: u64) {
    let cursor = Cursor { epoch: epoch(), seq: 1042 };
    let state = |seq| ItemState {
        id: Uuid::from_u128(seq),
        seq: 1,
        read: true,
        archived: false,
        deleted: false,
        seen: false,
        snoozed_until: None,
        due: None,
    };
    let states: Vec<_> = (0..20).map(state).collect();
    for _ in 0..iterations {
        black_box(Frame::state(black_box(&cursor), black_box(&states), 7));
    }
}

fn cursor_there_and_back(iterations: u64) {
    let text = Cursor { epoch: epoch(), seq: 1042 }.to_string();
    for _ in 0..iterations {
        let cursor: Cursor = black_box(&text).parse().unwrap();
        black_box(cursor.to_string());
    }
}

/// An announcement comes in and is read by who has read all before.
fn ring_at_the_head(iterations: u64) {
    let (hub, stream) = (hub(), Stream::new());
    let membership = join(&hub);
    for seq in seqs(iterations) {
        hub.deliver(stream.announcement(seq), Origin::Remote);
        black_box(membership.feed().read(&stream.epoch, seq - 1, usize::MAX));
    }
}

/// What a gathered write takes at once.
fn ring_16_behind(iterations: u64) {
    let (hub, stream) = (hub(), Stream::new());
    let membership = join(&hub);
    (1..=16).for_each(|seq| hub.deliver(stream.announcement(seq), Origin::Remote));
    for _ in 0..iterations {
        black_box(membership.feed().read(black_box(&stream.epoch), 0, usize::MAX));
    }
}

fn wake_1_of_1(iterations: u64) {
    wake(1, iterations);
}

fn wake_100_of_1(iterations: u64) {
    wake(100, iterations);
}

/// An announcement to a user of whose connections each listens.
fn wake(members: usize, iterations: u64) {
    let (hub, stream) = (hub(), Stream::new());
    let memberships: Vec<_> = (0..members).map(|_| join(&hub)).collect();
    for seq in seqs(iterations) {
        hub.deliver(stream.announcement(seq), Origin::Remote);
        for membership in &memberships {
            black_box(membership.member().listen(Waker::noop()));
        }
    }
}

/// A connection's whole way for one announcement, up to what it hands to the socket.
fn step_to_the_chunk(iterations: u64) {
    let (hub, stream) = (hub(), Stream::new());
    let end = Position::after(0);
    let page =
        Page { epoch: stream.epoch.clone(), head: 0, pruned: 0, unread: 0, rows: Vec::new(), end, time: Utc::now() };
    let mut connection = Connection::at(join(&hub), &Asked::Nothing, Arc::new(page), Filter::default());
    exhaust(&mut connection);
    for seq in seqs(iterations) {
        hub.deliver(stream.announcement(seq), Origin::Remote);
        exhaust(&mut connection);
    }
}

fn exhaust(connection: &mut Connection) {
    connection.member().listen(Waker::noop());
    while let Step::Send(chunk) = connection.step() {
        black_box(chunk);
    }
}

fn join_and_leave(iterations: u64) {
    let (hub, identity) = (hub(), identity());
    for _ in 0..iterations {
        black_box(hub.join(identity.clone(), Transport::Sse).unwrap());
    }
}

/// A body becomes what the write path takes: parsed, checked, with its fingerprint.
fn publish_before_the_store(iterations: u64) {
    let (body, limits, kinds) = (body(), limits(), kinds());
    for _ in 0..iterations {
        black_box(accepted(black_box(&body), &limits, &kinds));
    }
}

/// What a committed publish to 100 users becomes: an announcement with a frame for each.
fn publish_after_the_store_to_100(iterations: u64) {
    let mut item = accepted(&body(), &limits(), &kinds());
    item.users = (0..100).map(|user| format!("user{user}").parse().unwrap()).collect();
    let rows =
        (0..100).map(|_| Some(Placed { epoch: epoch(), seq: 1042, unread: 7, decision: Decision::PLAIN })).collect();
    let (at, heads) = (DateTime::UNIX_EPOCH, Vec::new());
    let written = Written { created_at: at, expires_at: at, rows, heads };
    for _ in 0..iterations {
        let mut announcements = Vec::new();
        announce(black_box(&item), &written, 1, &mut announcements);
        black_box(announcements);
    }
}

fn token(iterations: u64) {
    let settings = AuthSettings {
        secrets: Some(Secrets::parse("0123456789abcdef0123456789abcdef").unwrap()),
        public_keys: Vec::new(),
        jwks_url: None,
        issuer: None,
        audience: None,
        leeway: Duration::from_secs(30),
        cookie: "tidings_token".to_owned(),
        query_token: false,
    };
    let grant =
        Grant { key: key(), scope: String::new(), ttl: Duration::from_hours(24), token_id: None, topics: Vec::new() };
    let token = mint(settings.secrets.as_ref().unwrap().signing(), &settings, &grant, Utc::now()).unwrap();
    let authenticator = Authenticator::new(&settings, None).unwrap();
    for _ in 0..iterations {
        black_box(authenticator.authenticate(black_box(&token)).now_or_never().unwrap().unwrap());
    }
}

/// Announcements of one stream, which share their frame's bytes.
struct Stream {
    key: UserKey,
    epoch: Epoch,
    frame: Frame,
}

impl Stream {
    fn new() -> Self {
        let frame = Frame::notification(&epoch(), &Item::from(&item()), 7);
        Self { key: key(), epoch: epoch(), frame }
    }

    fn announcement(&self, seq: Seq) -> Announcement {
        let frames = vec![Frame { seq, ..self.frame.clone() }];
        let cursor = Cursor { epoch: self.epoch.clone(), seq };
        Announcement { published_at: 1, ..Announcement::new(self.key.clone(), cursor, frames) }
    }
}

fn seqs(iterations: u64) -> impl Iterator<Item = Seq> {
    (1..).take(usize::try_from(iterations).unwrap())
}

fn epoch() -> Epoch {
    "k3f9a01b2c".to_owned().into()
}

fn key() -> UserKey {
    UserKey { tenant: "acme".parse().unwrap(), user: "user-4711".parse().unwrap() }
}

fn identity() -> Identity {
    let expires_at = Utc::now() + Duration::from_hours(24);
    Identity {
        key: key(),
        publish: false,
        admin: false,
        expires_at,
        issued_at: None,
        token_id: None,
        topics: Vec::new(),
    }
}

fn hub() -> Hub {
    let settings = StreamSettings {
        takeover: true,
        heartbeat: Duration::from_hours(1),
        max_lifetime: Duration::from_hours(24),
        per_user: 1_000,
        per_instance: 1_000,
        max_replay: 1_000,
        page_rows: 100,
        ring_frames: 64,
        ring_bytes: 1_000_000,
        signal_ring: 32,
        messages_per_second: 20,
        write_stall: Duration::from_mins(1),
        retry: Duration::from_secs(2),
        head_check: Duration::from_secs(10),
    };
    Hub::new(Bus::local(Arc::new(|_| {})), settings)
}

fn join(hub: &Hub) -> Membership {
    hub.join(identity(), Transport::Sse).unwrap()
}

fn limits() -> PublishSettings {
    PublishSettings {
        body_bytes: 65_536,
        recipients: 1_000,
        open_fanouts: 1,
        batch_items: 1_000,
        commit_rows: 1_000,
        writers: 1,
        queue: 1_000,
        inlet_look: std::time::Duration::from_millis(100),
        inlet_listen: false,
    }
}

fn body() -> Vec<u8> {
    let body = json!({
        "users": ["user-4711"], "kind": "payment_received", "category": "payments", "priority": "high",
        "title": "Payment received", "message": "120.00 EUR from Example Ltd.",
        "data": { "amount": 120, "currency": "EUR", "invoice": "2026-1042" }, "actionUrl": "/payment-history",
    });
    serde_json::to_vec(&body).unwrap()
}

fn kinds() -> Kinds {
    Kinds::new(Seed::parse(SHIPPED).unwrap())
}

fn accepted(body: &[u8], limits: &PublishSettings, kinds: &Kinds) -> NewNotification {
    message::parse(body, limits).unwrap().into_new(key().tenant, Source::Http, None, kinds).unwrap()
}

fn item() -> InboxItem {
    InboxItem {
        id: Uuid::from_u128(1),
        seq: 1042,
        content: Content {
            category: Some("payments".to_owned()),
            priority: Priority::High,
            message: Some("120.00 EUR from Example Ltd.".to_owned()),
            data: Some(json!({ "amount": 120, "currency": "EUR" })),
            action_url: Some("/payment-history".to_owned()),
            ..Content::titled("payment_received", "Payment received")
        },
        decision: Decision::PLAIN,
        reason: Reason::Direct,
        created_at: DateTime::UNIX_EPOCH,
        expires_at: DateTime::UNIX_EPOCH,
        read_at: None,
        archived_at: None,
        seen_at: None,
        snoozed_until: None,
        due: None,
        thread_key: None,
        count: 1,
    }
}
