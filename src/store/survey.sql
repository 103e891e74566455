-- Looks through the newest items of an inbox before a seq: which of them match, how many were looked through, and where
-- the looking ended. A join with `limit 1` is one look-up for each item, whatever the planner thinks of the tables' sizes.
with item as (
    (
        select seq, notification_id
        from inbox
        where not $3 and tenant = $1 and user_id = $2 and archived_at is null and deleted_at is null
            and snoozed_until is null and seq < $4
        order by seq desc
        limit $5
    )
    union all
    (
        select unread.seq, notification_id
        from (
            select seq
            from inbox_unread
            where $3 and tenant = $1 and user_id = $2 and seq < $4
            order by seq desc
            limit $5
        ) as unread
        cross join lateral (
            select notification_id from inbox where tenant = $1 and user_id = $2 and inbox.seq = unread.seq limit 1
        ) as placed
    )
)
select
    coalesce(array_agg(item.seq order by item.seq desc) filter (where content.matches), '{}') as seqs,
    count(*) as looked_through,
    min(item.seq) as last
from item
cross join lateral (
    select
        ($6::text is null or kind = $6) and ($7::text is null or coalesce(category = $7, false))
        and ($8::smallint is null or priority = $8) as matches
    from notifications
    where notifications.id = item.notification_id
    limit 1
) as content
