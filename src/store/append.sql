-- Writes publishes, takes the seqs and fills the inboxes, all in one statement.
-- Keys are inserted in order, then streams are locked in order: no two of these can deadlock.
with item as (
    select * from unnest(
        $1::uuid[], $2::text[], $3::text[], $4::text[], $5::smallint[], $6::text[], $7::text[], $8::jsonb[],
        $9::text[], $10::text[], $11::text[], $12::bytea[], $13::integer[], $14::timestamptz[]
    ) as item (
        id, tenant, kind, category, priority, title, body, data,
        action_url, source, idempotency_key, fingerprint, recipients, expires_at
    )
), written as (
    insert into notifications (
        id, tenant, kind, category, priority, title, body, data,
        action_url, source, idempotency_key, fingerprint, recipients, expires_at
    )
    select
        id, tenant, kind, category, priority, title, body, data,
        action_url, source, idempotency_key, fingerprint, recipients,
        least(expires_at, now() + make_interval(secs => $17))
    from item
    order by tenant, idempotency_key, id
    on conflict do nothing
    returning id, tenant, created_at, expires_at
), recipient as (
    select written.id, written.tenant, written.created_at, written.expires_at, asked.user_id collate "C" as user_id, asked.place
    from unnest($15::uuid[], $16::text[]) with ordinality as asked (id, user_id, place)
    join written on written.id = asked.id
), stream as (
    -- An epoch is proposed for old streams too, so it is one that costs little; the column's default is ten times as dear.
    insert into streams as s (tenant, user_id, epoch, head_seq, unread, listed)
    select
        tenant, user_id, lpad(to_hex((random() * 1099511627775)::bigint), 10, '0'), count(*), count(*), count(*)
    from recipient group by tenant, user_id order by tenant, user_id
    on conflict (tenant, user_id) do update
        set head_seq = s.head_seq + excluded.head_seq, unread = s.unread + excluded.unread,
            listed = s.listed + excluded.listed
    returning tenant, user_id, epoch, head_seq, unread
), placed as (
    select
        recipient.id, tenant, user_id, recipient.created_at, recipient.expires_at, recipient.place, stream.epoch,
        stream.head_seq + 1 - row_number() over newest_first as seq,
        stream.unread + 1 - row_number() over newest_first as unread
    from recipient join stream using (tenant, user_id)
    window newest_first as (partition by tenant, user_id order by recipient.place desc)
), arrived as (
    insert into inbox (tenant, user_id, seq, changed_seq, notification_id)
    select tenant, user_id, seq, seq, id from placed
), unread as (
    insert into inbox_unread (tenant, user_id, seq) select tenant, user_id, seq from placed
)
select id, epoch, seq, unread, created_at, expires_at from placed order by place
