-- For each asked user, the topics subscribed to: a look-up in subscriptions_user each, independent of the tables' sizes.
select asked.index, joined.topic
from unnest($1::text[], $2::text[]) with ordinality as asked (tenant, user_id, index)
cross join lateral (
    select topic from subscriptions as s
    where s.tenant = asked.tenant and s.user_id = asked.user_id
    order by topic
    limit $3
) as joined
