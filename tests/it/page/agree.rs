//! Two tabs of one user agree with each other and with the server, whatever is done in either.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_postgres::Client;

use super::tab;
use crate::harness::*;

/// Rounds of actions, and actions of each.
const ROUNDS: usize = 25;
const ACTIONS: usize = 4;
/// What a tab shows: the count of what is unread, and each item with whether it is read.
const SHOWN: &str = "[String(tidings.state.unread), \
    ...tidings.state.items.map(({ title, readAt }) => title + (readAt ? ' read' : ''))]";

/// The same as the server has it.
async fn stored(user: &Caller) -> Value {
    let list = user.list("?limit=100").await;
    let shown = |item: &Value| {
        let read = if item["readAt"].is_null() { "" } else { " read" };
        json!(format!("{}{read}", item["title"].as_str().unwrap()))
    };
    let items = list["notifications"].as_array().unwrap().iter().map(shown);
    Value::Array(std::iter::once(json!(list["unread"].to_string())).chain(items).collect())
}

/// One action: in a tab, or by a backend or another device.
async fn act(browser: &mut Browser, tab: &browser::Tab, cluster: &Cluster, database: &Client, number: usize) {
    let (user, publisher) = (cluster.user("u1"), cluster.publisher());
    // As a click does, none waits for the answer; what another has removed meanwhile is refused.
    let mut choose = async |action: &str| {
        let chosen = rand::random_range(0..8);
        let script = format!(
            "(tidings.state.items.slice({chosen}, {chosen} + 1).forEach((item) => {action}.catch(() => {{}})))"
        );
        browser.evaluate(tab, &script).await;
    };
    match rand::random_range(0..12) {
        0 | 1 => drop(publisher.notify("u1", &format!("n{number}")).await),
        2 | 3 => {
            let thread = format!("t{}", rand::random_range(0..3));
            let body = json!({"users": ["u1"], "title": format!("{thread} {number}"), "threadKey": thread});
            publisher.notify_with(body).await;
        }
        4..=6 => choose("tidings[item.readAt ? 'unread' : 'read'](item.id)").await,
        7 => choose("tidings.archive(item.id)").await,
        8 => choose("tidings.remove(item.id)").await,
        9 => drop(browser.evaluate(tab, "void tidings.readAll()").await),
        10 => {
            let list = user.list("").await;
            let Some(item) = list["notifications"].as_array().unwrap().first() else { return };
            let (id, until) = (item["id"].as_str().unwrap(), chrono::Utc::now() + chrono::Duration::days(1));
            user.post(&format!("/api/notifications/{id}/snooze"), &json!({"until": until})).await.expect(200);
        }
        _ => {
            let due = "update inbox set snoozed_until = now() where snoozed_until is not null";
            database.execute(due, &[]).await.unwrap();
            let filter = json!({"filter": {"q": "n"}, "action": "read"});
            user.post("/api/notifications/bulk", &filter).await.expect(200);
        }
    }
}

#[tokio::test]
async fn two_tabs_agree_after_any_mix_of_actions_in_both() {
    let cluster = cluster().instances(2).start().await;
    let (database, user) = (cluster.postgres.connect().await, cluster.user("u1"));
    let mut browser = Browser::start().await;
    let tabs =
        [tab(&mut browser, &cluster.edge(), "u1").await, tab(&mut browser, &cluster.instances[1].edge(), "u1").await];
    let mut slowest = Duration::ZERO;
    for round in 0..ROUNDS {
        for action in 0..ACTIONS {
            act(&mut browser, &tabs[rand::random_range(0..2)], &cluster, &database, round * ACTIONS + action).await;
        }
        let snoozed = "select count(*) from inbox where snoozed_until <= now()";
        let settled = async || (database.query_one(snoozed, &[]).await.unwrap().get::<_, i64>(0) == 0).then_some(());
        eventually("what was snoozed is back", settled).await;
        let begun = Instant::now();
        let what = format!("both tabs show what is stored, round {round}");
        eventually(&what, async || {
            let (first, second) = (browser.evaluate(&tabs[0], SHOWN).await, browser.evaluate(&tabs[1], SHOWN).await);
            (first == second && first == stored(&user).await).then_some(())
        })
        .await;
        slowest = slowest.max(begun.elapsed());
    }
    println!("the tabs agreed after {slowest:?} at the latest");
    browser.close().await;
}
