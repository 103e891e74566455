//! The load tool against real instances: it must count its publishes, and find no fault if there is none.

use serde_json::Value;

use crate::{
    BENCH,
    harness::{instance::setting, *},
};

/// Runs a scenario against all instances of the cluster; answers the exit code and everything printed.
async fn run(cluster: &Cluster, arguments: &[&str]) -> (i32, String) {
    let all = |what: fn(&Instance) -> String| cluster.instances.iter().map(what).collect::<Vec<_>>().join(",");
    let (urls, pids) = (all(Instance::base), all(|instance| instance.pid().to_string()));
    let (database, redis) = (cluster.postgres.url(), cluster.redis.as_ref().map(Redis::url).unwrap_or_default());
    let mut bench = Instance::new(&[(setting::DATABASE, &database), (setting::REDIS, &redis)]);
    let target = ["--url", &urls, "--pid", &pids, "--format", "json"];
    bench.launch_program(BENCH.as_ref(), &[arguments, &target].concat());
    let code = bench.exit().await.code().expect("an exit, not a crash");
    (code, bench.log())
}

/// Runs a scenario that must succeed; answers its figures.
async fn figures(cluster: &Cluster, arguments: &[&str]) -> Value {
    let (code, output) = run(cluster, arguments).await;
    assert_eq!(code, 0, "{output}");
    let line = output.lines().find(|line| line.starts_with('{')).expect("a line of JSON");
    serde_json::from_str(line).expect("JSON")
}

/// Nothing went wrong with so many deliveries, each at one stream.
#[track_caller]
fn all_came(figures: &Value, deliveries: u64) {
    assert_eq!(figures["clean"], true, "{figures}");
    assert_eq!(figures["expectedDeliveries"], deliveries, "{figures}");
    assert_eq!(figures["deliveries"], deliveries, "{figures}");
    for fault in ["lost", "repeated", "outOfOrder", "foreign", "resets"] {
        assert_eq!(figures[fault], 0, "{fault}: {figures}");
    }
}

#[tokio::test]
async fn idle_streams_cost_memory_and_time_that_are_measured() {
    let cluster = cluster().with_redis().start().await;
    let figures = figures(&cluster, &["idle", "--streams", "50", "--seconds", "1", "--readers", "2"]).await;
    all_came(&figures, 0);
    assert_eq!((&figures["streams"], &figures["fresh"]), (&50.into(), &50.into()));
    assert!(figures["serverCpuPerConnectUs"].is_number() && figures["rssPerStreamKb"].is_number(), "{figures}");
    assert_eq!(figures["postgresCpuPerConnectUs"], Value::Null, "its process was not named");
}

#[tokio::test]
async fn unicast_announces_stored_changes_before_any_head_check_finds_them() {
    let cluster = cluster().instances(2).set("TIDINGS_HEAD_CHECK_SECONDS", "0.05").start().await;
    let arguments = ["unicast", "--streams", "40", "--users", "20", "--rate", "200", "--seconds", "2"];
    let figures = figures(&cluster, &arguments).await;
    assert_eq!((&figures["announced"], &figures["instances"]), (&400.into(), &2.into()));
    all_came(&figures, 800);
    assert_eq!(cluster.edge().metric("tidings_head_check_finds_total", &[]).await, 0);
}

#[tokio::test]
async fn broadcast_delivers_each_announcement_to_every_stream() {
    let cluster = cluster().instances(2).start().await;
    let figures = figures(&cluster, &["broadcast", "--streams", "60", "--rate", "10", "--seconds", "1"]).await;
    assert_eq!((&figures["announced"], &figures["users"]), (&10.into(), &1.into()));
    all_came(&figures, 600);
}

#[tokio::test]
async fn every_way_to_publish_delivers_the_accepted_publishes() {
    let cluster = cluster().instances(2).start().await;
    for via in ["http", "http-batch", "xadd", "channel", "sql"] {
        let load = ["--via", via, "--rate", "200", "--seconds", "1", "--clients", "4", "--batch-size", "20"];
        let figures = figures(&cluster, &[&["publish", "--streams", "30", "--users", "10"], &load[..]].concat()).await;
        assert_eq!(figures["accepted"], 200, "{via}");
        all_came(&figures, 600);
    }
}

