-- How many users a fan-out still has to look at, counting at most $6 a stage, and whether there are more. Its tenant is $1; it goes
-- to topics $2 (and to everyone, if $5), and is at stage $3 behind user $4.
select coalesce(sum(least(stage.users, $6)), 0)::bigint as users, coalesce(bool_or(stage.users > $6), false) as is_capped
from (
    select users from unnest($2::text[]) with ordinality as t (topic, ordinal) cross join lateral (
        select count(*) as users from (
            select from subscriptions as s
            where s.tenant = $1 and s.topic = t.topic and s.user_id > case when t.ordinal = $3 then $4 else '' end
            order by s.user_id
            limit $6 + 1
        ) as those
    ) as subscribed
    where t.ordinal >= $3
    union all
    select count(*) from (
        select from streams as s
        where $5 and s.tenant = $1 and s.user_id > case when $3 > cardinality($2::text[]) then $4 else '' end
        order by s.user_id
        limit $6 + 1
    ) as those
) as stage
