-- Puts a notification into the inboxes of those of some users whom it is for, who do not have it yet and want it there: by the first
-- of its topics that they are subscribed to, or because it goes to everyone ($4). It runs under the lock of the notification's row of
-- `fanouts`, so nobody else adds rows of it, and under those of the users' streams, so nobody joins or leaves meanwhile.
with cargo as (
    select kind, category, priority, topics, decision from notifications where id = $1
), recipient as (
    select
        asked.user_id collate "C" as user_id, subscription.topic,
        decide(
            cargo.decision, cargo.priority, cargo.kind, cargo.category, preference.settings, subscription.muted_until, now()
        ) as decision
    from cargo cross join unnest($3::text[]) as asked (user_id)
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
        limit 1
    ) as item on true
    left join lateral (
        select settings from preferences as p where p.tenant = $2 and p.user_id = asked.user_id limit 1
    ) as preference on true
    left join lateral (
        select named.place::smallint as topic, found.muted_until
        from unnest(cargo.topics) with ordinality as named (topic, place)
        cross join lateral (
            select muted_until from subscriptions as s
            where s.tenant = $2 and s.topic = named.topic and s.user_id = asked.user_id
            limit 1
        ) as found
        order by named.place
        limit 1
    ) as subscription on true
    where item.is_known is null and (subscription.topic is not null or $4)
), stream as (
    insert into streams as s (tenant, user_id, epoch, head_seq, unread, listed)
    select $2, user_id, lpad(to_hex((random() * 1099511627775)::bigint), 10, '0'), 1, 1, 1
    from recipient where decision & 1 <> 0 order by user_id
    on conflict (tenant, user_id) do update
        set head_seq = s.head_seq + 1, unread = s.unread + 1, listed = s.listed + 1
    returning user_id, epoch, head_seq as seq, unread
), placed as (
    select user_id, topic, decision, epoch, seq, unread from recipient join stream using (user_id)
), arrived as (
    insert into inbox (tenant, user_id, seq, changed_seq, notification_id, reason, topic, decision)
    select $2, user_id, seq, seq, $1, case when topic is null then 2 else 1 end, topic, decision from placed
), unread as (
    insert into inbox_unread (tenant, user_id, seq) select $2, user_id, seq from placed
), withheld as (
    insert into withheld (notification_id, tenant, user_id, decision)
    select $1, $2, user_id, decision from recipient where decision & 1 = 0
)
select user_id, topic, decision, epoch, seq, unread from placed
