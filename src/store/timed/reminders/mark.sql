-- Writes a new state of a due item to items ($3) of locked streams, as a change of each: they stay where they are.
with item as (
    select asked.*, old.row_id as old_row_id, old.changed_seq
    from unnest($1::text[], $2::text[], $3::bigint[], $4::smallint[]) with ordinality
        as asked (tenant, user_id, seq, due_state, index)
    cross join lateral (
        select i.ctid as row_id, i.changed_seq from inbox as i
        where i.tenant = asked.tenant and i.user_id = asked.user_id and i.seq = asked.seq
        limit 1
    ) as old
), stream as (
    insert into streams as s (tenant, user_id, head_seq) select tenant, user_id, count(*) from item group by tenant, user_id
    on conflict (tenant, user_id) do update set head_seq = s.head_seq + excluded.head_seq
    returning tenant, user_id, epoch, head_seq
), changed as (
    select
        item.*, stream.epoch,
        stream.head_seq + 1 - row_number() over (partition by tenant, user_id order by item.index desc) as at_seq
    from item join stream using (tenant, user_id)
), written as (
    update inbox set
        changed_seq = changed.at_seq, due_state = changed.due_state,
        due_at = case when changed.due_state <= 2 then inbox.due_at end
    from changed where inbox.ctid = changed.old_row_id
), superseded as (
    delete from inbox_changes where ctid = any (array(
        select stale.ctid from item cross join lateral (
            select c.ctid from inbox_changes as c
            where c.tenant = item.tenant and c.user_id = item.user_id and c.changed_seq = item.changed_seq and c.seq = item.seq
            limit 1
        ) as stale
    ))
), noted as (
    insert into inbox_changes (tenant, user_id, changed_seq, seq) select tenant, user_id, at_seq, seq from changed
)
select tenant, user_id, epoch || (select mark from generation where id = 1) as epoch, at_seq as seq from changed order by index
