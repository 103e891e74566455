-- When a publish was taken back.
alter table notifications add column retracted_at timestamptz;

-- The way in for SQL: an application publishes within its own transaction. Its functions check what can be checked without the
-- instance, and write one row. Instances take the rows from there into the ordinary write path.
-- An operator may have made it for the role of that name.
create schema if not exists tidings;
-- Who owns a schema may replace what is in it, and these functions have the rights of the role that makes them.
do $$
declare
    owner name := (select nspowner::regrole::name from pg_namespace where nspname = 'tidings');
begin
    if owner <> current_user then
        raise exception 'the schema tidings belongs to the role %: alter schema tidings owner to %', owner, quote_ident(current_user);
    end if;
end $$;
revoke all on schema tidings from public;

create table tidings.inlet (
    id bigint generated always as identity primary key,
    tenant text collate "C" not null,
    -- Of a publish, and its length as text.
    message jsonb,
    bytes integer not null default 0,
    -- The idempotency key: of the publish, or of the one that is to be retracted.
    key text collate "C",
    -- The row of the publish that is to be retracted.
    publish bigint,
    written_at timestamptz not null default clock_timestamp(),
    -- An instance works on it until then.
    claimed_until timestamptz,
    claims smallint not null default 0
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000);

-- A retraction waits for the publishes of its key that are still here.
create index inlet_key on tidings.inlet (tenant, key) where key is not null;
-- Rows that were claimed before, and are claimed one by one.
create index inlet_doubtful on tidings.inlet (id) where claims >= 2;

-- Rows that cannot be stored, with the reason, for an operator to read and to send again.
create table tidings.dead_letters (
    id bigint primary key,
    tenant text collate "C" not null,
    message jsonb,
    key text,
    publish bigint,
    written_at timestamptz not null,
    reason text not null,
    died_at timestamptz not null default clock_timestamp()
);

-- The functions that an application calls set the search path: to set it again in those within would be paid in each call.
create function tidings.refuse(reason text) returns void language plpgsql as $$
begin
    raise exception using errcode = 'invalid_parameter_value', message = reason;
end $$;

create function tidings.check_tenant(tenant text) returns void language plpgsql as $$
begin
    if tenant is null or tenant !~ '^[A-Za-z0-9_-]{1,64}$' then
        perform tidings.refuse('tenant: must be 1 to 64 characters of A-Z, a-z, 0-9, _ and -');
    end if;
end $$;

-- Refuses a message in which something is wrong that can be seen here; `place` is the JSON pointer to it. What only an instance can
-- see becomes a dead letter.
create function tidings.check_message(message jsonb, tenant text, place text) returns void
language plpgsql as $$
declare
    unknown text;
