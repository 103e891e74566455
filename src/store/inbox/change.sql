-- Does an action to those items of a locked stream that it alters, as the stream's change $5, and answers by how much the counts
-- changed.
-- Only rows of the two narrow tables are inserted and deleted: the row of the item is updated in row_id.
-- The rows are found one by one (`limit 1`), for with many items the planner would rather read all of the user's. The lock keeps
-- their row ids (`ctid`) as they are.
with clock as (
    select clock_time() as time
), before as (
    select row_id, seq, changed_seq, listed, listed and read_at is null as unread
    from unnest($3::bigint[]) as asked (seq) cross join lateral (
        select
            i.ctid as row_id, i.changed_seq, i.read_at, i.seen_at, i.archived_at, i.snoozed_until, i.due_state,
            i.archived_at is null and i.snoozed_until is null as listed
        from inbox as i
        where i.tenant = $1 and i.user_id = $2 and i.seq = asked.seq and i.deleted_at is null
        limit 1
    ) as found
    where case $4
        when 'read' then read_at is null
        when 'unread' then read_at is not null
        when 'seen' then seen_at is null
        when 'archive' then archived_at is null
        when 'snooze' then snoozed_until is distinct from $6
        when 'acknowledge' then due_state < 3
        when 'done' then due_state < 4
        else true
    end
), item as (
    update inbox set
        changed_seq = $5,
        read_at = case
            when $4 = 'unread' then null
            when $4 in ('read', 'acknowledge', 'done') then coalesce(read_at, (select time from clock))
            else read_at
        end,
        seen_at = case when $4 in ('read', 'seen', 'acknowledge', 'done') then coalesce(seen_at, (select time from clock)) else seen_at end,
        archived_at = case $4 when 'archive' then (select time from clock) when 'snooze' then null else archived_at end,
        snoozed_until = case when $4 = 'snooze' then $6 when $4 not in ('archive', 'delete') then snoozed_until end,
        deleted_at = case $4 when 'delete' then (select time from clock) end,
        thread_key = case when $4 <> 'delete' then thread_key end,
        due_at = case when $4 not in ('delete', 'acknowledge', 'done') then due_at end,
        due_state = case $4 when 'acknowledge' then 3 when 'done' then 4 else due_state end
    where ctid = any (array(select row_id from before))
    returning
        *, archived_at is null and deleted_at is null and snoozed_until is null as listed,
        read_at is null and archived_at is null and deleted_at is null and snoozed_until is null as unread
), superseded as (
    delete from inbox_changes where ctid = any (array(
        select stale.ctid from before cross join lateral (
            select c.ctid from inbox_changes as c
            where c.tenant = $1 and c.user_id = $2 and c.changed_seq = before.changed_seq and c.seq = before.seq
            limit 1
        ) as stale
    ))
), noted as (
    insert into inbox_changes (tenant, user_id, changed_seq, seq) select $1, $2, $5, seq from item
), no_longer_unread as (
    delete from inbox_unread where ctid = any (array(
        select stale.ctid from item cross join lateral (
            select u.ctid from inbox_unread as u
            where u.tenant = $1 and u.user_id = $2 and u.seq = item.seq and not item.unread
            limit 1
        ) as stale
    ))
), unread_again as (
    insert into inbox_unread (tenant, user_id, seq) select $1, $2, seq from item where unread on conflict do nothing
)
select
    coalesce(item_id, notification_id) as id, seq, read_at, archived_at, deleted_at, seen_at, snoozed_until, due_state,
    (select count(*) filter (where unread) from item) - (select count(*) filter (where unread) from before) as unread_by,
    (select count(*) filter (where listed) from item) - (select count(*) filter (where listed) from before) as listed_by
from item
order by seq
