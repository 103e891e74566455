-- The heartbeat of an instance ($1), with its streams ($6) and the users whose connections there have changed. An instance counts as one
-- that takes streams if its heartbeat with their number is not older than three seconds. Once a second the first instance gets
-- the right to find users who have left.
-- If no instance took it for half the grace ($5), which is two seconds at least, the database was away. The other instances then
-- need time for their heartbeats, so for twice the grace no user is found to have left.
with beat as (
    insert into instances (id, beat_at, streams) values ($1, statement_timestamp(), $6)
    on conflict (id) do update set beat_at = excluded.beat_at, streams = excluded.streams
    returning xmax = 0 as fresh
), changed as (
    select * from unnest($2::text[], $3::text[], $4::integer[]) as changed (tenant, user_id, connections)
), written as (
    insert into presence_rows (tenant, user_id, instance, connections, left_at)
    select tenant, user_id, $1, connections, case when connections = 0 then statement_timestamp() end from changed
    on conflict (tenant, user_id, instance)
        do update set connections = excluded.connections, left_at = excluded.left_at
), joined as (
    insert into present_users (tenant, user_id, since)
    select tenant, user_id, statement_timestamp() from changed
    on conflict do nothing
), turn as (
    update presence_turn set
        taken_at = statement_timestamp(),
        held_until = case
            when taken_at < statement_timestamp() - make_interval(secs => $5 / 2) and exists (select from instances)
                then statement_timestamp() + make_interval(secs => $5 * 2)
            else held_until
        end
    where taken_at < statement_timestamp() - interval '0.9 seconds'
    returning held_until <= statement_timestamp() as free
)
select
    beat.fresh,
    turn.free,
    others.instances + case when $6 is null then 0 else 1 end as instances,
    others.streams + coalesce($6, 0) as streams
from beat
cross join (
    select count(*) as instances, coalesce(sum(streams), 0) as streams from instances
    where id <> $1 and streams is not null and beat_at > statement_timestamp() - interval '3 seconds'
) as others
left join turn on true
