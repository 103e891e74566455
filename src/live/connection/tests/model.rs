//! A user's log as the store keeps it, and a client as a browser is one.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

use chrono::DateTime;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    bus::Announcement,
    domain::{
        audience::Reason,
        channel::Decision,
        cursor::{Cursor, Epoch, Seq},
        notification::{Content, InboxItem, ItemState},
        priority::Priority,
        topic::Subscription,
        user::UserKey,
    },
    frame::{Block, EventType, Frame, item_json::Item},
    live::connection::{Asked, Chunk, Filter, Piece},
    store::{AccountChange, Ask, Page, Position, Row},
};

/// The kind and the priority that filters of these tests want, and those that they do not.
pub const WANTED: (&str, Priority) = ("wanted", Priority::High);
const OTHER: (&str, Priority) = ("other", Priority::Low);

/// The stages of an item in this model. An item never goes back, so the states of an item in the events must rise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    New,
    Read,
    Archived,
    Deleted,
}

impl Stage {
    fn next(self) -> Self {
        match self {
            Self::New => Self::Read,
            Self::Read => Self::Archived,
            Self::Archived | Self::Deleted => Self::Deleted,
        }
    }

    fn told(read: bool, archived: bool, deleted: bool) -> Self {
        match (read, archived, deleted) {
            (_, _, true) => Self::Deleted,
            (_, true, _) => Self::Archived,
            (true, ..) => Self::Read,
            _ => Self::New,
        }
    }
}

struct Stored {
    wanted: bool,
    stage: Stage,
    changed: Seq,
}

/// The subject of a change of the account: a topic's subscription, or the preferences.
pub type Account = Option<&'static str>;

/// One life of a stream.
pub struct Log {
    pub epoch: Epoch,
    pub pruned: Seq,
    /// One for each change, as it was announced.
    frames: Vec<Frame>,
    /// By arrival.
    rows: BTreeMap<Seq, Stored>,
    /// The newest change of each, and whether the topic is subscribed since.
    accounts: BTreeMap<Account, (Seq, bool)>,
}

impl Log {
    pub fn new(life: usize) -> Self {
        let (frames, rows, accounts) = Default::default();
        Self { epoch: format!("life{life}").into(), pruned: 0, frames, rows, accounts }
    }

    pub fn head(&self) -> Seq {
        Seq::try_from(self.frames.len()).unwrap()
    }

    pub fn cursor(&self) -> Cursor {
        Cursor { epoch: self.epoch.clone(), seq: self.head() }
    }

    pub fn publish(&mut self, wanted: bool) {
        let (seq, stored) = (self.head() + 1, Stored { wanted, stage: Stage::New, changed: self.head() + 1 });
        let item = item(seq, &stored);
        self.frames.push(Frame::notification(&self.epoch, &Item::from(&item), 0));
        self.rows.insert(seq, stored);
    }

    /// Takes all that arrived within `seqs` a stage on, or to the last one, by one change.
    pub fn change(&mut self, seqs: RangeInclusive<Seq>, delete: bool) {
        let changed = self.head() + 1;
        let mut states = Vec::new();
        for (&seq, row) in self.rows.range_mut(seqs).filter(|(_, row)| row.stage < Stage::Deleted) {
            (row.stage, row.changed) = (if delete { Stage::Deleted } else { row.stage.next() }, changed);
            states.push(state(seq, row));
        }
        if !states.is_empty() {
            let cursor = Cursor { epoch: self.epoch.clone(), seq: changed };
            self.frames.push(Frame::state(&cursor, &states, 0));
        }
    }

    /// Joins or leaves a topic, or changes the settings.
    pub fn change_account(&mut self, account: Account) {
        let changed = self.head() + 1;
        let newest = self.accounts.entry(account).or_default();
        *newest = (changed, !newest.1);
        let cursor = Cursor { epoch: self.epoch.clone(), seq: changed };
        self.frames.push(match account_change(account, newest.1) {
            AccountChange::Settings => Frame::settings(&cursor, 0),
            AccountChange::Subscription(subscription) => Frame::subscription(&cursor, &subscription, 0),
        });
    }

    /// Forgets deleted items.
    pub fn purge(&mut self) {
        let gone = self.rows.extract_if(.., |_, row| row.stage == Stage::Deleted);
        self.pruned = gone.map(|(_, row)| row.changed).fold(self.pruned, Seq::max);
    }

    /// An announcement of the changes within `seqs`, which must exist.
    pub fn announcement(&self, key: &UserKey, seqs: RangeInclusive<Seq>, carried: bool) -> Announcement {
        let told = self.frames.iter().filter(|frame| carried && seqs.contains(&frame.seq));
        let cursor = Cursor { epoch: self.epoch.clone(), seq: *seqs.end() };
        Announcement::new(key.clone(), cursor, told.cloned().collect())
    }

