-- The items of a category ($3) that are due to a user within a day or overdue, the soonest first: $4 at most, of $5 examined.
with moment as (
    select clock_time() as now
),
soonest as (
    select
        seq, coalesce(item_id, notification_id) as id, notification_id, due_at,
        archived_at is null and deleted_at is null and snoozed_until is null as listed
    from inbox
    where tenant = $1 and user_id = $2 and due_at <= (select now + interval '24 hours' from moment)
    order by due_at
    limit $5
),
callback as (
    select
        soonest.id, soonest.due_at, soonest.seq, extract(epoch from soonest.due_at - moment.now) as seconds_left,
        content.title, content.body, content.priority, content.data, content.action_url
    from moment
    cross join soonest
    cross join lateral (
        select title, body, priority, data, action_url, category
        from notifications
        where notifications.id = soonest.notification_id
        limit 1
    ) as content
    where soonest.listed and content.category = $3
    order by soonest.due_at, soonest.seq
    limit $4
)
select
    (select coalesce(jsonb_agg(to_jsonb(callback) order by due_at, seq), '[]') from callback) as callbacks,
    (select count(*) from soonest) as looked_through
