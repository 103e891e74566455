//! Random sequences of actions on an inbox, against a small model of it. One tab follows live, another comes back now and
//! then; both know only their frames.

use std::collections::BTreeMap;

use proptest::{collection::vec, option, prelude::*, strategy::ValueTree as _, test_runner::TestRunner};
use serde_json::{Value, json};
use tokio_postgres::Client;

use super::snooze::hours_ahead;
use crate::harness::*;

const CASES: usize = 6;
const STEPS: usize = 40;
const USER: &str = "u1";
const VERBS: [&str; 5] = ["read", "unread", "seen", "archive", "delete"];

#[derive(Debug, Clone)]
enum Step {
    Publish { kind: u8 },
    One { item: usize, verb: usize },
    Snooze { item: usize, until: usize },
    Return { item: usize },
    Bulk { ids: Vec<usize>, kind: Option<u8>, unread: bool, verb: usize, before: Option<usize> },
    ReadAll { before: Option<usize> },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (item, verb) = (|| 0_usize..50, || 0..VERBS.len());
    let ids = prop_oneof![2 => Just(Vec::new()), 1 => vec(item(), 1..5)];
    let bulk = (ids, option::of(0_u8..2), any::<bool>(), verb(), option::of(0_usize..50));
    let step = prop_oneof![
        5 => (0_u8..2).prop_map(|kind| Step::Publish { kind }),
        8 => (item(), verb()).prop_map(|(item, verb)| Step::One { item, verb }),
        3 => item().prop_map(|item| Step::Return { item }),
        4 => (item(), 0_usize..2).prop_map(|(item, until)| Step::Snooze { item, until }),
        3 => bulk.prop_map(|(ids, kind, unread, verb, before)| Step::Bulk { ids, kind, unread, verb, before }),
        1 => option::of(0_usize..50).prop_map(|before| Step::ReadAll { before }),
    ];
    vec(step, STEPS)
}

#[derive(Debug, Clone, Default, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is true or false whatever the others are")]
struct Item {
    id: String,
    kind: u8,
    seq: i64,
    read: bool,
    seen: bool,
    archived: bool,
    deleted: bool,
    snoozed: Option<usize>,
}

impl Item {
    fn is_listed(&self) -> bool {
        !self.archived && !self.deleted && self.snoozed.is_none()
    }

    fn is_unread(&self) -> bool {
        self.is_listed() && !self.read
    }

    /// Does an action; whether that changed anything.
    fn act(&mut self, act: impl FnOnce(&mut Self)) -> bool {
        let before = self.clone();
        if !self.deleted {
            act(self);
        }
        *self != before
    }

    fn become_as(&mut self, verb: &str) {
        match verb {
            "read" => (self.read, self.seen) = (true, true),
            "unread" => self.read = false,
            "seen" => self.seen = true,
            "archive" => (self.archived, self.snoozed) = (true, None),
            _ => (self.deleted, self.snoozed) = (true, None),
        }
    }
}

/// The items of a tab: for each whether it is read and seen.
type View = BTreeMap<String, (bool, bool)>;

/// A tab that begins with an empty inbox.
struct Tab {
    frames: Frames,
    view: View,
}

impl Tab {
    async fn follow(&mut self, cursor: &str) {
        while self.frames.cursor.as_deref() != Some(cursor) {
            let frame = self.frames.block_after_heartbeats().await;
            if frame.is("notification") || frame.is("state") {
                self.apply(&frame.json());
            }
        }
    }

    fn apply(&mut self, data: &Value) {
        let said = |name: &str| data.get(name).is_some_and(|value| !value.is_null() && *value != false);
        let away = said("archived") || said("archivedAt") || said("deleted") || said("snoozedUntil");
        let state = (said("read") || said("readAt"), said("seen") || said("seenAt"));
        let arrived = data.get("id").and_then(Value::as_str);
        let changed = data["ids"].as_array().into_iter().flatten().filter_map(Value::as_str);
        for id in arrived.into_iter().chain(changed) {
            if away {
                self.view.remove(id);
            } else if arrived.is_some() || self.view.contains_key(id) {
                self.view.insert(id.to_owned(), state);
            }
        }
    }
}

