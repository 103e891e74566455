-- The topics in which each of these users' presence is announced.
select asked.index, s.topic
from unnest($1::text[], $2::text[]) with ordinality as asked (tenant, user_id, index)
join subscriptions as s on s.tenant = asked.tenant and s.user_id = asked.user_id
left join topic_kinds as k on k.tenant = s.tenant and k.kind = split_part(s.topic, ':', 1)
where coalesce(k.presence, true)
