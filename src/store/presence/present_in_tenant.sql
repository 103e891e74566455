-- The present users of a tenant, in the order of their ids.
select p.user_id, p.since, (
    select coalesce(sum(r.connections), 0)::bigint from presence_rows as r
    where r.tenant = p.tenant and r.user_id = p.user_id
) as connections
from present_users as p
where p.tenant = $1 and p.user_id > $2
order by p.user_id
limit $3