/// The model, and the server that it is compared with.
struct World {
    user: Caller,
    publisher: Caller,
    database: Client,
    /// Until when items are put away: long after the test.
    times: [String; 2],
    epoch: String,
    /// The stream's position, which every change that changes anything moves by one.
    head: i64,
    items: Vec<Item>,
}

impl World {
    fn cursor(&self) -> String {
        format!("{}.{}", self.epoch, self.head)
    }

    fn view(&self) -> View {
        let listed = self.items.iter().filter(|item| item.is_listed());
        listed.map(|item| (item.id.clone(), (item.read, item.seen))).collect()
    }

    /// Notes which items changed by one change, and compares that with the answer.
    fn changed(&mut self, answer: &Value, ids: &[String]) {
        self.head += i64::from(!ids.is_empty());
        assert_eq!(answer["ids"], json!(ids));
        assert_eq!(answer["cursor"], json!(self.cursor()));
    }

    /// Does an action to those items of the model that are to be changed; answers which of them changed.
    fn act(&mut self, wanted: impl Fn(&Item) -> bool, verb: &str) -> Vec<String> {
        let chosen = self.items.iter_mut().filter(|item| wanted(item));
        chosen.filter_map(|item| item.act(|item| item.become_as(verb)).then(|| item.id.clone())).collect()
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Publish { kind } => self.publish(*kind).await,
            Step::ReadAll { before } => self.read_all(*before).await,
            _ if self.items.is_empty() => {}
            Step::One { item, verb } => self.one(*item, VERBS[*verb]).await,
            Step::Snooze { item, until } => self.snooze(*item, *until).await,
            Step::Return { item } => self.end_snooze(*item).await,
            Step::Bulk { ids, kind, unread, verb, before } => {
                self.bulk(ids, *kind, *unread, VERBS[*verb], *before).await;
            }
        }
    }

    async fn publish(&mut self, kind: u8) {
        let body = json!({"users": [USER], "title": "t", "kind": format!("k{kind}")});
        let id = self.publisher.notify_with(body).await;
        self.head += 1;
        self.items.push(Item { id, kind, seq: self.head, ..Item::default() });
    }

    async fn one(&mut self, item: usize, verb: &str) {
        let item = item % self.items.len();
        let path = format!("/api/notifications/{}", self.items[item].id);
        let answer = if verb == "delete" {
            self.user.delete(&path).await
        } else {
            self.user.touch(&format!("{path}/{verb}")).await
        };
        self.answered(item, &answer, |item| item.become_as(verb));
    }

    async fn snooze(&mut self, item: usize, until: usize) {
        let item = item % self.items.len();
        let path = format!("/api/notifications/{}/snooze", self.items[item].id);
        let answer = self.user.post(&path, &json!({"until": self.times[until]})).await;
        self.answered(item, &answer, |item| (item.archived, item.snoozed) = (false, Some(until)));
    }

    /// A snoozed item returns to the top, unread and unseen, as if it had just arrived.
    async fn end_snooze(&mut self, item: usize) {
        let item = item % self.items.len();
        let path = format!("/api/notifications/{}/snooze", self.items[item].id);
        let answer = self.user.delete(&path).await;
        self.answered(item, &answer, |item| {
            if item.snoozed.take().is_some() {
                (item.read, item.seen) = (false, false);
            }
        });
        if self.items[item].seq < self.head && answer.status == 200 && answer.expect(200)["ids"] != json!([]) {
            self.items[item].seq = self.head;
            self.items.sort_by_key(|item| item.seq);
        }
    }

    fn answered(&mut self, item: usize, answer: &Answer, act: impl FnOnce(&mut Item)) {
        if self.items[item].deleted {
            answer.problem(404);
            return;
        }
        let changed = self.items[item].act(act);
        let ids: Vec<_> = changed.then(|| self.items[item].id.clone()).into_iter().collect();
        self.changed(&answer.expect(200), &ids);
    }

    async fn bulk(&mut self, ids: &[usize], kind: Option<u8>, unread: bool, verb: &str, before: Option<usize>) {
        let named: Vec<_> = ids.iter().map(|item| self.items[item % self.items.len()].id.clone()).collect();
        let kind = kind.or_else(|| (named.is_empty() && !unread).then_some(0));
        let until = before.map_or(self.head, |item| self.items[item % self.items.len()].seq);
        let mut filter = json!({"kind": kind.map(|kind| format!("k{kind}"))});
        if unread {
            filter["unread"] = json!(true);
        }
        if !named.is_empty() {
            filter["ids"] = json!(named);
        }
        let before = before.map(|_| format!("{}.{until}", self.epoch));
        let body = json!({"filter": filter, "before": before, "action": verb});
        let answer = self.user.post("/api/notifications/bulk", &body).await.expect(200);
        let wanted = |item: &Item| {
            let there = if named.is_empty() { item.is_listed() } else { named.contains(&item.id) };
            let fits = kind.is_none_or(|kind| kind == item.kind) && (!unread || item.is_unread());
            item.seq <= until && there && fits
        };
        let changed = self.act(wanted, verb);
        self.changed(&answer, &changed);
    }

    /// Marks everything as read, or everything up to the arrival of an item.
    async fn read_all(&mut self, before: Option<usize>) {
        let path = "/api/notifications/read-all";
        let seq = before.filter(|_| !self.items.is_empty()).map(|item| self.items[item % self.items.len()].seq);
        let answer = match seq {
            Some(seq) => self.user.post(path, &json!({"before": format!("{}.{seq}", self.epoch)})).await,
            None => self.user.touch(path).await,
        };
        let ids = self.act(|item| item.is_unread() && seq.is_none_or(|seq| item.seq <= seq), "read");
        self.changed(&answer.expect(200), &ids);
    }

    /// The list, its counts and a recount by the database agree with the model.
    async fn check(&self) {
        let list = self.user.list("?limit=100").await;
        let listed: Vec<_> = self.items.iter().rev().filter(|item| item.is_listed()).collect();
        let told: Vec<_> = list["notifications"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect();
        assert_eq!(json!(told), json!(listed.iter().map(|item| &item.id).collect::<Vec<_>>()));
        let unread = listed.iter().filter(|item| item.is_unread()).count();
        assert_eq!((&list["total"], &list["unread"]), (&json!(listed.len()), &json!(unread)));
        assert_eq!(list["cursor"], json!(self.cursor()));
        let drift = include_str!("../../../src/store/log/drift.sql");
        let (tenants, users) = (vec!["default"], vec![USER]);
        assert_eq!(self.database.query_one(drift, &[&tenants, &users]).await.unwrap().get::<_, i64>(0), 0);
    }
}