begin
    perform tidings.check_tenant(tenant);
    if message is null or jsonb_typeof(message) <> 'object' then
        perform tidings.refuse(place || '/: must be a JSON object');
    elsif octet_length(message::text) > 4194304 then
        perform tidings.refuse(place || '/: must have at most 4194304 bytes');
    elsif message ? 'specversion' then
        return;
    end if;
    select key into unknown from jsonb_object_keys(message) as key where key <> all (array[
        'users', 'topics', 'everyone', 'actor', 'kind', 'category', 'priority', 'title', 'message', 'data', 'actionUrl', 'imageUrl',
        'idempotencyKey', 'deliverAt', 'dueAt', 'expiresAt', 'timeZone', 'remindBefore', 'escalation', 'threadKey', 'collapseKey'
    ]) limit 1;
    if found then
        perform tidings.refuse(place || '/' || unknown || ': is no field of a message');
    elsif jsonb_typeof(coalesce(message->'users', '[]')) <> 'array' then
        perform tidings.refuse(place || '/users: must be an array');
    elsif exists (
        select from jsonb_array_elements(message->'users') as one
        where jsonb_typeof(one) <> 'string' or octet_length(one #>> '{}') not between 1 and 256
    ) then
        perform tidings.refuse(place || '/users: each must be a text of 1 to 256 bytes');
    elsif jsonb_typeof(coalesce(message->'topics', '[]')) <> 'array' then
        perform tidings.refuse(place || '/topics: must be an array');
    elsif coalesce(jsonb_array_length(message->'users'), 0) + coalesce(jsonb_array_length(message->'topics'), 0) = 0
        and message->'everyone' is distinct from 'true' then
        perform tidings.refuse(place || '/users: a message needs users, topics or everyone');
    elsif message->>'title' is null and message->>'kind' is null then
        perform tidings.refuse(place || '/title: is missing');
    elsif message->>'title' is not null
        and (jsonb_typeof(message->'title') <> 'string' or char_length(message->>'title') not between 1 and 500) then
        perform tidings.refuse(place || '/title: must be a text of 1 to 500 characters');
    elsif message->>'idempotencyKey' is not null
        and (jsonb_typeof(message->'idempotencyKey') <> 'string' or message->>'idempotencyKey' !~ '^[ -~]{1,200}$') then
        perform tidings.refuse(place || '/idempotencyKey: must be 1 to 200 printable ASCII characters');
    end if;
end $$;

-- The key that an instance gives to a CloudEvent without one: its source and its id, hashed where they are ambiguous or too long.
create function tidings.event_key(source text, id text) returns text language plpgsql as $$
declare
    length text := encode(int8send(octet_length(source)), 'hex');
begin
    if strpos(source, ' ') = 0 and source || ' ' || id ~ '^[ -~]{1,200}$' then
        return source || ' ' || id;
    end if;
    -- The length in the order of bytes that instances hash.
    length := (select string_agg(substr(length, at, 2), '' order by at desc) from generate_series(1, 15, 2) as at);
    return 'sha256:' || encode(sha256(decode(length, 'hex') || convert_to(source || id, 'UTF8')), 'hex');
end $$;

-- Takes a message in. Each expression costs something in every transaction, so an ordinary message is known by one. The check looks at
-- any other, and says what is wrong with it.
create function tidings.take(message jsonb, tenant text, place text) returns bigint
language plpgsql as $$
declare
    number bigint;
begin
    if (
        tenant ~ '^[A-Za-z0-9_-]{1,64}$' and jsonb_typeof(message) = 'object'
        and message - '{users, kind, priority, title, message, data, actionUrl, idempotencyKey}'::text[] = '{}'
        and jsonb_typeof(message->'users') = 'array' and message->'users' <> '[]'
        and not jsonb_path_exists(message, '$.users[*] ? (@.type() != "string" || !(@ like_regex "^.{1,64}$"))')
        and jsonb_typeof(message->'title') = 'string' and char_length(message->>'title') between 1 and 500
        and coalesce(jsonb_typeof(message->'idempotencyKey'), 'string') = 'string'
        and coalesce(message->>'idempotencyKey', '-') ~ '^[ -~]{1,200}$'
        and octet_length(message::text) <= 4194304
    ) is not true then
        perform tidings.check_message(message, tenant, place);
    end if;
    insert into tidings.inlet (tenant, message, bytes, key)
    values (
        take.tenant, take.message, octet_length(take.message::text),
        case when take.message ? 'specversion' then
            coalesce(take.message->'data'->>'idempotencyKey', tidings.event_key(take.message->>'source', take.message->>'id'))
        else take.message->>'idempotencyKey' end
    ) returning id into number;
    return number;
end $$;

-- Publishes when the transaction commits. Answers the row's number, by which the publish can be retracted.
-- `wake` tells listening instances to look at once; a NOTIFY makes commits of this server wait for each other.
create function tidings.publish(message jsonb, tenant text default 'default', wake boolean default false) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if wake then
        perform pg_notify('tidings_inlet', '');
    end if;
    return tidings.take(message, tenant, '');
end $$;

-- Publishes up to 1,000 messages, all or none.
create function tidings.publish_many(messages jsonb, tenant text default 'default', wake boolean default false)
returns setof bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    number integer;
begin
    if messages is null or jsonb_typeof(messages) <> 'array' then
        perform tidings.refuse('messages: must be an array');
    elsif jsonb_array_length(messages) > 1000 then
        perform tidings.refuse('messages: must be at most 1000');
    end if;
    if wake then
        perform pg_notify('tidings_inlet', '');
    end if;
    for number in 0..jsonb_array_length(messages) - 1 loop
        return next tidings.take(messages->number, tenant, '/' || number);
    end loop;
end $$;

-- Takes back the publish of an idempotency key when the transaction commits: it leaves every inbox, or does not come.
create function tidings.retract(key text, tenant text default 'default') returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    number bigint;
begin
    perform tidings.check_tenant(tenant);
    if key is null or key !~ '^[ -~]{1,200}$' then
        perform tidings.refuse('key: must be 1 to 200 printable ASCII characters');
    end if;
    insert into tidings.inlet (tenant, key) values (retract.tenant, retract.key) returning id into number;
    return number;
end $$;

-- The same, by the number that `publish` answered.
create function tidings.retract(publish bigint, tenant text default 'default') returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    number bigint;
begin
    perform tidings.check_tenant(tenant);
    if publish is null then
        perform tidings.refuse('publish: must be the number of a publish');
    end if;
    -- A publish that is still here may have a key of its own.
    insert into tidings.inlet (tenant, publish, key)
    select retract.tenant, retract.publish,
        (select p.key from tidings.inlet as p where p.id = retract.publish and p.tenant = retract.tenant)
    returning id into number;
    return number;
end $$;

-- Sends a dead letter again, as a new row.
create function tidings.redrive(letter bigint) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    number bigint;
begin
    with again as (delete from tidings.dead_letters as d where d.id = letter returning *)
    insert into tidings.inlet (tenant, message, bytes, key, publish)
    select again.tenant, again.message, octet_length(coalesce(again.message::text, '')), again.key, again.publish
    from again returning id into number;
    if number is null then
        perform tidings.refuse('letter: there is no such dead letter');
    end if;
    return number;
end $$;

-- Functions may be executed by everybody unless that is taken away. The schema may hold tables and functions of other migrations too.
revoke all on function
    tidings.refuse, tidings.check_tenant, tidings.check_message, tidings.event_key, tidings.take,
    tidings.publish, tidings.publish_many, tidings.redrive, tidings.retract (text, text), tidings.retract (bigint, text)
from public;
