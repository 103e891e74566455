//! The fault checker over `WebSocket`s: nothing is lost, repeated or out of order after any death.

use crate::{
    checker::{Run, Shape, Transport},
    harness::*,
};

fn shape() -> Shape {
    Shape { transport: Transport::WebSocket, ..Shape::default() }
}

#[tokio::test]
async fn nothing_is_lost_when_instances_are_killed() {
    let mut cluster = cluster().instances(3).start().await;
    let run = Run::start(cluster.edges(), shape()).await;
    for index in 0..3 {
        cluster.instances[index].kill();
        run.flow().await;
        cluster.instances[index].restart().await;
    }
    run.flow().await;
    run.judge().await;
}

#[tokio::test]
async fn nothing_is_lost_in_a_rolling_restart_behind_nginx() {
    let mut cluster = cluster().instances(3).start().await;
    let nginx = Nginx::before(&cluster.instances).await;
    let run = Run::start(vec![nginx.edge()], shape()).await;
    for instance in &mut cluster.instances {
        let status = instance.terminate().await;
        assert_eq!(status.code(), Some(0), "{status}");
        instance.restart().await;
        run.flow().await;
    }
    run.judge().await;
}

#[tokio::test]
async fn nothing_is_lost_when_redis_and_postgres_die() {
    let mut cluster = cluster().instances(2).start().await;
    let run = Run::start(cluster.edges(), shape()).await;
    cluster.redis().kill();
    run.flow().await;
    cluster.redis().start_empty().await;
    run.flow().await;
    cluster.postgres.crash().await;
    cluster.postgres.resume().await;
    run.flow().await;
    run.judge().await;
}
