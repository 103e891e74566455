-- Running instances: each writes a heartbeat every second, by the database's clock.
create table instances (
    id uuid primary key,
    beat_at timestamptz not null
) with (fillfactor = 50);

-- The connections of users by instance.
create table presence_rows (
    tenant text collate "C" not null,
    user_id text collate "C" not null,
    instance uuid not null,
    -- Open streams there.
    connections integer not null,
    -- When the last of them ended; none while there are any.
    left_at timestamptz,
    primary key (tenant, user_id, instance)
) with (fillfactor = 70);
create index presence_rows_left on presence_rows (left_at) where left_at is not null;
create index presence_rows_instance on presence_rows (instance);

-- Present users: joined and not yet found to have left.
create table present_users (
    tenant text collate "C" not null,
    user_id text collate "C" not null,
    since timestamptz not null,
    -- Whether the topics have got the signal.
    told boolean not null default false,
    primary key (tenant, user_id)
) with (fillfactor = 70);
create index present_users_news on present_users (tenant, user_id) where not told;

-- One row: when an instance last looked for users who have left, and until when no user is found to have left.
create table presence_turn (
    id smallint primary key default 1 check (id = 1),
    taken_at timestamptz not null,
    held_until timestamptz not null
);
insert into presence_turn (taken_at, held_until) values (now(), now());