#[tokio::test]
async fn a_storm_replays_missed_changes_to_every_stream_and_shows_the_databases_part() {
    let cluster = cluster().with_redis().start().await;
    let figures = figures(&cluster, &["storm", "--streams", "50", "--missed", "3"]).await;
    assert_eq!((&figures["accepted"], &figures["resumed"]), (&150.into(), &50.into()));
    assert_eq!(figures["lost"], 0);
    assert!(figures["postgresRowsPerSecond"].as_f64() > Some(0.0), "{figures}");
}

#[tokio::test]
async fn a_blend_of_everything_loses_nothing() {
    let cluster = cluster().instances(2).start().await;
    let rates = ["--single-rate", "40", "--rate", "60", "--reconnect-rate", "40", "--list-rate", "30", "--reads", "2"];
    let arguments = [&["mixed", "--streams", "40", "--users", "20", "--seconds", "3"], &rates[..]].concat();
    let figures = figures(&cluster, &arguments).await;
    assert_eq!((&figures["singleAccepted"], &figures["batchAccepted"]), (&120.into(), &180.into()));
    all_came(&figures, 600);
    assert_eq!((&figures["lists"], &figures["visitsFailed"]), (&90.into(), &0.into()));
    assert!(figures["reads"].as_u64() > Some(0) && figures["resumed"].as_u64() > Some(0), "{figures}");
}

#[tokio::test]
async fn a_drained_instances_streams_are_live_elsewhere() {
    let mut cluster = cluster().instances(3).start().await;
    let load = ["--rate", "100", "--seconds", "6", "--after", "1", "--batch-size", "10"];
    let figures = figures(&cluster, &[&["drain", "--streams", "30", "--others", "20"], &load[..]].concat()).await;
    assert_eq!((&figures["moved"], &figures["accepted"]), (&30.into(), &600.into()));
    assert_eq!(figures["lost"], 0, "{figures}");
    assert!(cluster.instances[0].exit().await.success());
}

#[tokio::test]
async fn a_fan_out_reaches_every_subscriber_while_others_are_published_to() {
    let cluster = cluster().instances(2).start().await;
    let arguments = ["fanout", "--streams", "40", "--subscribers", "3000", "--rate", "50", "--clients", "2"];
    let figures = figures(&cluster, &arguments).await;
    assert_eq!((&figures["clean"], &figures["reached"]), (&true.into(), &3_000.into()), "{figures}");
    assert_eq!((&figures["topicLost"], &figures["lost"]), (&0.into(), &0.into()), "{figures}");
    assert!(figures["accepted"].as_u64() > Some(0) && figures["topicMaxMs"].is_number(), "{figures}");
}

#[tokio::test]
async fn signals_are_counted_and_set_beside_notifications() {
    let cluster = cluster().instances(2).start().await;
    let figures = figures(&cluster, &["signals", "--streams", "60", "--rate", "10", "--seconds", "1"]).await;
    assert_eq!((&figures["clean"], &figures["signals"]), (&true.into(), &10.into()), "{figures}");
    assert_eq!((&figures["users"], &figures["instances"]), (&60.into(), &2.into()), "{figures}");
    let [came, lost] = ["deliveries", "lost"].map(|key| figures[key].as_u64().expect("a count"));
    assert!(came > 0 && came + lost == 600, "{figures}");
    assert!(figures["lagP99Ms"].is_number() && figures["ratio"].is_number(), "{figures}");
}

/// Figures of presence while streams come and go.
async fn presence(flags: &[&str]) -> Value {
    let cluster = cluster().instances(2).set("TIDINGS_PRESENCE_GRACE_SECONDS", "4").start().await;
    let size = ["--streams", "40", "--topic-size", "10", "--rate", "8", "--away", "6", "--seconds", "3", "--idle", "1"];
    let figures = figures(&cluster, &[&["presence"], &size[..], flags].concat()).await;
    assert_eq!((&figures["clean"], &figures["topics"]), (&true.into(), &4.into()), "{figures}");
    for count in ["joined", "left"] {
        assert!(figures[count].as_u64() > Some(0), "{count}: {figures}");
    }
    assert!(figures["serverPresenceCpuPercent"].is_number() && figures["askedP99Ms"].is_number(), "{figures}");
    figures
}

