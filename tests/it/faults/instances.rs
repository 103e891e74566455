//! Instances die, drain and come back, directly and behind nginx.

use crate::{
    checker::{Run, Shape},
    harness::*,
};

#[tokio::test]
async fn nothing_is_lost_when_instances_are_killed_behind_nginx() {
    let mut cluster = cluster().instances(3).start().await;
    let nginx = Nginx::before(&cluster.instances).await;
    let run = Run::start(vec![nginx.edge()], Shape::default()).await;
    for instance in &mut cluster.instances {
        instance.kill();
        run.flow().await;
        instance.restart().await;
    }
    run.flow().await;
    run.judge().await;
}

#[tokio::test]
async fn nothing_is_lost_when_two_of_three_instances_are_killed_at_once() {
    two_of_three_killed(cluster().instances(3)).await;
}

#[tokio::test]
async fn nothing_is_lost_when_two_of_three_instances_are_killed_at_once_over_postgres_too() {
    two_of_three_killed(cluster().on_postgres_alone(3)).await;
}

async fn two_of_three_killed(plan: Plan) {
    let mut cluster = plan.start().await;
    let run = Run::start(cluster.edges(), Shape::default()).await;
    cluster.instances[0].kill();
    cluster.instances[1].kill();
    run.flow().await;
    cluster.instances[0].restart().await;
    cluster.instances[1].restart().await;
    run.flow().await;
    run.judge().await;
}

#[tokio::test]
async fn nothing_is_lost_when_all_instances_are_killed_and_come_back() {
    let mut cluster = cluster().instances(2).start().await;
    let run = Run::start(cluster.edges(), Shape::default()).await;
    cluster.instances.iter_mut().for_each(Instance::kill);
    for instance in &mut cluster.instances {
        instance.restart().await;
    }
    run.flow().await;
    run.judge().await;
}

#[tokio::test]
async fn nothing_is_lost_in_a_rolling_restart_behind_nginx() {
    rolling_restart(cluster().instances(3)).await;
}

#[tokio::test]
async fn nothing_is_lost_in_a_rolling_restart_behind_nginx_over_postgres_too() {
    rolling_restart(cluster().on_postgres_alone(3)).await;
}

async fn rolling_restart(plan: Plan) {
    let mut cluster = plan.start().await;
    let nginx = Nginx::before(&cluster.instances).await;
    let run = Run::start(vec![nginx.edge()], Shape::default()).await;
    for instance in &mut cluster.instances {
        let status = instance.terminate().await;
        assert_eq!(status.code(), Some(0), "{status}");
        instance.restart().await;
        run.flow().await;
    }
    run.judge().await;
}

#[tokio::test]
async fn a_draining_instance_says_goodbye_to_every_stream_and_ends_with_success() {
    let mut cluster = cluster().start().await;
    let mut streams = Vec::new();
    for index in 0..5 {
        let mut stream = cluster.user(&format!("u{index}")).stream().await;
        stream.hello().await;
        streams.push(stream);
    }
    cluster.instances[0].signal(process::Signal::TERM);
    for stream in &mut streams {
        let bye = stream.next().await;
        assert!(bye.is("bye"), "{bye:?}");
        assert_eq!(bye.json()["reason"], "draining");
        assert_eq!(bye.retry, bye.json()["retryMs"].as_u64());
        assert!(bye.retry.is_some());
        assert_eq!(stream.next_or_end().await, None);
    }
    assert_eq!(cluster.instances[0].exit().await.code(), Some(0));
}

#[tokio::test]
async fn a_publish_that_was_acknowledged_before_a_kill_is_there_after_it() {
    let mut cluster = cluster().start().await;
    let publisher = cluster.publisher();
    for index in 0..20 {
        publisher.notify("u1", &format!("n{index}")).await;
    }
    cluster.instances[0].kill();
    cluster.instances[0].restart().await;
    assert_eq!(cluster.user("u1").list("").await["total"], 20);
}

#[tokio::test]
async fn behind_nginx_a_client_never_gives_up_when_no_instance_is_left() {
    let mut cluster = cluster().instances(3).start().await;
    let nginx = Nginx::before(&cluster.instances).await;
    let user = nginx.edge().user("u1");
    let cursor = user.list("").await["cursor"].as_str().unwrap().to_owned();
    cluster.instances.iter_mut().for_each(Instance::kill);
    let frames = user.resume(&cursor).await.rest().await;
    assert!(frames.iter().any(|frame| frame.retry.is_some()), "{frames:?}");
    assert!(frames.iter().all(|frame| frame.id.is_none() && frame.event.is_none()), "{frames:?}");
    cluster.instances[1].restart().await;
    nginx.edge().publisher().notify("u1", "back").await;
    eventually("the stream is back", async || {
        let mut stream = user.resume(&cursor).await;
        let hello = stream.next_or_end().await.filter(|frame| frame.is("hello"))?;
        assert_eq!(hello.json()["verdict"], "resumed");
        assert_eq!(stream.titles(1).await, ["back"]);
        Some(())
    })
    .await;
}
