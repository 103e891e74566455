-- The content of publishes, once per publish.
create table notifications (
    id uuid primary key,
    tenant text collate "C" not null,
    kind text not null,
    category text,
    priority smallint not null,
    title text not null,
    body text,
    data jsonb,
    action_url text,
    source text not null,
    idempotency_key text,
    fingerprint bytea not null,
    recipients integer not null,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    -- When it was taken out of all inboxes.
    swept_at timestamptz
);

create unique index notifications_idempotency on notifications (tenant, idempotency_key)
    where idempotency_key is not null;
create index notifications_to_sweep on notifications (expires_at) where swept_at is null;
create index notifications_to_purge on notifications (swept_at) where swept_at is not null;

-- One row per user: the row that is locked to take a seq.
create table streams (
    tenant text collate "C" not null,
    user_id text collate "C" not null,
    epoch text not null default substr(replace(gen_random_uuid()::text, '-', ''), 1, 10),
    head_seq bigint not null default 0,
    -- Changes up to this seq can no longer be replayed whole.
    pruned_seq bigint not null default 0,
    unread bigint not null default 0,
    primary key (tenant, user_id)
) with (fillfactor = 50);

-- A user's items with that user's state.
create table inbox (
    tenant text collate "C" not null,
    user_id text collate "C" not null,
    -- The change by which it arrived.
    seq bigint not null,
    -- The newest change of its state; the arrival's seq until then.
    changed_seq bigint not null,
    notification_id uuid not null,
    read_at timestamptz,
    archived_at timestamptz,
    deleted_at timestamptz,
    primary key (tenant, user_id, seq)
) with (fillfactor = 90);

create unique index inbox_notification on inbox (notification_id, tenant, user_id);
-- Arrivals are found by the primary key, so only changed rows need an entry here.
create index inbox_changes on inbox (tenant, user_id, changed_seq, seq) where changed_seq > seq;
create index inbox_unread on inbox (tenant, user_id, seq)
    where read_at is null and archived_at is null and deleted_at is null;
