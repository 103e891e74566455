-- Writes publishes that are more than an item for each recipient, in the order in which keys are inserted everywhere.
insert into notifications (
    id, tenant, kind, category, priority, title, body, data, action_url, source, idempotency_key, fingerprint, recipients,
    presentation, decision, deliver_at, due_at, thread_key, burst_most, burst_seconds, created_at, expires_at
)
select
    id, tenant, kind, category, priority, title, body, data, action_url, source, idempotency_key, decode(fingerprint, 'hex'),
    recipients, presentation, decision, deliver_at, due_at, thread_key, burst_most, burst_seconds, (select clock_time()),
    least(expires_at, greatest((select clock_time()), deliver_at, ends_at) + make_interval(secs => $2))
from jsonb_to_recordset($1) as item (
    id uuid, tenant text, kind text, category text, priority smallint, title text, body text, data jsonb, action_url text,
    source text, idempotency_key text, fingerprint text, recipients integer, presentation jsonb, decision integer,
    deliver_at timestamptz, due_at timestamptz, thread_key text, burst_most smallint, burst_seconds integer, expires_at timestamptz,
    ends_at timestamptz
)
order by tenant collate "C", idempotency_key collate "C", id
on conflict do nothing
returning id, created_at, expires_at
