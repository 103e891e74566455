-- The rows that `tidings-bench publish` writes, as pgbench writes them with nothing in between: the same rows into the same
-- tables with the same indexes, one insert for each table. Ids ascend, as those of publishes do.
select first, first + :rows::bigint - 1 as last from (select nextval('batches') * :rows::bigint) as block (first) \gset
begin;
insert into notifications (id, tenant, kind, priority, title, data, source, fingerprint, recipients, expires_at)
select ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'default', 'bench', 1, 'Measured',
  ('{"n": ' || n || ', "t": 1234567890, "padding": "' || repeat('p', 100) || '"}')::jsonb, 'http',
  sha256(int8send(n)), 1, now() + interval '90 days'
from generate_series(:first::bigint, :last::bigint) n;
insert into streams as s (tenant, user_id, head_seq, unread)
select 'default', 'bench-1-' || n % :users::bigint, count(*), count(*) from generate_series(:first::bigint, :last::bigint) n group by 2 order by 2
on conflict (tenant, user_id) do update set head_seq = s.head_seq + excluded.head_seq, unread = s.unread + excluded.unread;
insert into inbox (tenant, user_id, seq, changed_seq, notification_id)
select 'default', 'bench-1-' || n % :users::bigint, n, n, ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid
from generate_series(:first::bigint, :last::bigint) n;
commit;
