-- Of these streams, how many have a count that differs from a recount.
select count(*) as wrong
from unnest($1::text[], $2::text[]) as asked (tenant, user_id)
cross join lateral (
    select * from streams as s where s.tenant = asked.tenant and s.user_id = asked.user_id limit 1
) as stream
cross join lateral (
    select count(*) as listed, count(*) filter (where read_at is null) as unread
    from inbox as i
    where i.tenant = asked.tenant and i.user_id = asked.user_id and archived_at is null and deleted_at is null
        and snoozed_until is null
) as recount
cross join lateral (
    select count(*) as unread from inbox_unread as u where u.tenant = asked.tenant and u.user_id = asked.user_id
) as noted
-- A recount reads the whole inbox: one that is very large would cost too much.
where stream.listed <= 10000
    and (stream.listed, stream.unread, stream.unread) is distinct from (recount.listed, recount.unread, noted.unread)
