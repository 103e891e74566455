-- Deletes connections that ended longer ago than the grace ($1), and those of instances that have been silent for so long. It
-- answers the users who have no other connection and had been announced. At most $2 connections of either sort.
-- Rows are looked up one by one and named by their `ctid`, so that no table is read whole. No transaction changes them under the
-- lock.
with old as (
    (
        select ctid as row_id from presence_rows
        where left_at < statement_timestamp() - make_interval(secs => $1)
        order by left_at
        limit $2
    )
    union
    (
        select r.row_id
        from instances as i
        cross join lateral (select ctid as row_id from presence_rows where instance = i.id limit $2) as r
        where i.beat_at < statement_timestamp() - make_interval(secs => $1)
        limit $2
    )
), gone as (
    delete from presence_rows where ctid = any (array(select row_id from old))
    returning tenant, user_id
), silent as (
    delete from instances as i
    where i.beat_at < statement_timestamp() - make_interval(secs => $1)
        and not exists (select from presence_rows as r where r.instance = i.id)
), absent as (
    select p.row_id
    from (select distinct tenant, user_id from gone) as g
    cross join lateral (
        select ctid as row_id from present_users where tenant = g.tenant and user_id = g.user_id limit 1
    ) as p
    left join lateral (
        select true as here from presence_rows as r
        cross join lateral (select beat_at from instances where id = r.instance limit 1) as i
        where r.tenant = g.tenant and r.user_id = g.user_id
            and coalesce(r.left_at, i.beat_at) >= statement_timestamp() - make_interval(secs => $1)
        limit 1
    ) as still on true
    where still.here is null
), forgotten as (
    delete from present_users where ctid = any (array(select row_id from absent))
    returning tenant, user_id, told
)
select tenant, user_id from forgotten where told
