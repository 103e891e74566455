-- Puts a notification into the inboxes of those of some users who do not have it yet. It runs under the lock of the
-- notification's row of `fanouts`, so nobody else adds rows of it; streams are locked in order, as the append does.
with recipient as (
    select asked.user_id collate "C" as user_id, asked.topic
    from unnest($3::text[], $4::smallint[]) as asked (user_id, topic)
    left join lateral (
        select true as is_there from inbox as i
        where i.notification_id = $1 and i.tenant = $2 and i.user_id = asked.user_id
        limit 1
    ) as item on true
    where item.is_there is null
), stream as (
    insert into streams as s (tenant, user_id, epoch, head_seq, unread, listed)
    select $2, user_id, lpad(to_hex((random() * 1099511627775)::bigint), 10, '0'), 1, 1, 1
    from recipient order by user_id
    on conflict (tenant, user_id) do update
        set head_seq = s.head_seq + 1, unread = s.unread + 1, listed = s.listed + 1
    returning user_id, epoch, head_seq as seq, unread
), placed as (
    select user_id, topic, epoch, seq, unread from recipient join stream using (user_id)
), arrived as (
    insert into inbox (tenant, user_id, seq, changed_seq, notification_id, reason, topic)
    select $2, user_id, seq, seq, $1, case when topic is null then 2 else 1 end, topic from placed
), unread as (
    insert into inbox_unread (tenant, user_id, seq) select $2, user_id, seq from placed
)
select user_id, topic, epoch, seq, unread from placed