#[tokio::test]
async fn list_counts_and_tabs_agree_with_a_model_after_every_action() {
    let (mut runner, strategy) = (TestRunner::default(), steps());
    for _ in 0..CASES {
        let steps = strategy.new_tree(&mut runner).unwrap().current();
        println!("{steps:#?}");
        run(&steps).await;
    }
}

async fn run(steps: &[Step]) {
    let cluster = cluster().instances(2).start().await;
    let (user, away) = (cluster.user(USER), cluster.edges()[1].user(USER));
    let cursor = user.list("").await["cursor"].as_str().unwrap().to_owned();
    let epoch = cursor.rsplit_once('.').unwrap().0.to_owned();
    let database = cluster.postgres.connect().await;
    let times = [hours_ahead(&database, 1).await, hours_ahead(&database, 2).await];
    let mut world = World { times, user, publisher: cluster.publisher(), database, epoch, head: 0, items: Vec::new() };
    let mut live = Tab { frames: away.resume(&cursor).await, view: View::new() };
    live.frames.cursor = Some(cursor.clone());
    let mut returning = View::new();
    let mut seen = cursor;
    for (index, step) in steps.iter().enumerate() {
        world.take(step).await;
        world.check().await;
        live.follow(&world.cursor()).await;
        assert_eq!(live.view, world.view(), "after step {index}");
        if index % 7 == 6 {
            let mut tab = Tab { frames: away.resume(&seen).await, view: returning };
            tab.frames.cursor = Some(seen);
            tab.follow(&world.cursor()).await;
            assert_eq!(tab.view, world.view(), "who comes back after step {index}");
            (returning, seen) = (tab.view, world.cursor());
        }
    }
}
