//! Two tabs of one user agree with each other and with the server, after any action in either.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_postgres::Client;

use super::{OPEN_BELL, tab};
use crate::harness::*;

/// Rounds of actions, and actions of each.
const ROUNDS: usize = 25;
const ACTIONS: usize = 4;
/// The content of a tab: the bell's badge, and each item of its list with whether it is read.
const SHOWN: &str = "(() => { \
    const { shadowRoot } = document.querySelector('tidings-bell'); \
    const badge = shadowRoot.querySelector('[part=badge]'); \
    const items = [...shadowRoot.querySelectorAll('[part~=item]')]; \
    return [badge.hidden ? '0' : badge.textContent, ...items.map((item) => \
        item.querySelector('.title').textContent + (item.part.contains('item-unread') ? '' : ' read'))]; \
    })()";

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
    let chosen = rand::random_range(0..8);
    let mut click = async |button: &str| {
        let item =
            format!("document.querySelector('tidings-bell').shadowRoot.querySelectorAll('[part~=item]')[{chosen}]");
        browser.evaluate(tab, &format!("{item}?.querySelector('[data-do={button}]').click()")).await;
    };
    match rand::random_range(0..12) {
        0 | 1 => drop(publisher.notify("u1", &format!("n{number}")).await),
        2 | 3 => {
            let thread = format!("t{}", rand::random_range(0..3));
            let body = json!({"users": ["u1"], "title": format!("{thread} {number}"), "threadKey": thread});
            publisher.notify_with(body).await;
        }
        4..=6 => click("read").await,
        7 => click("archive").await,
        8 => {
            // An item that the other tab has removed meanwhile is refused.
            let item = format!("tidings.state.items.at({chosen})");
            browser.evaluate(tab, &format!("{item} && void tidings.remove({item}.id).catch(() => {{}})")).await;
        }
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
    for tab in &tabs {
        browser.evaluate(tab, OPEN_BELL).await;
    }
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