    /// The answer of `store/page.sql`.
    pub fn page(&self, ask: &Ask) -> Page {
        let mut rows: Vec<Row> = self.rows.iter().flat_map(|(seq, row)| changes(*seq, row, ask.after)).collect();
        let accounts = self.accounts.iter().filter(|(_, (seq, _))| *seq > ask.after.seq);
        rows.extend(accounts.map(|(account, (seq, subscribed))| Row::Account {
            change: account_change(*account, *subscribed),
            at: Position::after(*seq),
        }));
        rows.sort_by_key(Row::at);
        rows.truncate(if ask.max_rows == 0 { 0 } else { ask.max_rows + 1 });
        let (epoch, head, pruned, end) = (self.epoch.clone(), self.head(), self.pruned, Position::after(self.head()));
        let mut page = Page { epoch, head, pruned, unread: 0, rows, end, time: DateTime::UNIX_EPOCH };
        page.close(ask);
        page
    }

    fn stages(&self) -> BTreeMap<Seq, Stage> {
        self.rows.iter().map(|(seq, row)| (*seq, row.stage)).collect()
    }
}

fn changes(seq: Seq, row: &Stored, after: Position) -> Vec<Row> {
    let mut found = Vec::new();
    if seq > after.seq {
        let item = (row.stage < Stage::Deleted).then(|| Box::new(item(seq, row)));
        found.push(Row::Arrived { item, at: Position::after(seq) });
    }
    let at = Position { seq: row.changed, row: seq };
    if row.changed > seq && at > after {
        found.push(Row::Changed { state: state(seq, row), at });
    }
    found
}

fn account_change(account: Account, subscribed: bool) -> AccountChange {
    let Some(topic) = account else { return AccountChange::Settings };
    AccountChange::Subscription(Subscription { topic: topic.parse().unwrap(), subscribed, muted_until: None })
}

fn id(seq: Seq) -> Uuid {
    Uuid::from_u128(seq.unsigned_abs().into())
}

fn state(seq: Seq, row: &Stored) -> ItemState {
    let Stored { stage, .. } = *row;
    let (read, archived, deleted) = (stage >= Stage::Read, stage >= Stage::Archived, stage == Stage::Deleted);
    ItemState { id: id(seq), seq, read, archived, deleted, seen: false, snoozed_until: None, due: None }
}

fn item(seq: Seq, row: &Stored) -> InboxItem {
    let (kind, priority) = if row.wanted { WANTED } else { OTHER };
    let at = DateTime::UNIX_EPOCH;
    InboxItem {
        id: id(seq),
        seq,
        content: Content { priority, ..Content::titled(kind, "title") },
        decision: Decision::PLAIN,
        reason: Reason::Direct,
        created_at: at,
        expires_at: at,
        read_at: (row.stage >= Stage::Read).then_some(at),
        archived_at: (row.stage >= Stage::Archived).then_some(at),
        seen_at: None,
        snoozed_until: None,
        due: None,
        thread_key: None,
        count: 1,
    }
}

/// The state of a client, with a check of every event.
pub struct Client {
    pub filter: Filter,
    pub cursor: Option<Cursor>,
    /// The list that it loaded beside its last connect, and whether that connect could not be resumed.
    loaded: (BTreeMap<Seq, Stage>, bool),
    /// The position at which its view begins: everything that arrived afterwards had to be sent.
    start: Seq,
    view: BTreeMap<Seq, Stage>,
    arrived: BTreeSet<Seq>,
    /// The newest state of each item in the events of this connection.
    stages: BTreeMap<Seq, Stage>,
    /// The newest change of each account in the events since `start`.
    accounts: BTreeMap<Account, (Seq, bool)>,
}

impl Client {
    pub fn new(filter: Filter) -> Self {
        let (loaded, view, arrived, stages, accounts) = Default::default();
        Self { filter, cursor: None, loaded, start: 0, view, arrived, stages, accounts }
    }

    /// The request of a connect.
    pub fn asks(&mut self, log: &Log) -> Asked {
        self.stages.clear();
        let lost = self.cursor.as_ref().is_some_and(|cursor| cursor.epoch != log.epoch || cursor.seq < log.pruned);
        self.loaded = (log.stages(), lost);
        self.cursor.clone().map_or(Asked::Nothing, Asked::After)
    }

    pub fn take(&mut self, chunk: &Chunk) {
        chunk.iter().for_each(|piece| self.take_piece(piece));
    }

