-- Makes dead letters of rows, and forgets the oldest letters beyond $3.
with dead as (
    delete from tidings.inlet where id = any ($1) returning *
), written as (
    insert into tidings.dead_letters (id, tenant, message, key, publish, written_at, reason)
    select dead.id, dead.tenant, dead.message, dead.key, dead.publish, dead.written_at, given.reason
    from dead join unnest($1::bigint[], $2::text[]) as given (id, reason) using (id)
)
delete from tidings.dead_letters where id in (select id from tidings.dead_letters order by died_at desc, id desc offset $3)
