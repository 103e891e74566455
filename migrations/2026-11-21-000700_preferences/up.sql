-- The preferences of users, one document each.
create table preferences (
    tenant text collate "C" not null,
    user_id text collate "C" not null,
    settings jsonb not null,
    -- Counts its changes: the ETag.
    version bigint not null default 1,
    updated_at timestamptz not null default now(),
    primary key (tenant, user_id)
) with (fillfactor = 80);

-- Channels by which the item went to this user, and why.
alter table inbox add column decision integer not null default 3;

-- The users whose preferences keep a notification out of the inbox.
create table withheld (
    notification_id uuid not null,
    tenant text collate "C" not null,
    user_id text collate "C" not null,
    decision integer not null,
    primary key (notification_id, tenant, user_id)
);

-- Whether a time lies in quiet hours: {"from":"22:00","to":"07:00","timeZone":"Europe/Berlin","days":["fri"]}.
create function is_quiet(quiet jsonb, at timestamptz) returns boolean
language plpgsql stable parallel safe as $$
declare
    here timestamp;
    starts time := quiet->>'from';
    ends time := quiet->>'to';
    -- Hours across midnight belong to the day on which they begin.
    day date;
    inside boolean;
begin
    here := at at time zone (quiet->>'timeZone');
    if starts < ends then
        day := here::date;
        inside := here::time >= starts and here::time < ends;
    else
        day := case when here::time < ends then here::date - 1 else here::date end;
        inside := here::time >= starts or here::time < ends;
    end if;
    return inside and (quiet->'days' is null or quiet->'days' ? to_char(day, 'dy'));
exception
    -- A zone that this server does not know any more: no publish may fail for it.
    when invalid_parameter_value then return false;
end $$;

-- Which channels a notification takes to a user, and why.
--
-- A decision is one number: bit n says whether channel n is taken, and the four bits from 6 + 4n on say why. Channels: 0 inbox,
-- 1 toast, 2 browser, 3 push, 4 email, 5 sms. Reasons: 0 default, 1 tenant's default, 2 kind's default, 3 mandatory, 4 the
-- user's choice for the category, 5 the user's choice for the kind, 6 quiet hours, 7 muted, 8 topic muted.
--
-- `base` is the decision for a user without preferences, `settings` the preferences, if any. Mandatory channels of `base`
-- stay. A critical notification of a mandatory kind, whose inbox is mandatory, is never held back either.
create function decide(
    base integer, priority smallint, kind text, category text, settings jsonb, topic_muted_until timestamptz, at timestamptz
) returns integer
language plpgsql stable parallel safe as $$
declare
    names constant text[] := array['inbox', 'toast', 'browser', 'push', 'email', 'sms'];
    by_kind jsonb := settings->'kinds'->kind;
    by_category jsonb := settings->'categories'->category;
    held smallint := 0;
    reason integer;
    is_on boolean;
    decision integer := 0;
begin
    if settings is null and topic_muted_until is null then
        return base;
    end if;
    if priority < 3 or (base >> 6 & 15) <> 3 then
        held := case
            when replace(settings->>'muteUntil', 'forever', 'infinity')::timestamptz > at then 7
            when topic_muted_until > at then 8
            when settings ? 'quietHours' and is_quiet(settings->'quietHours', at) then 6
            else 0
        end;
    end if;
    for channel in 0..5 loop
        is_on := (base >> channel & 1) = 1;
        reason := base >> 6 + 4 * channel & 15;
        if reason <> 3 and by_kind ? names[channel + 1] then
            is_on := (by_kind->names[channel + 1])::boolean;
            reason := 5;
        elsif reason <> 3 and by_category ? names[channel + 1] then
            is_on := (by_category->names[channel + 1])::boolean;
            reason := 4;
        end if;
        if is_on and channel > 0 and held > 0 then
            is_on := false;
            reason := held;
        end if;
        decision := decision | (is_on::integer << channel) | (reason << 6 + 4 * channel);
    end loop;
    return decision;
end $$;
