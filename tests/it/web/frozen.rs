//! Tabs that the browser freezes. The scripts' browser library keeps every tab visible, and a visible tab is never
//! frozen: so these tabs are driven without it.

use serde_json::json;

use crate::harness::{browser::Tab, *};

/// Begins a client and writes down its events.
const BEGIN: &str = r#"import("/assets/client/index.js").then(({ connect }) => {
    globalThis.told = [];
    globalThis.client = connect({ token: TOKEN });
    client.on("notification", ({ item }) => told.push(item.title));
    client.on("frame", () => (globalThis.leads = true));
})"#;

struct Desk {
    browser: Browser,
    nginx: Nginx,
    cluster: Cluster,
    published: Vec<String>,
}

impl Desk {
    /// A tab before those that there are.
    async fn open(&mut self) -> Tab {
        let tab = self.browser.cover(&format!("{}/docs", self.nginx.edge().base())).await;
        self.browser.until(&tab, "location.pathname === '/docs'").await;
        let begin = BEGIN.replace("TOKEN", &json!(Token::of("u1").sign()).to_string());
        self.browser.evaluate(&tab, &begin).await;
        self.browser.until(&tab, "client.state.connection === 'live'").await;
        tab
    }

    async fn publish(&mut self, count: usize) {
        for _ in 0..count {
            let title = format!("n{}", self.published.len());
            self.cluster.publisher().notify("u1", &title).await;
            self.published.push(title);
        }
    }

    /// Waits until a tab received the last one, and checks that it received each once, in order.
    async fn has_received_all(&mut self, tab: &Tab) {
        let last = self.published.last().unwrap();
        self.browser.until(tab, &format!("told.includes({last:?})")).await;
        assert_eq!(self.browser.evaluate(tab, "told").await, json!(self.published));
        let shown = "JSON.stringify(client.state.items.map(({ title }) => title).reverse())";
        assert_eq!(self.browser.evaluate(tab, shown).await, json!(self.published).to_string());
    }
}

#[tokio::test]
async fn a_leading_tab_that_is_frozen_is_replaced_and_receives_what_it_missed() {
    let cluster = cluster().instances(3).start().await;
    let nginx = Nginx::before(&cluster.instances).await;
    let mut desk = Desk { browser: Browser::start().await, nginx, cluster, published: Vec::new() };
    // The second one is in front of the first.
    let (first, second) = (desk.open().await, desk.open().await);
    desk.publish(3).await;
    desk.has_received_all(&first).await;
    assert_eq!(desk.browser.evaluate(&first, "leads").await, true);

    desk.browser.freeze(&first).await;
    desk.browser.until(&second, "globalThis.leads").await;
    desk.publish(5).await;
    desk.has_received_all(&second).await;
    desk.browser.thaw(&first).await;
    desk.has_received_all(&first).await;

    // It no longer leads, and sleeps again.
    desk.browser.freeze(&first).await;
    desk.publish(5).await;
    desk.has_received_all(&second).await;
    desk.browser.thaw(&first).await;
    desk.has_received_all(&first).await;
    desk.publish(2).await;
    desk.has_received_all(&first).await;
    desk.browser.close().await;
}
