-- The shift of the server's time: 0, except in tests, which move the time instead of a wait.
create table clock (
    id smallint primary key default 1 check (id = 1),
    shift interval not null default '0'
);
insert into clock default values;
create function clock_time() returns timestamptz
language sql stable parallel safe as $$ select now() + (select shift from clock where id = 1) $$;

alter table notifications
    -- When it is to reach inboxes; none: at once.
    add column deliver_at timestamptz,
    add column due_at timestamptz,
    -- The user who acknowledged or finished it.
    add column due_by text collate "C",
    -- A later notification with this key replaces this one in an inbox that has it.
    add column thread_key text collate "C",
    -- Most items of its kind that an inbox gets within so many seconds; the rest becomes one item.
    add column burst_most smallint,
    add column burst_seconds integer;

alter table inbox
    -- The item's name if its notification has replaced an earlier one: the id of the first one.
    add column item_id uuid,
    -- The key of later notifications that belong into this item.
    add column thread_key text collate "C",
    -- How many notifications have become this item; none: one.
    add column folded integer,
    add column seen_at timestamptz,
    -- Away from the list until then.
    add column snoozed_until timestamptz,
    -- When it is due, while it still is to be done.
    add column due_at timestamptz,
    -- 1 due, 2 overdue, 3 acknowledged, 4 done, 5 cancelled.
    add column due_state smallint;

create index inbox_item on inbox (item_id, tenant, user_id) where item_id is not null;
create unique index inbox_thread on inbox (tenant, user_id, thread_key) where thread_key is not null;
create index inbox_snoozed on inbox (snoozed_until) where snoozed_until is not null;
create index inbox_snoozed_turn on inbox (tenant, snoozed_until) where snoozed_until is not null;
create index inbox_due on inbox (tenant, user_id, due_at) where due_at is not null;
drop index inbox_listed;
create index inbox_listed on inbox (tenant, user_id, seq)
    where archived_at is null and deleted_at is null and snoozed_until is null;

-- Notifications that are part of an item which shows a later one.
create table folded (
    notification_id uuid not null,
    tenant text collate "C" not null,
    user_id text collate "C" not null,
    item_id uuid not null,
    primary key (notification_id, tenant, user_id)
);

-- How many items of a kind an inbox got in its present window.
create table bursts (
    tenant text collate "C" not null,
    user_id text collate "C" not null,
    kind text collate "C" not null,
    ends_at timestamptz not null,
    items integer not null,
    primary key (tenant, user_id, kind)
) with (fillfactor = 70);

-- Scheduled publishes.
create table scheduled (
    notification_id uuid primary key,
    tenant text collate "C" not null,
    deliver_at timestamptz not null,
    users text[] not null,
    topics text[] not null,
    everyone boolean not null,
    actor text collate "C",
    -- Hash of the collapse key and the recipients: a later publish with both replaces this one.
    collapse bytea,
    -- Whether the publisher said when it expires; otherwise that moves along with the delivery.
    fixed_expiry boolean not null
);
create index scheduled_next on scheduled (deliver_at);
create index scheduled_list on scheduled (tenant, deliver_at, notification_id);
create unique index scheduled_collapse on scheduled (tenant, collapse) where collapse is not null;

-- Due items: the steps until a recipient acknowledges or finishes them, for all recipients.
create table duties (
    notification_id uuid primary key,
    tenant text collate "C" not null,
    due_at timestamptz not null,
    -- As in `inbox`.
    state smallint not null,
    -- In the order of their times: [{"at": ..., "topic": ..., "priority": ...}].
    steps jsonb not null,
    -- Which of them is next, from 0.
    step smallint not null default 0,
    -- When there is something to do: the next step, or the change of all items to a new state. None: nothing more, or not delivered yet.
    next_at timestamptz,
    -- How far that has come.
    after_user text collate "C" not null default ''
) with (fillfactor = 70);
create index duties_next on duties (next_at) where next_at is not null;
create index duties_turn on duties (tenant, next_at) where next_at is not null;
