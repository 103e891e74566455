-- The summary of an inbox. It has items that are due within a day or overdue, read or not, and unread items that are not due. Unread
-- items of a category are left out when they are older than the category is relevant.
-- It examines $4 items of either sort at most; $3 are shown.
with moment as (
    select clock_time() as now
),
soonest as (
    select seq, notification_id, due_at, archived_at is null and deleted_at is null and snoozed_until is null as listed
    from inbox
    where tenant = $1 and user_id = $2 and due_at <= (select now + interval '24 hours' from moment)
    order by due_at
    limit $4
),
newest as (
    select seq from inbox_unread where tenant = $1 and user_id = $2 order by seq desc limit $4
),
found as (
    select seq, notification_id, due_at from soonest where listed
    union all
    -- A join with `limit 1` is one look-up for each item, independent of the planner's estimates.
    select newest.seq, placed.notification_id, null
    from newest
    cross join lateral (
        select notification_id, due_at from inbox where tenant = $1 and user_id = $2 and inbox.seq = newest.seq limit 1
    ) as placed
    where placed.due_at is null
),
relevant as (
    select
        found.seq, found.due_at, content.priority, coalesce(content.category, 'other') as category,
        coalesce(found.due_at <= moment.now, false) as overdue
    from moment
    cross join found
    cross join lateral (
        select category, priority, created_at from notifications where id = found.notification_id limit 1
    ) as content
    -- $5: seconds by category.
    where found.due_at is not null
        or coalesce(content.created_at > moment.now - ($5 ->> content.category)::bigint * interval '1 second', true)
),
counts as (
    select category, overdue, count(*) as items from relevant group by category, overdue
)
select
    epoch || (select mark from generation where id = 1) as epoch, head_seq, unread,
    array(select seq from relevant order by priority desc, due_at, seq desc limit $3) as seqs,
    (
        select coalesce(jsonb_object_agg(name, items), '{}')
        from (
            select
                case when overdue then 'overdue' || upper(left(category, 1)) || substr(category, 2) else category end as name,
                sum(items) as items
            from counts
            group by name
        ) as named
    ) as breakdown,
    greatest((select count(*) from soonest), (select count(*) from newest)) < $4 as is_exact
from streams
where tenant = $1 and user_id = $2
