//! The state machine against a model of the log: no socket, no database, no clock.

mod model;
mod turns;

use std::{sync::Arc, time::Duration};

use chrono::Utc;
use proptest::prelude::*;
use tokio::time::Instant;

use self::model::{Account, Client, Log, WANTED};
use super::{Connection, Filter, Step};
use crate::{
    auth::Identity,
    bus::Bus,
    config::StreamSettings,
    domain::{cursor::Seq, user::UserKey},
    live::hub::{Hub, Membership, Origin, Transport},
    store::{Page, Unavailable},
};

/// Far more steps than any run takes: a connection that takes them spins.
const STEPS: usize = 10_000;

/// The events that may happen to a stream.
#[derive(Debug, Clone)]
enum Event {
    Publish {
        wanted: bool,
    },
    /// A change of state of the items that arrived in this part of the log.
    Change {
        first: Seq,
        more: Seq,
        delete: bool,
    },
    /// A change of a subscription or of the settings.
    Account(Account),
    /// Some changes are announced, not long after they were made: a change that is never drawn is lost, one that is drawn twice is
    /// repeated.
    Announce {
        back: Seq,
        more: Seq,
        carried: bool,
    },
    /// An announcement of a life that this stream never had.
    Stray,
    /// Changes are announced that the log does not have, as after a failover that lost commits.
    Ahead {
        more: Seq,
    },
    /// The log begins a new life.
    Rebirth,
    /// The log forgets deleted items.
    Purge,
    /// The connection takes the answer of the log and goes as far as it can; a question that it asks then fails.
    Turn {
        fails: bool,
    },
    /// The pause after a failed read ends.
    PauseEnds,
    /// The client leaves and comes back with its cursor.
    Return,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        6 => any::<bool>().prop_map(|wanted| Event::Publish { wanted }),
        3 => (1_i64..30, 0_i64..8, any::<bool>())
            .prop_map(|(first, more, delete)| Event::Change { first, more, delete }),
        2 => prop_oneof![Just(None), Just(Some("team:1")), Just(Some("team:2"))].prop_map(Event::Account),
        6 => (0_i64..4, 0_i64..4, any::<bool>()).prop_map(|(back, more, carried)| Event::Announce { back, more, carried }),
        1 => Just(Event::Stray),
        1 => (1_i64..4).prop_map(|more| Event::Ahead { more }),
        1 => Just(Event::Rebirth),
        1 => Just(Event::Purge),
        8 => prop::bool::weighted(0.2).prop_map(|fails| Event::Turn { fails }),
        2 => Just(Event::PauseEnds),
        1 => Just(Event::Return),
    ];
    prop::collection::vec(event, 0..80)
}

fn filters() -> impl Strategy<Value = Filter> {
    let (kind, priority) = WANTED;
    prop_oneof![
        2 => Just(Filter::default()),
        1 => Just(Filter { kinds: Some(vec![kind.to_owned()]), min_priority: None }),
        1 => Just(Filter { kinds: None, min_priority: Some(priority) }),
    ]
}

fn hub(ring_frames: usize, page_rows: usize) -> Hub {
    let settings = StreamSettings {
        takeover: false,
        heartbeat: Duration::from_hours(1),
        max_lifetime: Duration::from_hours(24),
        per_user: 3,
        per_instance: 3,
        max_replay: 1_000,
        page_rows,
        ring_frames,
        ring_bytes: 100_000,
        signal_ring: 8,
        write_stall: Duration::from_mins(1),
        messages_per_second: 20,
        retry: Duration::from_secs(2),
        head_check: Duration::from_secs(10),
    };
    Hub::new(Bus::local(Arc::new(|_| {})), settings)
}

fn key() -> UserKey {
    UserKey { tenant: "t".parse().unwrap(), user: "u".parse().unwrap() }
}

fn join(hub: &Hub) -> Membership {
    let expires_at = Utc::now() + Duration::from_hours(1);
    let identity = Identity {
        key: key(),
        publish: false,
        admin: false,
        expires_at,
        issued_at: None,
        token_id: None,
        topics: Vec::new(),
    };
    hub.join(identity, Transport::Sse).unwrap()
}

/// A stream and all that it depends on.
struct World {
    hub: Hub,
    /// Another tab: the user's feed outlives the connection.
    _other: Membership,
    log: Log,
    lives: usize,
    client: Client,
    connection: Connection,
    /// The answer of the log, on its way to the connection.
    answer: Option<Result<Arc<Page>, Unavailable>>,
    /// Whether another life than the log's was announced last.
    misled: bool,
    /// Whether the connection may end by itself.
    may_end: bool,
}

impl World {
    fn new(hub: Hub, filter: Filter) -> Self {
        let (log, mut client) = (Log::new(0), Client::new(filter));
        let (other, connection) = (join(&hub), connect(&hub, &log, &mut client));
        let (misled, may_end) = (false, false);
        Self { hub, _other: other, log, lives: 1, client, connection, answer: None, misled, may_end }
    }

