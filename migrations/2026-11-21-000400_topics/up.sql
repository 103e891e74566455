-- The rules of all topics of a kind, which is the part of a topic's name before its first colon.
create table topic_kinds (
    tenant text collate "C" not null,
    kind text collate "C" not null,
    -- The users who may join: every user, or members and users whose token covers the topic. If it is read-only, every user may
    -- join and only publishers send signals.
    access text not null check (access in ('open', 'members', 'readOnly')),
    -- A reader gets signals of one key no faster than this.
    signal_interval_ms integer not null default 0,
    -- Whether connected subscribers get signals about each other.
    presence boolean not null default true,
    updated_at timestamptz not null default now(),
    primary key (tenant, kind)
);

-- Topics that were ever made, joined, or given a member.
create table topics (
    tenant text collate "C" not null,
    topic text collate "C" not null,
    created_at timestamptz not null default now(),
    primary key (tenant, topic)
);

-- The members of topics.
create table topic_members (
    tenant text collate "C" not null,
    topic text collate "C" not null,
    user_id text collate "C" not null,
    added_at timestamptz not null default now(),
    primary key (tenant, topic, user_id)
);
create index topic_members_user on topic_members (tenant, user_id, topic);

-- The subscribers of topics.
create table subscriptions (
    tenant text collate "C" not null,
    topic text collate "C" not null,
    user_id text collate "C" not null,
    subscribed_at timestamptz not null default now(),
    -- Until then nothing of the topic interrupts; 'infinity' until it is unmuted.
    muted_until timestamptz,
    primary key (tenant, topic, user_id)
);
create index subscriptions_user on subscriptions (tenant, user_id, topic);

-- Changes of a user's log that are no item's, such as of a subscription or of the settings: each name at its newest change.
create table account_changes (
    tenant text collate "C" not null,
    user_id text collate "C" not null,
    -- 'settings', or 'topic:' and the topic.
    name text collate "C" not null,
    changed_seq bigint not null,
    primary key (tenant, user_id, name)
) with (fillfactor = 80);
create index account_changes_seq on account_changes (tenant, user_id, changed_seq);

-- Why an item is in the inbox: 0 direct, 1 by a topic, 2 to everyone, 3 by a rule.
alter table inbox add column reason smallint not null default 0;
