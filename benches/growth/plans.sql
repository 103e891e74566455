-- Postgres' plans of what reads the inbox of one user (`-v user=...`): the statements of the server, or what its query builder
-- makes of them.
\set summary `cat src/store/inbox/summary.sql`
\set survey `cat src/store/inbox/filter_scan.sql`
-- As the server asks: statements with arrays are planned with their values in sight.
set plan_cache_mode = force_custom_plan;
prepare summary (text, text, bigint, bigint, jsonb) as :summary;
prepare survey (text, text, boolean, bigint, bigint, text, text, smallint, text[], uuid[]) as :survey;
select 9223372036854775807 as newest \gset

\echo 'Summary\n'
explain (analyze, buffers, costs off, timing off)
execute summary ('default', :'user', 10, 500, '{"missedCalls": 14400}');

\echo '\nList: which items\n'
explain (analyze, buffers, costs off, timing off)
select seq from inbox
where tenant = 'default' and user_id = :'user' and archived_at is null and deleted_at is null and snoozed_until is null
    and seq < :newest
order by seq desc offset 0 limit 21;

\echo '\nList: the items\n'
select array_agg(seq) as shown from (
    select seq from inbox where tenant = 'default' and user_id = :'user' order by seq desc limit 20
) as newest \gset
explain (analyze, buffers, costs off, timing off)
select inbox.*, notifications.*
from inbox join notifications on notifications.id = inbox.notification_id
where inbox.tenant = 'default' and inbox.user_id = :'user' and inbox.deleted_at is null
    and inbox.seq = any (:'shown')
order by inbox.seq desc;

\echo '\nSearch for what is nowhere\n'
explain (analyze, buffers, costs off, timing off)
execute survey ('default', :'user', false, :newest, 1000, null, null, null, array['%nowhere%'], null);

\echo '\nUnread count\n'
explain (analyze, buffers, costs off, timing off)
select unread from streams where tenant = 'default' and user_id = :'user';
