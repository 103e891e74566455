-- What a tenant says of kinds of notifications, over what the server ships.
create table kinds (
    tenant text collate "C" not null,
    kind text collate "C" not null,
    -- Category, priority, templates and so on, as the API has them.
    definition jsonb not null,
    updated_at timestamptz not null default now(),
    primary key (tenant, kind)
);

-- Which channels a tenant uses where neither the kind nor the user says so.
create table tenant_settings (
    tenant text collate "C" primary key,
    settings jsonb not null,
    updated_at timestamptz not null default now()
);

-- Icon, action label and sound, as the kind had them.
alter table notifications add column presentation jsonb;
-- Channels by which it goes to users who have no preferences, and why; see the function `decide`. 3: inbox and toast.
alter table notifications add column decision integer not null default 3;
