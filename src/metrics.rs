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

/// What a metric measures with.
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
    CONNECTIONS = Gauge "tidings_connections" ["transport"] "Open streams of this instance: `sse` (long polls among them), `websocket`.";
    CONNECTS = Counter "tidings_connects_total" ["verdict"] "Streams opened, by verdict (fresh, resumed, reset).";
    CONNECTS_REFUSED = Counter "tidings_connects_refused_total" ["reason"] "Streams not opened, by reason: `draining`, `unavailable`, `per_instance`, `per_user`, `revoked`.";
    ENDS = Counter "tidings_stream_ends_total" ["reason"] "Streams ended: left, stalled (the client accepted nothing for too long), expired, revoked, rotated, draining, overloaded.";
    PUBLISHES = Counter "tidings_publishes_total" ["source,result"] "Publishes by way in and result (accepted, repeated, refused, failed).";
    COMMIT_SECONDS = Histogram "tidings_commit_seconds" [""] "Time of one append transaction.";
    BATCH_ITEMS = Histogram "tidings_commit_batch_items" [""] "Publishes written by one append transaction.";
    LAG_SECONDS = Histogram "tidings_publish_to_flush_seconds" ["path"] "From the publish's arrival to its frame being handed to a connection: local, or remote through the bus (clocks of two instances).";
    FRAMES = Counter "tidings_frames_total" ["from"] "Changes handed to connections: from the ring, or from a backfill.";
    BACKFILLS = Counter "tidings_backfills_total" [""] "Pages read from Postgres for connections behind the ring.";
    SNAPSHOT_USERS = Histogram "tidings_snapshot_query_users" [""] "Connections served by one snapshot query.";
    HOLES = Counter "tidings_holes_total" [""] "Announcements whose seq was not head+1.";
    HEAD_CHECK_FINDS = Counter "tidings_head_check_finds_total" [""] "Users whose head the head check found ahead of what was announced.";
    BUS_UP = Gauge "tidings_bus_up" [""] "1 while the path to the other instances works.";
    BUS_PROBE_AGE_SECONDS = Gauge "tidings_bus_probe_age_seconds" [""] "Since the last probe message came back through Redis.";
    BUS_RECONNECTS = Counter "tidings_bus_reconnects_total" [""] "Fresh connections made for the bus.";
    BUS_DROPPED = Counter "tidings_bus_dropped_total" [""] "Announcements not sent because the bus was down or its queue full.";
    BUS_FOREIGN = Counter "tidings_bus_foreign_messages_total" [""] "Messages on the bus that were not understood and ignored: malformed, or of a newer version.";
    BUS_SUBSCRIPTIONS = Gauge "tidings_bus_subscriptions" [""] "Users and topics subscribed on the bus.";
    SIGNALS = Counter "tidings_signals_total" ["source,result"] "Signals by way in and result (accepted, refused, limited, failed; replaced: a newer one of its subject came over Redis while it waited).";
    SIGNALS_SENT = Counter "tidings_signals_sent_total" [""] "Signals handed to connections.";
    SIGNALS_DROPPED = Counter "tidings_signals_dropped_total" ["reason"] "Signals dropped: `bus` (not sent to the other instances), `slow` (the reader's ring was full), `throttle` (too many subjects), `turn` (heard over Redis, and unsent when another instance began to listen), `doubt` (subscriptions not known for sure).";
    ROOMS = Gauge "tidings_rooms" [""] "Topics with a connected subscriber.";
    PRESENCE_CHANGES = Counter "tidings_presence_changes_total" ["change"] "Users who joined or left, counted by the instance that found it.";
    INGEST_PENDING = Gauge "tidings_ingest_pending" [""] "Entries of the Redis stream delivered and not yet acknowledged.";
    INGEST_DEAD = Counter "tidings_ingest_dead_letters_total" ["source"] "Messages refused at ingest.";
    INGEST_RECLAIMED = Counter "tidings_ingest_reclaimed_total" [""] "Entries taken over from consumers that died.";
    POOL_SIZE = Gauge "tidings_pool_connections" [""] "Postgres connections open.";
    POOL_IDLE = Gauge "tidings_pool_idle_connections" [""] "Postgres connections not in use.";
    POOL_WAITING = Gauge "tidings_pool_waiting" [""] "Tasks that wait for a Postgres connection.";
    FANOUTS = Counter "tidings_fanouts_total" [""] "Publishes to topics or to everyone that this instance carried to their end.";
    FANOUT_ROWS = Counter "tidings_fanout_rows_total" [""] "Inboxes that fan-outs reached through this instance.";
    FANOUT_CHUNK_SECONDS = Histogram "tidings_fanout_chunk_seconds" [""] "Time of one chunk of a fan-out, its transaction included.";
    CLOCK = Counter "tidings_clock_total" ["agenda"] "What had a time and was done by this instance: `scheduled` publishes delivered, inboxes to which items came back from a `snooze`, steps of what is `due`.";
    SWEPT = Counter "tidings_retention_swept_total" [""] "Notifications taken out of inboxes by expiry or retention.";
    PURGED = Counter "tidings_retention_purged_total" [""] "Notifications forgotten for good.";
    UNREAD_DRIFT = Gauge "tidings_unread_drift" [""] "Users of a sample whose counts (unread, listed) differ from a recount: anything but 0 is a defect.";
    HTTP_SECONDS = Histogram "tidings_http_request_seconds" ["route,method,status"] "Requests by route pattern; streams count until their head.";
    LIMIT_HITS = Counter "tidings_limit_hits_total" ["limit"] "Requests refused, and connections closed, by a bound.";
}
