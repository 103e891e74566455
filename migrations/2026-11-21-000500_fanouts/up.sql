-- Publishes to topics and to everyone that are carried out behind their acknowledgement, chunk by chunk.
create table fanouts (
    notification_id uuid primary key,
    tenant text collate "C" not null,
    -- Whether it goes to everyone, once its topics are done.
    everyone boolean not null,
    -- Never a recipient by topic or by everyone.
    actor text collate "C",
    -- How far it came: which of the topics, from 1 (one beyond the last is everyone), and the last user looked at.
    stage smallint not null default 1,
    after_user text collate "C" not null default '',
    -- Inboxes that it reached, those of users that the publish named aside.
    delivered bigint not null default 0,
    created_at timestamptz not null default now(),
    started_at timestamptz,
    -- The newest chunk: the fan-out with the oldest one is next.
    worked_at timestamptz not null default now(),
    finished_at timestamptz,
    -- How far retention has taken it out of inboxes again.
    swept_user text collate "C" not null default ''
) with (fillfactor = 50);

create index fanouts_open on fanouts (tenant, worked_at) where finished_at is null;

-- The topics of a publish as it named them, and which of them brought an item into an inbox, from 1.
alter table notifications add column topics text[];
alter table inbox add column topic smallint;
