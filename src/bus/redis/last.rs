//! The newest value of each subject of a topic, for clients that connect later: a hash per topic.

use std::time::Duration;

use redis::{Cmd, RedisResult};
use tokio::time::timeout;

use super::{
    RedisBus,
    servers::{RESPONSE, timed_out},
};
use crate::{
    bus::{Incoming, KEPT_FOR, KEPT_SUBJECTS, wire::ephemeral},
    domain::signal::{Address, Signal, TopicKey},
};

/// Keeps a value and publishes it, in one step: the last value on the channel is the kept one. The time is that of Redis,
/// later than the value's before; when there are too many values, the oldest goes.
const KEEP_AND_PUBLISH: &str = r"
local function time_of(value)
  return tonumber(string.match(value or '', '^%S+ %S+ (%d+)') or '0')
end
local clock = redis.call('TIME')
local before = redis.call('HGET', KEYS[1], ARGV[1])
local time = math.max(clock[1] * 1000000 + clock[2], time_of(before) + 1)
local message = ARGV[2] .. string.format('%.0f', time) .. ARGV[3]
redis.call('HSET', KEYS[1], ARGV[1], message)
redis.call('PEXPIRE', KEYS[1], ARGV[4])
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[5]) then
  local all, oldest, least = redis.call('HGETALL', KEYS[1]), nil, nil
  for i = 1, #all, 2 do
    local at = time_of(all[i + 1])
    if not least or at < least then oldest, least = all[i], at end
  end
  redis.call('HDEL', KEYS[1], oldest)
end
redis.call(ARGV[6], ARGV[7], message)
return 1";

/// The command that keeps a signal's value and sends it to the channel; `publish` is the name of the command that sends.
pub(super) fn keep_and_publish(channel: &str, publish: &str, signal: &Signal) -> Cmd {
    let (before, behind) = ephemeral::around_time(signal);
    let mut command = redis::cmd("EVAL");
    command.arg(KEEP_AND_PUBLISH).arg(1).arg(key(channel)).arg(ephemeral::field(&signal.subject));
    command.arg(before).arg(behind).arg(millis(KEPT_FOR)).arg(KEPT_SUBJECTS).arg(publish).arg(channel);
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
