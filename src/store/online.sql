-- How many of each asked topic's subscribers are present; topics where nobody is are left out. Both tables are joined by
-- their keys alone, so that large topics are counted from indexes.
select asked.place, count(*) as online
from unnest($1::text[], $2::text[]) with ordinality as asked (tenant, topic, place)
join subscriptions as s on s.tenant = asked.tenant and s.topic = asked.topic
join present_users as p on p.tenant = s.tenant and p.user_id = s.user_id
group by asked.place
