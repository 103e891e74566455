-- Makes dead letters of rows that the caller still holds, and forgets the oldest letters beyond $4.
with given as (
    select * from unnest($1::bigint[], $2::timestamptz[], $3::text[]) as given (id, claimed_until, reason)
), dead as (
    delete from tidings.inlet as i using given where i.id = given.id and i.claimed_until = given.claimed_until returning i.*
), written as (
    insert into tidings.dead_letters (id, tenant, message, key, publish, written_at, reason)
    select dead.id, dead.tenant, dead.message, dead.key, dead.publish, dead.written_at, given.reason from dead join given using (id)
)
delete from tidings.dead_letters where id in (select id from tidings.dead_letters order by died_at desc, id desc offset $4)
