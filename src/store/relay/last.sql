-- The newest values of each topic.
select asked.ordinal as topic, kept.sent_at, kept.value
from unnest($1::text[], $2::text[]) with ordinality as asked (tenant, topic, ordinal)
    cross join lateral (
        select sent_at, value from last_values
        where tenant = asked.tenant and topic = asked.topic
            and sent_at > (extract(epoch from clock_timestamp()) * 1000000)::bigint - $3
        order by sent_at desc
        limit $4
    ) as kept
