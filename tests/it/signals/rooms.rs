//! The rooms of a topic while subscriptions change.

use super::*;

#[tokio::test]
async fn changes_while_the_bus_was_down_apply_before_the_next_signal() {
    let mut cluster = cluster().instances(2).set("TIDINGS_HEAD_CHECK_SECONDS", "3600").start().await;
    subscribe(&cluster, "team:7", &["stays", "leaves"]).await;
    let edges = cluster.edges();
    let (mut stays, mut leaves) = (listening(&edges[0].user("stays")).await, listening(&edges[0].user("leaves")).await);
    cluster.redis().kill();
    eventually("signals are refused while the bus is down", async || {
        (edges[1].publisher().post("/api/signals", &signal("team:7", "", 0)).await.status == 503).then_some(())
    })
    .await;
    let remove = "delete from subscriptions where user_id = 'leaves'";
    assert_eq!(cluster.postgres.connect().await.execute(remove, &[]).await.unwrap(), 1);
    cluster.redis().start_empty().await;
    signals_until_one_comes(&mut stays, async || {
        edges[1].publisher().post("/api/signals", &signal("team:7", "", "new")).await;
    })
    .await;
    edges[1].publisher().notify("leaves", "after").await;
    let next = leaves.next().await;
    assert!(next.is("notification"), "{next:?}");
}

#[tokio::test]
async fn a_subscription_made_while_a_stream_is_open_is_in_force_at_once() {
    subscription_while_open(cluster().instances(2)).await;
}

#[tokio::test]
async fn a_subscription_made_while_a_stream_is_open_is_in_force_at_once_over_postgres_too() {
    subscription_while_open(cluster().on_postgres_alone(2)).await;
}

async fn subscription_while_open(plan: Plan) {
    let cluster = plan.set("TIDINGS_HEAD_CHECK_SECONDS", "3600").start().await;
    let edges = cluster.edges();
    let mut stream = listening(&edges[0].user("u1")).await;
    edges[1].admin().set("/api/topics/team:7/subscribers/u1").await.expect(204);
    stream.next_of("subscription").await;
    signals_until_one_comes(&mut stream, async || {
        edges[1].publisher().post("/api/signals", &signal("team:7", "", 1)).await.expect(202);
    })
    .await;
}

#[tokio::test]
async fn a_removed_member_gets_no_signal_that_is_sent_after_the_removal_was_answered() {
    removed_member(cluster().instances(3)).await;
}

#[tokio::test]
async fn a_removed_member_gets_no_signal_that_is_sent_after_the_removal_was_answered_over_postgres_too() {
    removed_member(cluster().on_postgres_alone(3)).await;
}

async fn removed_member(plan: Plan) {
    let cluster = plan.set("TIDINGS_HEAD_CHECK_SECONDS", "3600").start().await;
    let edges = cluster.edges();
    let (mut leaves, mut stays) = (edges[0].user("leaves"), edges[0].user("stays"));
    for round in 0..20 {
        for user in ["leaves", "stays"] {
            edges[1].admin().set(&format!("/api/topics/team:7/members/{user}")).await.expect(204);
            edges[1].admin().set(&format!("/api/topics/team:7/subscribers/{user}")).await.expect(204);
        }
        let (mut gone, mut there) = (listening(&leaves).await, listening(&stays).await);
        edges[1].admin().delete("/api/topics/team:7/members/leaves").await.expect(204);
        edges[2].publisher().post("/api/signals", &signal("team:7", "", round)).await.expect(202);
        // Both got the last value of the round before.
        while data(&mut there).await != round {}
        edges[2].publisher().notify("leaves", "after").await;
        loop {
            let frame = gone.next().await;
            assert!(!frame.is("signal") || frame.json()["data"] != round, "round {round}: {frame:?}");
            if frame.is("notification") {
                break;
            }
        }
        let mut late = edges[0].user("leaves").stream_with("?signals=last", None).await;
        late.hello().await;
        edges[2].publisher().notify("leaves", "later").await;
        assert!(late.next().await.is("notification"), "nor is it kept for a removed member");
        (leaves, stays) = (edges[round % 2].user("leaves"), edges[round % 2].user("stays"));
    }
}

#[tokio::test]
async fn a_subscription_whose_announcement_was_lost_is_found() {
    let cluster = cluster().instances(2).set("TIDINGS_HEAD_CHECK_SECONDS", "0.2").start().await;
    let mut stream = listening(&cluster.user("u1")).await;
    subscribe(&cluster, "team:7", &["u1"]).await;
    signals_until_one_comes(&mut stream, async || {
        cluster.publisher().post("/api/signals", &signal("team:7", "", 1)).await.expect(202);
    })
    .await;
}
