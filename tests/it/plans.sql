-- Enough for the planner to have a choice: 1,000 inboxes of 100 items and one of 19,997, a tenth unread, most changed.
insert into notifications (id, tenant, kind, category, priority, title, source, fingerprint, recipients, created_at, expires_at)
select
    ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'default', case when n = 7 then 'rare' else 'common' end,
    case when n = 7 then 'rare' else 'common' end, case when n = 7 then 3 else 1 end, 'title ' || n, 'http', '\x00',
    case when n > 19997 then 5 else 6 end,
    now() - interval '9 days', now() + interval '9 days' + n * interval '1 second'
from generate_series(1, 20000) as n;
insert into inbox (tenant, user_id, seq, changed_seq, notification_id, read_at)
select
    'default', 'user-' || (n * 5 + place) % 1000, n / 200 + 1, n / 200 + case when n / 200 % 10 > 0 then 102 else 1 end,
    ('00000000-0000-7000-8000-' || lpad(to_hex(n + 1), 12, '0'))::uuid, case when n / 200 % 10 > 0 then now() end
from generate_series(0, 19999) as n cross join generate_series(0, 4) as place;
-- The newest of the large inbox are put away, so a list must not look for what is left from the end.
insert into inbox (tenant, user_id, seq, changed_seq, notification_id, read_at, archived_at)
select
    'default', 'large', n, case when n % 10 > 0 then 20000 + n else n end,
    ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, case when n % 10 > 0 then now() end,
    case when n > 14000 then now() end
from generate_series(1, 19997) as n;
insert into inbox_unread (tenant, user_id, seq) select tenant, user_id, seq from inbox where read_at is null and archived_at is null;
insert into inbox_changes (tenant, user_id, changed_seq, seq)
select tenant, user_id, changed_seq, seq from inbox where changed_seq > seq;
insert into streams (tenant, user_id, head_seq, unread, listed)
select
    tenant, user_id, max(changed_seq), count(*) filter (where read_at is null and archived_at is null),
    count(*) filter (where archived_at is null)
from inbox group by tenant, user_id;
-- A topic of 6,000 users and 6,000 topics of few. One user has 500 subscriptions, all changed since.
insert into topics (tenant, topic) select 'default', 'team:' || n from generate_series(0, 6000) as n;
insert into subscriptions (tenant, topic, user_id)
select 'default', 'team:0', 'user-' || n from generate_series(1, 6000) as n
union all select 'default', 'team:' || n, 'user-' || n % 700 from generate_series(1, 6000) as n
union all select 'default', 'team:' || n, 'large' from generate_series(1, 500) as n
union all select 'default', 'team:3', 'guest';
insert into topic_members (tenant, topic, user_id) select tenant, topic, user_id from subscriptions;
insert into account_changes (tenant, user_id, name, changed_seq)
select tenant, user_id, 'topic:' || topic, 20000 + row_number() over (partition by user_id order by topic) from subscriptions;
-- A topic whose fan-out takes two chunks.
insert into topics (tenant, topic) values ('default', 'large');
insert into subscriptions (tenant, topic, user_id) select 'default', 'large', 'user-' || n from generate_series(1, 900) as n;
-- Half of the users have preferences, and some did not want some things.
insert into preferences (tenant, user_id, settings)
select
    'default', 'user-' || n,
    '{"categories":{"common":{"email":true}},"quietHours":{"from":"22:00","to":"07:00","timeZone":"Europe/Berlin"}}'
from generate_series(1, 5000) as n;
insert into withheld (notification_id, tenant, user_id, decision)
select ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'default', 'withholder', 2 from generate_series(1, 20000) as n;
-- Some are present, on instances that outlive the test.
insert into instances (id, beat_at)
select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, now() + interval '1 day' from generate_series(0, 19) as n;
insert into presence_rows (tenant, user_id, instance, connections)
select 'default', 'user-' || n, ('00000000-0000-4000-8000-' || lpad((n % 20)::text, 12, '0'))::uuid, 1 from generate_series(1, 3000) as n;
insert into present_users (tenant, user_id, since, told) select 'default', 'user-' || n, now(), true from generate_series(1, 3000) as n;
-- Some of the large inbox is to be done by a time.
update inbox set due_at = now() + (seq - 5000) * interval '1 minute' where user_id = 'large' and seq % 2 = 0 and seq between 3000 and 12000;
-- Many rows are scheduled, due, folded and counted, and a user has snoozed many items, all for times to come.
insert into scheduled (notification_id, tenant, deliver_at, users, topics, everyone, fixed_expiry)
select id, 'default', now() + interval '9 days' + recipients * interval '1 second', '{somebody}', '{}', false, false from notifications;
insert into duties (notification_id, tenant, due_at, state, steps, next_at)
select id, 'default', now() + interval '9 days', 1, '[]', now() + interval '9 days' from notifications;
insert into folded (notification_id, tenant, user_id, item_id) select notification_id, tenant, user_id, notification_id from inbox;
insert into bursts (tenant, user_id, kind, ends_at, items) select 'default', user_id, 'common', now(), 1 from streams;
insert into inbox (tenant, user_id, seq, changed_seq, notification_id, snoozed_until)
select tenant, 'sleeper', seq, seq, notification_id, now() + interval '9 days' + seq * interval '1 second' from inbox where user_id = 'large';
insert into streams (tenant, user_id, head_seq) values ('default', 'sleeper', 20000);
vacuum analyze;
