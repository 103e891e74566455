-- Examines the newest items of an inbox before a seq, or the items of some ids. It answers which of them match, how many were
-- examined, and the last seq. A join with `limit 1` is one look-up for each item, independent of the planner's estimates.
with item as (
    (
        select seq, notification_id
        from inbox
        where $10::uuid[] is null and not $3 and tenant = $1 and user_id = $2 and archived_at is null and deleted_at is null
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
            where $10::uuid[] is null and $3 and tenant = $1 and user_id = $2 and seq < $4
            order by seq desc
            limit $5
        ) as unread
        cross join lateral (
            select notification_id from inbox where tenant = $1 and user_id = $2 and inbox.seq = unread.seq limit 1
        ) as placed
    )
    union all
    (
        -- An item may be asked for by both of its ids.
        select distinct seq, notification_id
        from unnest($10::uuid[]) as asked (id)
        cross join lateral (
            select seq, notification_id
            from inbox
            where tenant = $1 and user_id = $2 and (notification_id = asked.id or item_id = asked.id)
                and deleted_at is null and seq < $4
                and (not $3 or (read_at is null and archived_at is null and snoozed_until is null))
            limit 1
        ) as named
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
        and ($8::smallint is null or priority = $8)
        -- Each text is folded once, however many words are looked for.
        and ($9::text[] is null or lower(title || E'\n' || coalesce(body, '')) like all (
            (select array_agg(lower(pattern)) from unnest($9) as pattern)::text[]
        )) as matches
    from notifications
    where notifications.id = item.notification_id
    limit 1
) as content
