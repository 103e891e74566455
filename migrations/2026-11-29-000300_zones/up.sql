-- What clocks show in each time zone. Instances write it from the zones in the binary: those of the server may be of another year,
-- or lack names that browsers report.

-- The release that the other two tables are of; an instance writes those of a later one.
create table zone_release (
    id smallint primary key default 1 check (id = 1),
    release text collate "C" not null
);
insert into zone_release (release) values ('');

-- Every name of a zone, old ones too. Zones that show the same share a number.
create table zone_names (
    name text collate "C" primary key,
    clocks integer not null
);

-- From when on they show which offset, in seconds to the east of UTC.
create table zone_offsets (
    clocks integer not null,
    starts timestamptz not null,
    seconds integer not null,
    primary key (clocks, starts)
);

-- Whether a time lies in quiet hours: {"from":"22:00","to":"07:00","timeZone":"Europe/Berlin","days":["fri"]}.
create or replace function is_quiet(quiet jsonb, at timestamptz) returns boolean
language plpgsql stable parallel safe as $$
declare
    place text := quiet->>'timeZone';
    away integer;
    here timestamp;
    starts time := quiet->>'from';
    ends time := quiet->>'to';
    -- Hours across midnight belong to the day on which they begin.
    day date;
    inside boolean;
begin
    select o.seconds into away
    from zone_names as n join zone_offsets as o on o.clocks = n.clocks
    where n.name = place and o.starts <= at
    order by o.starts desc limit 1;
    -- The server's own zone is for a name that the tables do not have, because nobody has written them yet.
    here := coalesce((at at time zone 'UTC') + make_interval(secs => away), at at time zone place);
    if starts < ends then
        day := here::date;
        inside := here::time >= starts and here::time < ends;
    else
        day := case when here::time < ends then here::date - 1 else here::date end;
        inside := here::time >= starts or here::time < ends;
    end if;
    return inside and (quiet->'days' is null or quiet->'days' ? to_char(day, 'dy'));
exception
    -- Nobody knows the zone any more: no publish may fail for it, and instances warn of it.
    when invalid_parameter_value then return false;
end $$;
