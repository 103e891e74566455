-- The decision for each user that publishes name, with the values for grouping the item.
select
    asked.index, n.id, n.tenant, asked.user_id, 0::smallint as reason, null::smallint as topic,
    decide_channels(
        coalesce(n.channels, n.decision), n.priority, n.kind, n.category, preference.settings, null, (select clock_time())
    ) as channels,
    n.kind, n.thread_key, n.burst_most, n.burst_seconds, n.due_at, duty.state as due_state
from unnest($1::uuid[], $2::text[]) with ordinality as asked (id, user_id, index)
cross join lateral (select * from notifications where notifications.id = asked.id limit 1) as n
left join lateral (
    select settings from preferences as p where p.tenant = n.tenant and p.user_id = asked.user_id collate "C" limit 1
) as preference on true
left join lateral (
    select state from duties as d where n.due_at is not null and d.notification_id = n.id limit 1
) as duty on true
order by asked.index
