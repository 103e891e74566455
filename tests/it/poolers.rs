//! A pooler between Tidings and Postgres.

use crate::harness::{instance::setting, *};

#[tokio::test]
async fn a_pool_in_session_mode_is_as_good_as_the_server() {
    let postgres = Postgres::start().await;
    let pool = PgBouncer::before(&postgres, "session").await;
    let url = pool.url();
    let settings = [(setting::DATABASE, url.as_str())];
    let (one, other) = tokio::join!(Instance::start(&settings), Instance::start(&settings));
    let mut stream = other.edge().user("u1").stream().await;
    stream.hello().await;
    for number in 0..20 {
        one.edge().publisher().notify("u1", &format!("n{number}")).await;
    }
    assert_eq!(stream.titles(20).await[19], "n19");
    eventually("all is well", async || {
        let health = other.edge().nobody().get("/health").await.expect(200);
        (health["status"] == "ok").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_pool_in_transaction_mode_is_refused_with_the_cure_and_its_sessions_are_left_alone() {
    let postgres = Postgres::start().await;
    let pool = PgBouncer::before(&postgres, "transaction").await;
    for command in ["serve", "migrate"] {
        let mut instance = Instance::new(&[(setting::DATABASE, &pool.url())]);
        instance.launch_with(&[command]);
        assert!(!instance.exit().await.success());
        assert!(instance.log().contains("pool_mode = session"), "{}", instance.log());
    }
    let client = postgres::connect(&pool.url()).await;
    let rows =
        client.simple_query("select current_setting('jit') || current_setting('statement_timeout')").await.unwrap();
    let tokio_postgres::SimpleQueryMessage::Row(row) = &rows[1] else { panic!("{rows:?}") };
    let untouched = postgres.connect().await;
    let own = untouched
        .query_one("select current_setting('jit') || current_setting('statement_timeout')", &[])
        .await
        .unwrap();
    assert_eq!(row.get(0), own.get(0));
}
