-- The definitions of kinds by tenants, which precede those that the server ships.
create table kinds (
    tenant text collate "C" not null,
    kind text collate "C" not null,
    -- Category, priority, templates and so on, as the API has them.
    definition jsonb not null,
    updated_at timestamptz not null default now(),
    primary key (tenant, kind)
);

-- The channels of a tenant for kinds and users without a choice of their own.
create table tenant_settings (
    tenant text collate "C" primary key,
    settings jsonb not null,
    updated_at timestamptz not null default now()
);

-- Icon, action label and sound, as the kind had them.
alter table notifications add column presentation jsonb;
-- Channels by which it goes to users who have no preferences, and the causes; see the function `decide`. 3: inbox and toast.
alter table notifications add column decision integer not null default 3;
