-- Gives items of a locked stream a new state as its change $5, and moves what moves with it. Only rows of the two narrow
-- tables come and go: an item that is read or not is updated in place. They are found one by one (`limit 1`), for with many
-- items the planner would rather read all of the user's; the lock keeps their places (`ctid`) as they are.
with before as (
    select place, seq, changed_seq from unnest($3::bigint[]) as asked (seq) cross join lateral (
        select i.ctid as place, i.changed_seq from inbox as i
        where i.tenant = $1 and i.user_id = $2 and i.seq = asked.seq
        limit 1
    ) as found
), item as (
    update inbox set
        changed_seq = $5,
        read_at = case $4 when 'read' then now() when 'unread' then null else read_at end,
        archived_at = case $4 when 'archive' then now() else archived_at end,
        deleted_at = case $4 when 'delete' then now() else deleted_at end
    where ctid = any (array(select place from before))
    returning
        notification_id, seq, read_at, archived_at, deleted_at,
        read_at is null and archived_at is null and deleted_at is null as unread
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
select notification_id, seq, read_at, archived_at, deleted_at from item order by seq
