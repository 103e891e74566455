-- The present subscribers of a topic, in the order of their ids.
select p.user_id, p.since, (
    select coalesce(sum(r.connections), 0)::bigint from presence_rows as r
    where r.tenant = p.tenant and r.user_id = p.user_id
) as connections
from subscriptions as s
join present_users as p on p.tenant = s.tenant and p.user_id = s.user_id
where s.tenant = $1 and s.topic = $4 and s.user_id > $2
order by s.user_id
limit $3
