-- Writes publishes, takes the seqs and fills the inboxes, all in one statement.
-- Keys are inserted in order, then streams are locked in order: no two of these can deadlock.
-- Version 0.1.0 reads `decision`, which therefore is written beside `channels`. `store/content.rs` fills in the columns of content.
with item as (
    select * from unnest(
        $1::uuid[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::integer[], $7::timestamptz[], $8::bigint[],
        {content_arrays}
    ) as item (id, tenant, source, idempotency_key, fingerprint, recipients, expires_at, channels, {content})
), written as (
    insert into notifications (
        id, tenant, source, idempotency_key, fingerprint, recipients, decision, channels, {content}, expires_at, created_at
    )
    -- `clock_time()` written out: a function in SQL is planned at each call, which this statement, kept prepared, would pay for.
    select
        id, tenant, source, idempotency_key, fingerprint, recipients, first_layout(channels), channels, {content},
        least(expires_at, now() + (select shift from clock where id = 1) + make_interval(secs => $11)),
        now() + (select shift from clock where id = 1)
    from item
    order by tenant, idempotency_key, id
    on conflict do nothing
    returning id, tenant, kind, category, priority, channels, created_at, expires_at
), recipient as (
    -- Only users with preferences cost more than the look whether they have any. Below, the test for the inbox is written `<> 0`: the
    -- planner takes `= 1` for rare, and would join row by row.
    select
        written.id, written.tenant, written.created_at, written.expires_at, asked.user_id collate "C" as user_id, asked.index,
        coalesce(preference.channels, written.channels) as channels
    from unnest($9::uuid[], $10::text[]) with ordinality as asked (id, user_id, index)
    join written on written.id = asked.id
    left join lateral (
        select decide_channels(
            written.channels, written.priority, written.kind, written.category, p.settings, null, written.created_at
        ) as channels
        from preferences as p where p.tenant = written.tenant and p.user_id = asked.user_id collate "C" limit 1
    ) as preference on true
), stream as (
    -- An epoch is proposed for old streams too, so it is one that costs little; the column's default is ten times as dear.
    insert into streams as s (tenant, user_id, epoch, head_seq, unread, listed)
    select
        tenant, user_id, lpad(to_hex((random() * 1099511627775)::bigint), 10, '0'), count(*), count(*), count(*)
    from recipient where channels & 1 <> 0 group by tenant, user_id order by tenant, user_id
    on conflict (tenant, user_id) do update
        set head_seq = s.head_seq + excluded.head_seq, unread = s.unread + excluded.unread,
            listed = s.listed + excluded.listed
    returning tenant, user_id, epoch, head_seq, unread
), placed as (
    select
        recipient.id, tenant, user_id, recipient.created_at, recipient.expires_at, recipient.index,
        recipient.channels, stream.epoch,
        stream.head_seq + 1 - row_number() over newest_first as seq,
        stream.unread + 1 - row_number() over newest_first as unread
    from recipient join stream using (tenant, user_id)
    where recipient.channels & 1 <> 0
    window newest_first as (partition by tenant, user_id order by recipient.index desc)
), arrived as (
    insert into inbox (tenant, user_id, seq, changed_seq, notification_id, decision, channels)
    select tenant, user_id, seq, seq, id, first_layout(channels), channels from placed
), unread as (
    insert into inbox_unread (tenant, user_id, seq) select tenant, user_id, seq from placed
), withheld as (
    insert into withheld (notification_id, tenant, user_id, decision, channels)
    select id, tenant, user_id, first_layout(channels), channels from recipient where channels & 1 = 0
)
select id, epoch || (select mark from generation where id = 1) as epoch, seq, unread, channels, created_at, expires_at, index from placed
union all
select id, null, null, null, channels, created_at, expires_at, index from recipient where channels & 1 = 0
order by index
