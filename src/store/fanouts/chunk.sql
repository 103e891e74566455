-- The recipients of a notification among some users who do not have it yet, and the decision for each. A user is a recipient by the
-- first of its topics that the user is subscribed to, or because it goes to everyone ($4).
-- It runs under the lock of the notification's row of `fanouts`, so no other chunk adds rows of it. It also runs under the locks of
-- the users' streams, so no user joins or leaves meanwhile.
select
    asked.index, n.id, n.tenant, asked.user_id, case when subscription.topic is null then 2 else 1 end::smallint as reason,
    subscription.topic,
    decide_channels(
        coalesce(n.channels, n.decision), n.priority, n.kind, n.category, preference.settings, subscription.muted_until, (select clock_time())
    ) as channels,
    n.kind, n.thread_key, n.burst_most, n.burst_seconds, n.due_at, duty.state as due_state
from notifications as n cross join unnest($3::text[]) with ordinality as asked (user_id, index)
left join lateral (
    (
        select true as is_known from inbox as i
        where i.notification_id = $1 and i.tenant = $2 and i.user_id = asked.user_id
        limit 1
    )
    union all
    (
        select true from withheld as w
        where w.notification_id = $1 and w.tenant = $2 and w.user_id = asked.user_id
        limit 1
    )
    union all
    (
        select true from folded as f
        where f.notification_id = $1 and f.tenant = $2 and f.user_id = asked.user_id
        limit 1
    )
    limit 1
) as item on true
left join lateral (
    select settings from preferences as p where p.tenant = $2 and p.user_id = asked.user_id limit 1
) as preference on true
left join lateral (
    select named.ordinal::smallint as topic, found.muted_until
    from unnest(n.topics) with ordinality as named (topic, ordinal)
    cross join lateral (
        select muted_until from subscriptions as s
        where s.tenant = $2 and s.topic = named.topic and s.user_id = asked.user_id
        limit 1
    ) as found
    order by named.ordinal
    limit 1
) as subscription on true
left join lateral (
    select state from duties as d where n.due_at is not null and d.notification_id = n.id limit 1
) as duty on true
where n.id = $1 and item.is_known is null and (subscription.topic is not null or $4)
order by asked.index
