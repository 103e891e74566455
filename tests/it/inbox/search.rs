//! Words in titles and messages.

use serde_json::json;

use super::{publish_many, titles};
use crate::harness::*;

#[tokio::test]
async fn all_words_must_occur_and_every_character_matches_itself() {
    let cluster = cluster().start().await;
    let user = cluster.user("u1");
    for (title, message, kind) in [
        ("Payment received", "120.00 EUR from Example Ltd.", "x"),
        ("Discount of 100%", "only today", "x"),
        ("Discount of 100 EUR", r"a_b and c\d", "y"),
        ("Überweisung", "für Müller", "y"),
    ] {
        let body = json!({"users": ["u1"], "title": title, "message": message, "kind": kind});
        cluster.publisher().notify_with(body).await;
    }
    for (query, expected) in [
        ("q=payment", vec!["Payment received"]),
        ("q=EXAMPLE+ceiv", vec!["Payment received"]),
        ("q=example+today", vec![]),
        ("q=discount", vec!["Discount of 100 EUR", "Discount of 100%"]),
        ("q=100%25", vec!["Discount of 100%"]),
        ("q=a_b", vec!["Discount of 100 EUR"]),
        ("q=a%25b", vec![]),
        ("q=c_d", vec![]),
        (r"q=c\d", vec!["Discount of 100 EUR"]),
        ("q=receivedn", vec![]),
        ("q=berweisung+M%C3%BCller", vec!["Überweisung"]),
        ("q=%C3%9Cberweisung", vec!["Überweisung"]),
        ("q=eur&kind=y", vec!["Discount of 100 EUR"]),
        ("q=eur&unreadOnly=true&priority=low", vec![]),
    ] {
        let list = user.list(&format!("?{query}")).await;
        assert_eq!(titles(&list), expected, "{query}");
        assert_eq!((&list["total"], &list["totalIsExact"]), (&json!(expected.len()), &json!(true)), "{query}");
    }
    for query in ["q=", "q=+", "q=1+2+3+4+5+6+7+8+9", &format!("q={}", "x".repeat(101)), "q=a%00"] {
        let problem = user.get(&format!("/api/notifications?{query}")).await.problem(400);
        assert_eq!(problem["errors"][0]["parameter"], "q", "{problem}");
    }
}

#[tokio::test]
async fn of_which_letters_the_case_is_known_is_the_databases_matter() {
    let cluster = cluster().start().await;
    cluster.publisher().notify("u1", "Überweisung").await;
    let knows: bool = cluster.postgres.connect().await.query_one("select lower('Ü') = 'ü'", &[]).await.unwrap().get(0);
    let found = cluster.user("u1").list("?q=%C3%BCberweisung").await["total"] == 1;
    assert_eq!(found, knows);
}

#[tokio::test]
async fn a_search_in_a_large_inbox_continues_page_by_page() {
    let cluster = cluster().start().await;
    publish_many(&cluster, "u1", 1_200).await;
    let user = cluster.user("u1");
    let newest = user.list("?q=n7&limit=100").await;
    assert_eq!((&newest["total"], &newest["totalIsExact"]), (&json!(100), &json!(false)), "n700 to n799");
    let mut list = newest;
    let mut found = titles(&list).len();
    while let Some(next) = list["nextPage"].as_str() {
        list = user.list(&format!("?q=n7&limit=100&page={next}")).await;
        found += titles(&list).len();
    }
    assert_eq!(found, 111, "n7, n70 to n79, n700 to n799");
}
