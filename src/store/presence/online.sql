-- How many subscribers each asked topic has, and how many of them are present; topics without subscribers are left out. A
-- topic is read whole, from indexes alone: a caller keeps the answer for longer the more there were.
select asked.index, count(*) as among, count(p.here) as present
from unnest($1::text[], $2::text[]) with ordinality as asked (tenant, topic, index)
join subscriptions as s on s.tenant = asked.tenant and s.topic = asked.topic
left join lateral (
    select true as here from present_users as p where p.tenant = s.tenant and p.user_id = s.user_id limit 1
) as p on true
group by asked.index
