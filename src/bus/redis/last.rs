//! The newest value of each subject of a topic, for those who come late: a hash per topic.

use std::time::Duration;

use redis::{Cmd, RedisResult};
use tokio::time::timeout;

use super::{
    RedisBus, ephemeral,
    servers::{RESPONSE, timed_out},
};
use crate::{
    bus::{Incoming, KEPT_FOR, KEPT_SUBJECTS},
    signal::{Address, Signal, TopicKey},
};

/// Keeps a value; when there are too many, the oldest goes.
const KEEP: &str = r"
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[4]) then
  local all, oldest, least = redis.call('HGETALL', KEYS[1]), nil, nil
  for i = 1, #all, 2 do
    local at = tonumber(string.match(all[i + 1], '^%S+ %S+ (%d+)') or '0')
    if not least or at < least then oldest, least = all[i], at end
  end
  redis.call('HDEL', KEYS[1], oldest)
end
return 1";

/// The command that keeps a signal's value; `message` is the signal as it goes to the channel.
pub(super) fn keep(channel: &str, signal: &Signal, message: &[u8]) -> Cmd {
    let mut command = redis::cmd("EVAL");
    command.arg(KEEP).arg(1).arg(key(channel)).arg(ephemeral::field(&signal.subject)).arg(message);
    command.arg(millis(KEPT_FOR)).arg(KEPT_SUBJECTS);
    command
}

/// Named after the channel, whose hash tag it shares.
fn key(channel: &str) -> String {
    format!("{channel}:last")
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl RedisBus {
    /// The values that are kept of these topics.
    pub(in crate::bus) async fn last(&self, topics: &[TopicKey]) -> RedisResult<Vec<Signal>> {
        let read = |topic: &TopicKey| {
            let mut command = redis::cmd("HVALS");
            command.arg(key(&self.0.names.topic(topic)));
            command
        };
        let commands = topics.iter().map(read).collect();
        let mut connection = self.0.servers.pooled().await?;
        let answer = timeout(RESPONSE, connection.run_all::<Vec<Vec<u8>>>(commands)).await;
        let answer = answer.unwrap_or_else(|_| Err(timed_out()));
        if answer.is_err() {
            connection.discard();
        }
        let signals = answer?.into_iter().zip(topics).flat_map(|(values, topic)| {
            values.into_iter().filter_map(|value| match ephemeral::read(Address::Topic(topic.clone()), &value.into()) {
                Ok(Incoming::Signal(signal)) => Some(signal),
                _ => None,
            })
        });
        Ok(signals.collect())
    }
}
