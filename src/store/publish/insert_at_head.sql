-- Inserts items at the head of inboxes whose streams are locked: new ones, and ones that leave an older seq ($3).
-- The latter then are listed and not seen, and unread unless $13 gives a time. Items are asked for in the order of their seqs.
with item as (
    select
        asked.*, old.row_id as old_row_id, old.changed_seq as old_changed_seq,
        coalesce(old.listed, false) as was_listed, coalesce(old.listed and old.unread, false) as was_unread
    from unnest(
        $1::text[], $2::text[], $3::bigint[], $4::uuid[], $5::uuid[], $6::text[], $7::integer[], $8::smallint[],
        $9::smallint[], $10::bigint[], $11::timestamptz[], $12::smallint[], $13::timestamptz[]
    ) with ordinality as asked (
        tenant, user_id, old_seq, notification_id, item_id, thread_key, folded, reason, topic, channels, due_at, due_state,
        read_at, index
    )
    left join lateral (
        select
            i.ctid as row_id, i.changed_seq, i.read_at is null as unread,
            i.archived_at is null and i.deleted_at is null and i.snoozed_until is null as listed
        from inbox as i
        where i.tenant = asked.tenant and i.user_id = asked.user_id and i.seq = asked.old_seq
        limit 1
    ) as old on true
), stream as (
    insert into streams as s (tenant, user_id, epoch, head_seq, unread, listed)
    select
        tenant, user_id, lpad(to_hex((random() * 1099511627775)::bigint), 10, '0'), count(*),
        count(*) filter (where read_at is null) - count(*) filter (where was_unread), count(*) filter (where not was_listed)
    from item group by tenant, user_id
    on conflict (tenant, user_id) do update
        set head_seq = s.head_seq + excluded.head_seq, unread = s.unread + excluded.unread,
            listed = s.listed + excluded.listed
    returning tenant, user_id, epoch, head_seq, unread
), placed as (
    select
        item.*, stream.epoch,
        stream.head_seq + 1 - row_number() over newest_first as seq,
        stream.unread + 1 - row_number() over newest_first as unread
    from item join stream using (tenant, user_id)
    window newest_first as (partition by tenant, user_id order by item.index desc)
), removed as (
    delete from inbox where ctid = any (array(select old_row_id from item where old_row_id is not null)) returning 1
), arrived as (
    -- The old rows are changed before the new ones are inserted: an item's name is unique.
    insert into inbox (
        tenant, user_id, seq, changed_seq, notification_id, item_id, thread_key, folded, reason, topic, decision, channels, due_at,
        due_state, read_at
    )
    select
        tenant, user_id, seq, seq, notification_id, item_id, thread_key, folded, reason, topic, first_layout(channels), channels,
        due_at, due_state, read_at
    from placed cross join (select count(*) from removed) as first
), superseded as (
    delete from inbox_changes where ctid = any (array(
        select stale.ctid from item cross join lateral (
            select c.ctid from inbox_changes as c
            where c.tenant = item.tenant and c.user_id = item.user_id and c.changed_seq = item.old_changed_seq
                and c.seq = item.old_seq
            limit 1
        ) as stale
    ))
), no_longer_unread as (
    delete from inbox_unread where ctid = any (array(
        select stale.ctid from item cross join lateral (
            select u.ctid from inbox_unread as u
            where u.tenant = item.tenant and u.user_id = item.user_id and u.seq = item.old_seq
            limit 1
        ) as stale
    ))
), unread as (
    insert into inbox_unread (tenant, user_id, seq) select tenant, user_id, seq from placed where read_at is null
)
select tenant, user_id, epoch || (select mark from generation where id = 1) as epoch, seq, unread from placed order by index
