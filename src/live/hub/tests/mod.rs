//! The hub over the bus of an instance that is alone: no socket, no database, no server.

mod connections;
mod rooms;
mod signals;

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use chrono::Utc;
use futures_util::FutureExt as _;
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio::time::Instant;
use uuid::Uuid;

use super::{DRAIN_PACE, Feed, Full, Hub, Membership, Origin, Read, Transport, evening::youth};
use crate::{
    auth::Identity,
    bus::{Announcement, Bus, Joined, Left},
    config::StreamSettings,
    domain::{
        cursor::{Cursor, Epoch, Seq},
        share::Share,
        signal::{self, Address, Signal, TopicKey},
        user::UserKey,
    },
    frame::{Blocks, EndReason, Frame, Subject},
    metrics,
};

fn settings() -> StreamSettings {
    StreamSettings {
        takeover: false,
        heartbeat: Duration::from_hours(1),
        max_lifetime: Duration::from_hours(24),
        per_user: 2,
        per_instance: 3,
        max_replay: 1_000,
        page_rows: 10,
        ring_frames: 4,
        ring_bytes: 1_000,
        signal_ring: 8,
        write_stall: Duration::from_mins(1),
        messages_per_second: 20,
        retry: Duration::from_secs(2),
        head_check: Duration::from_secs(10),
    }
}

fn hub_of(settings: StreamSettings) -> Hub {
    Hub::new(Bus::local(Arc::new(|_| {})), settings)
}

fn hub() -> Hub {
    hub_of(settings())
}

fn large_hub(most: usize) -> Hub {
    hub_of(StreamSettings { per_user: most, per_instance: most, ..settings() })
}

fn key(user: &str) -> UserKey {
    UserKey { tenant: "t".parse().unwrap(), user: user.parse().unwrap() }
}

fn identity(user: &str) -> Identity {
    Identity {
        key: key(user),
        publish: false,
        admin: false,
        expires_at: Utc::now() + Duration::from_hours(1),
        issued_at: None,
        token_id: None,
        topics: Vec::new(),
    }
}

fn join(hub: &Hub, user: &str) -> Membership {
    hub.join(identity(user), Transport::Sse).unwrap()
}

fn epoch() -> Epoch {
    Epoch::from("e".to_owned())
}

fn announcement(user: &str, seqs: RangeInclusive<Seq>) -> Announcement {
    let cursor = |seq| Cursor { epoch: epoch(), seq };
    let frame = |seq| Frame { seq, subject: Subject::State, blocks: Blocks::of_cursor(&cursor(seq)) };
    Announcement::new(key(user), cursor(*seqs.end()), seqs.map(frame).collect())
}

/// Whether the member was rung since this was asked last.
fn is_rung(membership: &Membership) -> bool {
    membership.member().rung().now_or_never().is_some()
}

fn topic(name: &str) -> TopicKey {
    TopicKey { tenant: "t".parse().unwrap(), topic: name.parse().unwrap() }
}

fn signal(to: Address, value: u64) -> Signal {
    let subject = signal::Subject { to, kind: "k".into(), key: value.to_string().into() };
    Signal { subject, interval: Duration::ZERO, sent_at: value, bytes: value.to_string().into() }
}

fn to_topic(name: &str, value: u64) -> Signal {
    signal(Address::Topic(topic(name)), value)
}

/// The values of the signals that the member has not got.
fn signalled(membership: &Membership) -> Vec<u64> {
    membership.take_signals(1_000).into_iter().flatten().map(|signal| signal.sent_at).collect()
}

/// Reads the subscriptions of all users who are marked dirty: each is subscribed to these topics.
fn read_subscriptions(hub: &Hub, topics: &[TopicKey]) {
    for key in hub.rooms().take(usize::MAX) {
        hub.join_rooms(&key, topics);
    }
    hub.rooms().notify_taken_in();
}

fn hub_with_room(name: &str) -> Hub {
    let hub = hub();
    hub.rooms().open_room(topic(name));
    hub
}

/// Whether a ring of a feed or room of so many continues behind the call.
fn is_spread(members: &[Membership]) -> bool {
    let rung = members.iter().filter(|membership| membership.member().is_unheard()).count();
    assert!(rung == 0 || rung == members.len());
    rung == 0
}
