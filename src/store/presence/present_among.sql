-- Which of some users are present and announced, in topics of kinds that announce presence. A user who is not announced yet will
-- be, in every topic that the user is then subscribed to.
select asked.index
from unnest($1::text[], $2::text[], $3::text[]) with ordinality as asked (tenant, kind, user_id, index)
cross join lateral (
    select true as here from present_users as p
    where p.tenant = asked.tenant and p.user_id = asked.user_id and p.told
    limit 1
) as p
left join topic_kinds as k on k.tenant = asked.tenant and k.kind = asked.kind
where coalesce(k.presence, true)
order by asked.index