#[tokio::test]
async fn the_cost_of_presence_is_measured_while_streams_come_and_go() {
    let figures = presence(&[]).await;
    assert!(figures["told"].as_u64() > Some(0), "{figures}");
}

#[tokio::test]
async fn presence_without_signals_is_measured_apart() {
    let figures = presence(&["--untold"]).await;
    assert_eq!(figures["told"], 0, "{figures}");
}

#[tokio::test]
async fn publishes_due_in_one_second_come_once_beside_many_scheduled_ones() {
    let cluster = cluster().instances(2).start().await;
    let size = ["--streams", "20", "--recipients", "50", "--due", "320", "--waiting", "2000"];
    let figures = figures(&cluster, &[&["schedule", "--ahead", "4", "--idle", "1"], &size[..]].concat()).await;
    assert_eq!((&figures["deliveredItems"], &figures["deliveredChanges"]), (&320.into(), &320.into()), "{figures}");
    assert_eq!((&figures["overdueItems"], &figures["overdueChanges"]), (&320.into(), &640.into()), "{figures}");
    // Six rounds to all fifty, and one to twenty: those with open streams.
    all_came(&figures, 140);
    assert_eq!(figures["early"], 0, "{figures}");
    assert!(figures["serverClockCpuPercent"].is_number() && figures["overdueMs"].is_number(), "{figures}");
}

#[tokio::test]
async fn churn_uses_new_users_each_time_and_shows_the_memory() {
    let cluster = cluster().with_redis().start().await;
    let figures = figures(&cluster, &["churn", "--streams", "20", "--seconds", "2", "--each", "3"]).await;
    let rounds = figures["rounds"].as_u64().expect("a count");
    all_came(&figures, rounds * 60);
    assert_eq!(figures["memoryCurve"].as_array().map(Vec::len), usize::try_from(rounds).ok());
}

#[tokio::test]
async fn two_targets_are_measured_alternately() {
    let cluster = cluster().instances(2).start().await;
    let (first, second) = (cluster.instances[0].base(), cluster.instances[1].base());
    let mut bench = Instance::new(&[]);
    let flags = [
        "publish",
        "--streams",
        "10",
        "--rate",
        "50",
        "--seconds",
        "1",
        "--url",
        &first,
        "--compare",
        &second,
        "--repeat",
        "2",
        "--format",
        "json",
    ];
    bench.launch_program(BENCH.as_ref(), &flags);
    assert!(bench.exit().await.success(), "{}", bench.log());
    let figures: Value = serde_json::from_str(bench.log().lines().next().expect("a line")).expect("JSON");
    assert_eq!((&figures["clean"], &figures["ratio"]["accepted"]), (&true.into(), &1.into()));
    let targets = figures["targets"].as_array().expect("targets");
    assert_eq!(targets.len(), 2);
    for target in targets {
        assert_eq!(target["runs"].as_array().map(Vec::len), Some(2));
        assert_eq!((&target["median"]["accepted"], &target["median"]["lost"]), (&50.into(), &0.into()));
    }
}

#[tokio::test]
async fn without_the_servers_secret_nothing_is_measured() {
    let cluster = cluster().with_redis().start().await;
    let base = cluster.instances[0].base();
    let mut bench = Instance::new(&[]);
    let wrong = "a secret that the server has never seen";
    let flags = ["idle", "--url", &base, "--secret", wrong, "--streams", "2", "--seconds", "1"];
    bench.launch_program(BENCH.as_ref(), &flags);
    assert_eq!(bench.exit().await.code(), Some(2), "{}", bench.log());
    assert!(bench.log().contains("--secret"), "{}", bench.log());
}
