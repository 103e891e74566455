create or replace function is_quiet(quiet jsonb, at timestamptz) returns boolean
language plpgsql stable parallel safe as $$
declare
    here timestamp;
    starts time := quiet->>'from';
    ends time := quiet->>'to';
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
    when invalid_parameter_value then return false;
end $$;
drop table zone_offsets, zone_names, zone_release;
