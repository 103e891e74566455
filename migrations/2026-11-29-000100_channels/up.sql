-- A decision gets a layout that does not depend on how many channels there are, and a column that is wide enough for it.
--
-- The first layout, in `decision`: bit n says whether channel n is taken, and the four bits from 6 + 4n on say why. A seventh
-- channel would have moved them. The second layout, in `channels`: bit n says the same, and the four bits from 12 + 4n on say why,
-- for 12 channels. Bit 60 is always set, so that a number shows its layout: one below 2^30 has the first.
--
-- During a rolling upgrade version 0.1.0 reads and writes `decision` only. The present version therefore writes both columns. It
-- reads `channels` or, where a row of version 0.1.0 has none, `decision`. So either version reads the decisions of the other unchanged.
-- No row is converted here, for that would rewrite the inbox. A later migration converts the rest, and drops
-- `decision`, `decide` and `first_layout`.
alter table notifications add column channels bigint;
alter table inbox add column channels bigint;
alter table withheld add column channels bigint;

-- Both functions are one expression of arithmetic, which the planner inlines.
create function second_layout(number bigint) returns bigint
language sql immutable parallel safe as $$
    select case
        when number < 1073741824 then 1152921504606846976 | (number & 63) | ((number >> 6) << 12)
        else number
    end
$$;
-- The part of a decision in the second layout that version 0.1.0 can read: its six channels.
create function first_layout(number bigint) returns integer
language sql immutable parallel safe as $$
    select ((number & 63) | (((number >> 12) & 16777215) << 6))::integer
$$;

-- Which channels a notification takes to a user, and why: `decide` in the second layout; `base` may have either.
--
-- Channels: 0 inbox, 1 toast, 2 browser, 3 push, 4 email, 5 sms. Reasons: 0 default, 1 tenant's default, 2 kind's default,
-- 3 mandatory, 4 the user's choice for the category, 5 the user's choice for the kind, 6 quiet hours, 7 muted, 8 topic muted.
--
-- `base` is the decision for a user without preferences, `settings` the preferences, if any. Mandatory channels of `base`
-- stay. A critical notification of a mandatory kind, whose inbox is mandatory, is never held back either.
create function decide_channels(
    base bigint, priority smallint, kind text, category text, settings jsonb, topic_muted_until timestamptz, at timestamptz
) returns bigint
language plpgsql stable parallel safe as $$
declare
    names constant text[] := array['inbox', 'toast', 'browser', 'push', 'email', 'sms'];
    by_kind jsonb := settings->'kinds'->kind;
    by_category jsonb := settings->'categories'->category;
    held smallint := 0;
    reason bigint;
    is_on boolean;
    decision bigint := 1152921504606846976;
begin
    base := second_layout(base);
    if settings is null and topic_muted_until is null then
        return base;
    end if;
    if priority < 3 or (base >> 12 & 15) <> 3 then
        held := case
            when replace(settings->>'muteUntil', 'forever', 'infinity')::timestamptz > at then 7
            when topic_muted_until > at then 8
            when settings ? 'quietHours' and is_quiet(settings->'quietHours', at) then 6
            else 0
        end;
    end if;
    for channel in 0 .. cardinality(names) - 1 loop
        is_on := (base >> channel & 1) = 1;
        reason := base >> 12 + 4 * channel & 15;
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
        decision := decision | (is_on::integer::bigint << channel) | (reason << 12 + 4 * channel);
    end loop;
    return decision;
end $$;
