-- Writes what the load is going to announce: the rows that Tidings' own publish would have written, all at once.
-- Streams' heads stay where they are, so that the head check finds nothing to deliver by itself; a stream that falls behind
-- its ring reads these rows as it would any others.
--
-- users: number of users; rates, seconds: the phases, in order. Message n goes to user n % users, as in the load.
create temporary table message as
with phase as (
    select rate, count, (sum(count) over (order by place) - count)::bigint as first
    from (
        select rate, rate * seconds as count, place
        from unnest(string_to_array(:'rates', ',')::bigint[], string_to_array(:'seconds', ',')::bigint[])
            with ordinality as given (rate, seconds, place)
    ) as counted
)
select
    ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid as id,
    'u' || n % :users as user_id,
    n / :users + 1 as seq,
    '~' || n || '~' || (n - first) * 1000000 / rate || '~' as title
from phase, generate_series(first, first + count - 1) as n;

insert into notifications (id, tenant, kind, priority, title, source, fingerprint, recipients, created_at, expires_at)
select id, 'default', 'bench', 1, title, 'bench', '', 1, '2026-01-01 00:00:00.000001+00', '2099-01-01 00:00:00.000001+00'
from message;

insert into inbox (tenant, user_id, seq, changed_seq, notification_id)
select 'default', user_id, seq, seq, id from message;

vacuum analyze notifications, inbox;
checkpoint;
