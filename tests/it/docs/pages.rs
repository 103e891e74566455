//! A test for each page: from a fresh instance, its blocks run in order and their outputs agree with the page.

use std::collections::BTreeSet;

use super::{
    block::{Use, blocks},
    everything, read,
    stage::prove,
};

/// A test for each page.
macro_rules! pages {
    ($($name:ident => $page:literal,)*) => {
        const PROVED: &[&str] = &[$($page),*];

        $(#[tokio::test]
        async fn $name() {
            prove($page).await;
        })*
    };
}

pages! {
    readme => "README.md",
    index => "docs/README.md",
    client => "docs/client.md",
    deploy => "docs/deploy.md",
    elements => "docs/elements.md",
    guarantees => "docs/guarantees.md",
    inbox => "docs/inbox.md",
    kinds => "docs/kinds.md",
    metrics => "docs/metrics.md",
    operate => "docs/operate.md",
    sql => "docs/sql.md",
    polling => "docs/polling.md",
    preferences => "docs/preferences.md",
    publish => "docs/publish.md",
    react => "docs/react.md",
    schedule => "docs/schedule.md",
    settings => "docs/settings.md",
    signals => "docs/signals.md",
    stream => "docs/stream.md",
    tokens => "docs/tokens.md",
    topics => "docs/topics.md",
    websocket => "docs/websocket.md",
}

#[test]
fn every_page_with_something_to_run_is_proved() {
    let runs = |page: &String| blocks(&read(page)).iter().any(|block| block.purpose() != Use::Show);
    let pages: BTreeSet<_> = everything().into_iter().filter(runs).collect();
    let proved: BTreeSet<_> = PROVED.iter().map(ToString::to_string).collect();
    assert_eq!(pages.difference(&proved).collect::<Vec<_>>(), [""; 0], "these have no test");
}