    /// Reads the text, as a client does; its parts, which other transports read, must say the same.
    fn take_piece(&mut self, piece: &Piece) {
        let mut parts = piece.blocks();
        for block in str::from_utf8(piece.text()).unwrap().split_terminator("\n\n") {
            let field = |name| block.lines().find_map(|line| line.strip_prefix(name));
            if !block.starts_with("retry: ") || block.contains("event: ") {
                let Block { cursor, event, data } = parts.next().expect("the parts of every block");
                let event = event.map(EventType::as_str);
                assert_eq!(
                    (cursor, event, data),
                    (field("id: "), field("event: "), field("data: ").unwrap_or_default())
                );
            }
            let data: Value = field("data: ").map(|data| serde_json::from_str(data).unwrap()).unwrap_or_default();
            let event = field("event: ").unwrap_or_default();
            if let Some(cursor) = field("id: ") {
                self.move_to(cursor.parse().unwrap(), event == "hello");
            }
            match event {
                "hello" => self.greet(&data),
                "notification" => self.arrive(&data),
                "state" => self.change(&data),
                "subscription" | "settings" => self.change_account(&data),
                "" => {}
                other => assert_eq!(other, "bye"),
            }
        }
        assert_eq!(parts.next(), None);
    }

    fn move_to(&mut self, cursor: Cursor, anew: bool) {
        if let Some(old) = self.cursor.as_ref().filter(|_| !anew) {
            assert_eq!(cursor.epoch, old.epoch);
            assert!(cursor.seq > old.seq, "{} is sent again or too late, after {}", cursor.seq, old.seq);
        }
        self.cursor = Some(cursor);
    }

    fn greet(&mut self, hello: &Value) {
        let resumed = hello["verdict"] == "resumed";
        assert!(!(resumed && self.loaded.1), "resumed what cannot be");
        assert!(hello["verdict"] != "reset" || self.loaded.1, "reset what can be resumed");
        if !resumed {
            self.start = self.cursor.as_ref().unwrap().seq;
            self.view = self.loaded.0.clone();
            self.arrived.clear();
            self.accounts.clear();
        }
    }

    fn change_account(&mut self, told: &Value) {
        let account = ["team:1", "team:2"].into_iter().find(|topic| told["topic"] == *topic);
        let seq = self.cursor.as_ref().unwrap().seq;
        self.accounts.insert(account, (seq, told["subscribed"].as_bool().unwrap_or_default()));
    }

    fn arrive(&mut self, item: &Value) {
        let seq = item["seq"].as_i64().unwrap();
        let priority: Priority = serde_json::from_value(item["priority"].clone()).unwrap();
        assert!(self.filter.wants(item["kind"].as_str().unwrap(), priority), "{seq} is not wanted");
        assert!(self.arrived.insert(seq), "{seq} arrives twice");
        self.view.insert(seq, Stage::told(!item["readAt"].is_null(), !item["archivedAt"].is_null(), false));
    }

    fn change(&mut self, told: &Value) {
        let flag = |name| told[name].as_bool().unwrap();
        let stage = Stage::told(flag("read"), flag("archived"), flag("deleted"));
        for text in told["ids"].as_array().unwrap() {
            let id: Uuid = serde_json::from_value(text.clone()).unwrap();
            let seq = Seq::try_from(id.as_u128()).unwrap();
            let before = self.stages.insert(seq, stage);
            assert!(before.is_none_or(|before| before < stage), "{seq} is told {stage:?} after {before:?}");
            self.view.entry(seq).and_modify(|known| *known = stage);
        }
    }

    /// Compares its state with the log.
    pub fn is_up_to_date(&self, log: &Log) {
        assert_eq!(self.cursor, Some(log.cursor()));
        for (seq, row) in log.rows.range(self.start + 1..) {
            let content = item(*seq, row).content;
            let wanted = row.stage < Stage::Deleted && self.filter.wants(&content.kind, content.priority);
            assert!(!wanted || self.arrived.contains(seq), "{seq} was never sent");
        }
        for (account, newest) in log.accounts.iter().filter(|(_, (seq, _))| *seq > self.start) {
            let told = self.accounts.get(account).unwrap_or_else(|| panic!("{account:?} was never told"));
            assert_eq!(told.0, newest.0, "the newest change of {account:?}");
            assert!(account.is_none() || told.1 == newest.1, "the state of {account:?}");
        }
        for (seq, stage) in &self.view {
            let kept = log.rows.get(seq).map_or(Stage::Deleted, |row| row.stage);
            assert_eq!(*stage, kept, "the state of {seq}");
        }
    }
}
