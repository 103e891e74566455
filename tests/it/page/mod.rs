//! The demo at `/` in a real browser: it shows the state of its client library by its elements.

mod agree;

use crate::harness::*;

const LIVE: &str = "globalThis.tidings?.state.connection === 'live'";
const OPEN_BELL: &str = "document.querySelector('tidings-bell').shadowRoot.querySelector('[part=button]').click()";

/// A tab that shows the inbox of `user`, live.
async fn tab(browser: &mut Browser, edge: &Edge, user: &str) -> browser::Tab {
    let token = Token::of(user).scope("publish").sign();
    let tab = browser.open(&format!("{}/#token={token}", edge.base())).await;
    browser.until(&tab, LIVE).await;
    tab
}

fn shows(title: &str) -> String {
    format!("tidings.state.items.some(({{ title }}) => title === {})", serde_json::json!(title))
}

fn unread(count: u32) -> String {
    format!("tidings.state.unread === {count}")
}

#[tokio::test]
async fn a_publish_appears_and_the_other_tab_shows_a_read() {
    let cluster = cluster().instances(2).start().await;
    let mut browser = Browser::start().await;
    let first = tab(&mut browser, &cluster.edge(), "u1").await;
    let second = tab(&mut browser, &cluster.instances[1].edge(), "u1").await;
    cluster.publisher().notify("u1", "Payment received").await;
    for tab in [&first, &second] {
        browser.until(tab, &shows("Payment received")).await;
        browser.until(tab, &unread(1)).await;
    }
    let read = "document.querySelector('tidings-bell').shadowRoot.querySelector('[part~=item-unread] [data-do=read]')";
    browser.evaluate(&first, OPEN_BELL).await;
    browser.until(&first, &format!("{read} !== null")).await;
    browser.evaluate(&first, &format!("{read}.click()")).await;
    for tab in [&first, &second] {
        browser.until(tab, &unread(0)).await;
        browser.until(tab, "tidings.state.items[0].readAt !== null").await;
    }
    let address = browser.evaluate(&first, "location.href").await;
    assert!(!address.as_str().unwrap().contains("token"), "the token does not stay in the address bar");
    browser.close().await;
}

#[tokio::test]
async fn a_snoozed_item_leaves_the_page_and_returns_to_the_top() {
    let cluster = cluster().start().await;
    let mut browser = Browser::start().await;
    let tab = tab(&mut browser, &cluster.edge(), "u1").await;
    let first = cluster.publisher().notify("u1", "first").await;
    cluster.publisher().notify("u1", "second").await;
    let titles = |wanted: &str| format!("tidings.state.items.map(({{ title }}) => title).join() === '{wanted}'");
    browser.until(&tab, &titles("second,first")).await;
    let (user, path) = (cluster.user("u1"), format!("/api/notifications/{first}/snooze"));
    let tomorrow = chrono::Utc::now() + chrono::Duration::days(1);
    user.post(&path, &serde_json::json!({"until": tomorrow})).await.expect(200);
    browser.until(&tab, &titles("second")).await;
    browser.until(&tab, &unread(1)).await;
    user.delete(&path).await.expect(200);
    browser.until(&tab, &titles("first,second")).await;
    browser.until(&tab, &unread(2)).await;
    browser.close().await;
}

#[tokio::test]
async fn an_open_page_survives_the_death_of_its_instance() {
    let mut cluster = cluster().instances(3).start().await;
    let nginx = Nginx::before(&cluster.instances).await;
    let mut browser = Browser::start().await;
    let tab = tab(&mut browser, &nginx.edge(), "u1").await;
    for round in 0..3 {
        cluster.instances[round].kill();
        let title = format!("after kill {round}");
        // Through nginx it could be sent to the dead one, and a backend would have to repeat it.
        cluster.instances[(round + 1) % 3].edge().publisher().notify("u1", &title).await;
        browser.until(&tab, &shows(&title)).await;
        browser.until(&tab, LIVE).await;
        cluster.instances[round].restart().await;
    }
    browser.until(&tab, &unread(3)).await;
    browser.close().await;
}

#[tokio::test]
async fn the_page_publishes_and_shows_texts_as_texts() {
    let cluster = cluster().start().await;
    let mut browser = Browser::start().await;
    let tab = tab(&mut browser, &cluster.edge(), "u1").await;
    let markup = "<img src=x onerror=\"document.title=1\">";
    let body = serde_json::json!({"users": ["u1"], "title": markup, "message": markup}).to_string();
    let fill = format!("document.getElementById('body').value = {};", serde_json::json!(body));
    browser.evaluate(&tab, &format!("{fill} document.getElementById('publish-form').requestSubmit()")).await;
    browser.until(&tab, &shows(markup)).await;
    let texts = "[...document.querySelectorAll('#next h4, #next p')].map((each) => each.textContent).join()";
    browser.until(&tab, &format!("{texts} === {}", serde_json::json!(format!("{markup},{markup}")))).await;
    assert_eq!(browser.evaluate(&tab, "document.querySelectorAll('main img').length").await, 0);
    assert_eq!(browser.evaluate(&tab, "document.getElementById('count-arrived').textContent").await, "1");
    browser.close().await;
}

#[tokio::test]
async fn the_page_is_guarded_by_its_headers() {
    let cluster = cluster().start().await;
    let page = cluster.edge().nobody().get("/").await;
    assert_eq!(page.status, 200);
    let policy = page.header("content-security-policy");
    assert!(policy.contains("default-src") && !policy.contains("unsafe-inline"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    for path in ["/assets/../Cargo.toml", "/assets/..%2fCargo.toml", "/assets/nothing.js"] {
        assert_eq!(cluster.edge().nobody().get(path).await.status, 404, "{path}");
    }
}
