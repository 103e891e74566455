//! Three instances with nothing between them but Postgres, which is the bus too.

use crate::{
    checker::{Run, Shape},
    harness::*,
};

const HEAD_CHECK: &str = "TIDINGS_HEAD_CHECK_SECONDS";

/// Ends the instances' connections that match.
async fn end_connections(postgres: &Postgres, which: &str) -> u64 {
    let end = format!(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'tidings' and {which}"
    );
    postgres.connect().await.execute(&end, &[]).await.unwrap()
}

#[tokio::test]
async fn what_one_instance_takes_in_is_delivered_by_the_other_without_a_head_check() {
    let cluster = cluster().on_postgres_alone(2).set(HEAD_CHECK, "3600").start().await;
    let edges = cluster.edges();
    let mut stream = edges[1].user("u1").stream().await;
    stream.hello().await;
    for number in 0..50 {
        let title = format!("n{number}");
        edges[0].publisher().notify("u1", &title).await;
        assert_eq!(stream.titles(1).await, [title.as_str()]);
    }
    let health = edges[1].nobody().get("/health").await.expect(200);
    assert_eq!((&health["status"], &health["parts"]["bus"]["up"]), (&"ok".into(), &true.into()));
    let detail = health["parts"]["bus"]["detail"].as_str().unwrap();
    assert!(detail.contains("the last probe came back"), "{detail}");
}

#[tokio::test]
async fn nothing_is_lost_when_postgres_restarts_under_the_bus() {
    super::postgres::restarts_of(cluster().on_postgres_alone(3)).await;
}

#[tokio::test]
async fn nothing_is_lost_when_connections_of_the_bus_are_ended() {
    let cluster = cluster().on_postgres_alone(3).set(HEAD_CHECK, "2").start().await;
    let run = Run::start(cluster.edges(), Shape::default()).await;
    for _ in 0..3 {
        assert!(end_connections(&cluster.postgres, "query like 'listen %'").await > 0, "a connection listens");
        run.flow().await;
        assert!(end_connections(&cluster.postgres, "query like '%pg_notify%'").await > 0, "a connection sends");
        run.flow().await;
        end_connections(&cluster.postgres, "true").await;
        run.flow().await;
    }
    run.judge().await;
}
