-- Locks the streams of $2, made where they are missing, and those of $4 that are there. The update never happens, but each row is
-- locked for it: so making and locking are one pass in the one order, in which the append locks as well.
insert into streams as s (tenant, user_id)
select tenant, user_id
from (
    select tenant, user_id from unnest($1::text[], $2::text[]) as made (tenant, user_id)
    union
    select asked.tenant, asked.user_id
    from unnest($3::text[], $4::text[]) as asked (tenant, user_id)
    cross join lateral (select from streams as k where k.tenant = asked.tenant and k.user_id = asked.user_id limit 1) as known
) as wanted
order by tenant collate "C", user_id collate "C"
on conflict (tenant, user_id) do update set head_seq = s.head_seq where false