    fn apply(&mut self, event: &Event) {
        match *event {
            Event::Publish { wanted } => self.log.publish(wanted),
            Event::Change { first, more, delete } => self.log.change(first..=first + more, delete),
            Event::Account(account) => self.log.change_account(account),
            Event::Announce { back, more, carried } => self.announce(self.log.head() - back, more, carried),
            Event::Stray => {
                self.hub.reached(&key(), &"stray".to_owned().into(), 5);
                (self.misled, self.may_end) = (true, true);
            }
            Event::Ahead { more } => self.reach(self.log.head() + more),
            Event::Rebirth => {
                self.log = Log::new(self.lives);
                self.lives += 1;
                (self.misled, self.may_end) = (true, true);
            }
            Event::Purge => {
                self.log.purge();
                self.may_end = true;
            }
            Event::Turn { fails } => drop(self.turn(fails)),
            Event::PauseEnds => self.end_pause(),
            Event::Return => self.reconnect(),
        }
    }

    fn announce(&mut self, last: Seq, more: Seq, carried: bool) {
        if last > 0 {
            let announcement = self.log.announcement(&key(), (last - more).max(1)..=last, carried);
            self.hub.deliver(announcement, Origin::Remote);
            self.misled = false;
        }
    }

    fn reach(&mut self, head: Seq) {
        self.hub.reached(&key(), &self.log.epoch, head);
        self.misled = false;
    }

    fn end_pause(&mut self) {
        self.connection.backfill_from = Instant::now();
    }

    fn reconnect(&mut self) {
        self.connection = connect(&self.hub, &self.log, &mut self.client);
        (self.answer, self.may_end) = (None, self.misled);
    }

    fn take_answer(&mut self) {
        if let Some(answer) = self.answer.take() {
            self.connection.take_in(answer);
        }
    }

    /// As far as the connection can go; true when all that is left is to wait.
    fn turn(&mut self, fails: bool) -> bool {
        self.take_answer();
        for _ in 0..STEPS {
            match self.connection.step() {
                Step::Send(chunk) => self.client.take(&chunk),
                Step::Fetch(ask) => {
                    // The answer shows the present: the log and the feed may move on before the connection takes it in.
                    self.answer = Some(if fails { Err(Unavailable) } else { Ok(Arc::new(self.log.page(&ask))) });
                    return false;
                }
                Step::Wait => return true,
                Step::End => {
                    assert!(self.may_end, "the stream ended without a cause");
                    self.reconnect();
                    return false;
                }
            }
        }
        panic!("the connection spins");
    }

    /// Lets the head check find the head, and everything work again.
    fn settle(&mut self) {
        self.reach(self.log.head());
        // An answer from before knows nothing of the head.
        self.turn(false);
        let in_sync = (0..STEPS).any(|_| {
            self.take_answer();
            self.end_pause();
            self.turn(false)
        });
        assert!(in_sync, "the connection never rests");
    }
}

fn connect(hub: &Hub, log: &Log, client: &mut Client) -> Connection {
    let (asked, membership) = (client.asks(log), join(hub));
    let page = log.page(&asked.ask(&key(), membership.settings().page_rows));
    Connection::at(membership, &asked, Arc::new(page), client.filter.clone())
}

proptest! {
    /// Announcements may be lost, repeated, mixed up or foreign, and reads of the log may fail. The client gets every change after
    /// its start once, in order, or a reset, and its cursor ends at the head.
    #[test]
    fn a_client_gets_every_change_once_in_order(
        filter in filters(), ring_frames in 1_usize..40, page_rows in 1_usize..6, events in events(),
    ) {
        let mut world = World::new(hub(ring_frames, page_rows), filter);
        for event in &events {
            world.apply(event);
        }
        world.settle();
        world.client.is_up_to_date(&world.log);
    }
}

#[test]
fn a_log_behind_the_announcements_is_asked_again_only_after_a_pause() {
    let mut world = World::new(hub(4, 4), Filter::default());
    world.apply(&Event::Ahead { more: 1 });
    assert!(!world.turn(false), "the log is asked");
    assert!(world.turn(false), "the log knew nothing");
    assert!(world.turn(false), "the pause has not ended");
    world.end_pause();
    assert!(!world.turn(false), "the log is asked again");
}

#[test]
fn a_failed_read_is_repeated_only_after_a_pause() {
    let mut world = World::new(hub(4, 4), Filter::default());
    world.log.publish(true);
    world.reach(1);
    assert!(!world.turn(true), "the log is asked");
    assert!(world.turn(false), "the read failed");
    world.end_pause();
    assert!(!world.turn(false), "the log is asked again");
    assert!(world.turn(false), "the log has answered");
    world.client.is_up_to_date(&world.log);
}

#[test]
fn a_stream_ends_when_the_rest_of_a_change_that_it_began_to_send_is_purged() {
    let mut world = World::new(hub(4, 1), Filter::default());
    (0..2).for_each(|_| world.log.publish(true));
    world.settle();
    world.log.change(1..=2, true);
    world.reach(3);
    assert!(!world.turn(false), "the first row of the change is asked for");
    assert!(!world.turn(true), "the other one is, and cannot be read");
    world.apply(&Event::Purge);
    world.settle();
    world.client.is_up_to_date(&world.log);
}
