-- Takes out who has left for longer than the grace ($1), and whoever was connected to an instance that has been silent for
-- so long; answers who is not connected anywhere else and had been told of. At most $2 connections of either sort.
with old as (
    (
        select tenant, user_id, instance from presence_rows
        where left_at < statement_timestamp() - make_interval(secs => $1)
        order by left_at
        limit $2
    )
    union
    (
        select r.tenant, r.user_id, r.instance
        from instances as i
        join presence_rows as r on r.instance = i.id
        where i.beat_at < statement_timestamp() - make_interval(secs => $1)
        limit $2
    )
), gone as (
    delete from presence_rows as r using old
    where r.tenant = old.tenant and r.user_id = old.user_id and r.instance = old.instance
    returning r.tenant, r.user_id
), silent as (
    delete from instances as i
    where i.beat_at < statement_timestamp() - make_interval(secs => $1)
        and not exists (select from presence_rows as r where r.instance = i.id)
), absent as (
    delete from present_users as p using (select distinct tenant, user_id from gone) as g
    where p.tenant = g.tenant and p.user_id = g.user_id and not exists (
        select from presence_rows as r
        join instances as i on i.id = r.instance
        where r.tenant = p.tenant and r.user_id = p.user_id
            and coalesce(r.left_at, i.beat_at) >= statement_timestamp() - make_interval(secs => $1)
    )
    returning p.tenant, p.user_id, p.told
)
select tenant, user_id from absent where told
