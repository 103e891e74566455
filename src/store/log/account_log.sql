-- Takes the next seq of streams and notes that something called $3 changed by it. Streams are locked in the one order.
with stream as (
    insert into streams as s (tenant, user_id, head_seq)
    select $1, user_id, 1 from unnest($2::text[]) as asked (user_id) order by user_id collate "C"
    on conflict (tenant, user_id) do update set head_seq = s.head_seq + 1
    returning user_id, epoch, head_seq, unread
), noted as (
    insert into account_changes (tenant, user_id, name, changed_seq)
    select $1, user_id, $3, head_seq from stream
    on conflict (tenant, user_id, name) do update set changed_seq = excluded.changed_seq
)
select epoch || (select mark from generation where id = 1) as epoch, head_seq, unread from stream order by user_id
