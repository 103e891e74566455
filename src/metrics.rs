//! Every metric, declared once; its description is its help text.

/// One metric: its name after Prometheus' conventions, its kind, labels and help.
#[derive(Debug, Clone, Copy)]
pub struct Metric {
    /// Name, unit included.
    pub name: &'static str,
    /// Kind.
    pub kind: Kind,
    /// Label names, separated by commas.
    pub labels: &'static str,
    /// Help text.
    pub help: &'static str,
}

/// The type of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only rises.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Distribution.
    Histogram,
}

macro_rules! metrics {
    ($($constant:ident = $kind:ident $name:literal [$labels:literal] $help:literal;)*) => {
        $(#[doc = $help] pub const $constant: &str = $name;)*
        /// All metrics, in the order of the docs' table.
        pub const ALL: &[Metric] = &[$(Metric { name: $name, kind: Kind::$kind, labels: $labels, help: $help }),*];
    };
}

metrics! {
    CONNECTIONS = Gauge "tidings_connections" ["transport"] "Open streams of this instance, by transport: `sse` (long polls included) or `websocket`.";
    CONNECTS = Counter "tidings_connects_total" ["verdict"] "Opened streams, by verdict: `fresh`, `resumed` or `reset`.";
    CONNECTS_REFUSED = Counter "tidings_connects_refused_total" ["reason"] "Refused streams, by reason: `draining`, `unavailable`, `per_instance`, `per_user` or `revoked`.";
    ENDS = Counter "tidings_stream_ends_total" ["reason"] "Ended streams, by reason: `left`, `stalled` (the client read nothing), `expired`, `revoked`, `rotated`, `draining` or `overloaded`.";
    STREAMS_EVENED = Counter "tidings_streams_evened_total" [""] "Streams that ended early, with the reason `rotated`, because this instance had more than its share.";
    PUBLISHES = Counter "tidings_publishes_total" ["source,result"] "Publishes, by source (`http`, `channel`, `stream`, `sql`) and result (`accepted`, `repeated`, `refused`, `failed`).";
    COMMIT_SECONDS = Histogram "tidings_commit_seconds" [""] "Duration of one append transaction.";
    BATCH_ITEMS = Histogram "tidings_commit_batch_items" [""] "Publishes in one append transaction.";
    LAG_SECONDS = Histogram "tidings_publish_to_flush_seconds" ["path"] "Time from the arrival of a publish until a connection takes its frame. `remote` frames came over the bus and compare the clocks of two instances.";
    FRAMES = Counter "tidings_frames_total" ["from"] "Changes that connections took, from the `ring` or from a `backfill`.";
    BACKFILLS = Counter "tidings_backfills_total" [""] "Pages read from Postgres for connections that were behind the ring.";
    SNAPSHOT_USERS = Histogram "tidings_snapshot_query_users" [""] "Connections served by one snapshot query.";
    HOLES = Counter "tidings_holes_total" [""] "Announcements whose seq was not head + 1.";
    HEAD_CHECK_FINDS = Counter "tidings_head_check_finds_total" [""] "Users for whom the head check found changes that nobody had announced here.";
    BUS_UP = Gauge "tidings_bus_up" [""] "1 while the bus to the other instances works, otherwise 0.";
    BUS_PROBE_AGE_SECONDS = Gauge "tidings_bus_probe_age_seconds" [""] "Time since the last probe message came back over the bus.";
    BUS_RECONNECTS = Counter "tidings_bus_reconnects_total" [""] "New connections of the bus to Redis or Postgres.";
    BUS_DROPPED = Counter "tidings_bus_dropped_total" [""] "Announcements not sent because the bus was down or its queue was full.";
    BUS_FOREIGN = Counter "tidings_bus_foreign_messages_total" [""] "Bus messages ignored because they were malformed or of a newer version.";
    BUS_SUBSCRIPTIONS = Gauge "tidings_bus_subscriptions" [""] "Channels of users and topics that this instance subscribes to on the bus.";
    SIGNALS = Counter "tidings_signals_total" ["source,result"] "Signals, by source and result: `accepted`, `refused`, `limited`, `failed`, or `replaced` (a newer value arrived over Redis while it waited).";
    SIGNALS_SENT = Counter "tidings_signals_sent_total" [""] "Signals that connections took.";
    SIGNALS_DROPPED = Counter "tidings_signals_dropped_total" ["reason"] "Dropped signals, by reason. `bus`: not sent to the other instances. `slow`: the reader's ring was full. `throttle`: too many subjects. `turn`: unsent when another instance became the listener. `doubt`: subscriptions were not known.";
    ROOMS = Gauge "tidings_rooms" [""] "Topics with a connected subscriber.";
    PRESENCE_CHANGES = Counter "tidings_presence_changes_total" ["change"] "Users who `joined` or `left`, counted by the instance that found the change.";
    INGEST_PENDING = Gauge "tidings_ingest_pending" [""] "Entries of the Redis stream that were delivered and not yet acknowledged.";
    INGEST_DEAD = Counter "tidings_ingest_dead_letters_total" ["source"] "Messages refused at ingest and kept as dead letters.";
    INGEST_RECLAIMED = Counter "tidings_ingest_reclaimed_total" [""] "Entries claimed from consumers that died.";
    INLET_WAIT = Gauge "tidings_inlet_wait_seconds" [""] "How long the oldest row of the last claim waited in `tidings.inlet`; 0 when nothing waits.";
    WAY_IN_UP = Gauge "tidings_way_in_up" ["way"] "1 while publishes come in by a way beside HTTP, otherwise 0: `redisChannels`, `redisStream`, `redisSignals` or `sql`.";
    POOL_SIZE = Gauge "tidings_pool_connections" [""] "Open connections to Postgres.";
    POOL_IDLE = Gauge "tidings_pool_idle_connections" [""] "Idle connections to Postgres.";
    POOL_WAITING = Gauge "tidings_pool_waiting" [""] "Tasks that wait for a connection to Postgres.";
    FANOUTS = Counter "tidings_fanouts_total" [""] "Fan-outs that this instance finished.";
    FANOUT_ROWS = Counter "tidings_fanout_rows_total" [""] "Inboxes that fan-outs of this instance reached.";
    FANOUT_CHUNK_SECONDS = Histogram "tidings_fanout_chunk_seconds" [""] "Duration of one chunk of a fan-out, with its transaction.";
    CLOCK = Counter "tidings_clock_total" ["agenda"] "Due work that this instance did: `scheduled` (publishes delivered), `snooze` (inboxes with returned items) or `due` (steps of reminders).";
    SWEPT = Counter "tidings_retention_swept_total" [""] "Notifications that expiry or retention removed from inboxes.";
    PURGED = Counter "tidings_retention_purged_total" [""] "Notifications that retention deleted.";
    UNREAD_DRIFT = Gauge "tidings_unread_drift" [""] "Sampled users whose unread or listed count differs from a recount. Any value but 0 is a defect.";
    HTTP_SECONDS = Histogram "tidings_http_request_seconds" ["route,method,status"] "Duration of requests, by route pattern. A stream counts until its head.";
    LIMIT_HITS = Counter "tidings_limit_hits_total" ["limit"] "Requests refused and connections closed by a bound.";
}
