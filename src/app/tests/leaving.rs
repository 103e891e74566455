//! The delay before a drain.

use std::time::Duration;

use tokio::time::timeout;

use super::{super::Running, settings};
use crate::health::Phase;

#[actix_web::test]
async fn a_part_that_ends_during_the_delay_ends_the_delay_as_a_failure() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().display().to_string();
    let more = [
        ("TIDINGS_LISTEN", "127.0.0.1:0"),
        ("TIDINGS_DRAIN_DELAY_SECONDS", "600"),
        ("TIDINGS_DATA_DIR", data.as_str()),
    ];
    let running = Running::start(settings(&more)).await.unwrap();
    let mut leave = Box::pin(running.leave());
    assert!(timeout(Duration::ZERO, &mut leave).await.is_err(), "the delay lasts");
    assert_eq!(running.health.phase(), Phase::Leaving);
    running.failed.notify_one();
    assert!(!timeout(Duration::from_secs(10), leave).await.expect("the delay is over"));
    running.stop().await;
}
