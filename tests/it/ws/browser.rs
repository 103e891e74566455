//! A real browser, under the policy of the served pages.

use serde_json::json;

use super::calm;
use crate::harness::*;

/// Opens a WebSocket in the page; its messages' types and then its close code gather in `seen`.
fn open(protocols: &str) -> String {
    format!(
        "globalThis.seen = [];\
         globalThis.socket = new WebSocket(`${{location.origin.replace('http', 'ws')}}/ws/notifications`{protocols});\
         socket.onmessage = ({{ data }}) => {{ const {{ type }} = JSON.parse(data); if (type !== 'heartbeat') seen.push(type); }};\
         socket.onclose = ({{ code }}) => seen.push(code); true"
    )
}

#[tokio::test]
async fn a_page_opens_a_websocket_with_a_token_or_a_cookie_and_reads_why_it_is_closed() {
    let cluster = calm().start().await;
    let mut browser = Browser::start().await;
    let tab = browser.open(&format!("{}/docs", cluster.edge().base())).await;
    browser.until(&tab, "location.pathname === '/docs' && document.readyState === 'complete'").await;
    let token = Token::of("u1").sign();

    browser.evaluate(&tab, &open(&format!(", ['bearer', '{token}']"))).await;
    browser.until(&tab, "seen.includes('connected')").await;
    assert_eq!(browser.evaluate(&tab, "socket.protocol").await, "bearer");
    cluster.publisher().notify("u1", "one").await;
    browser.until(&tab, "seen.join() === 'connected,notification'").await;
    browser.evaluate(&tab, "socket.close(); true").await;
    browser.until(&tab, "seen.at(-1) === 1005").await;

    browser.evaluate(&tab, &format!("document.cookie = 'tidings_token={token}; path=/'; true")).await;
    browser.evaluate(&tab, &open("")).await;
    browser.until(&tab, "seen.includes('connected')").await;
    browser.evaluate(&tab, "document.cookie = 'tidings_token=; path=/; max-age=0'; true").await;
    for (protocols, code) in [("", 4001), (", ['bearer', 'nonsense']", 4002)] {
        browser.evaluate(&tab, &open(protocols)).await;
        browser.until(&tab, "seen.length === 2").await;
        assert_eq!(browser.evaluate(&tab, "seen").await, json!(["error", code]));
    }
    browser.close().await;
}
