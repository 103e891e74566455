-- Writes publishes that are more than an item for each recipient, in the order in which keys are inserted everywhere.
-- `store/content.rs` fills in the columns of content.
insert into notifications (
    id, tenant, source, idempotency_key, fingerprint, recipients, decision, channels, deliver_at, due_at, thread_key, burst_most,
    burst_seconds, {content}, created_at, expires_at
)
select
    id, tenant, source, idempotency_key, fingerprint, recipients, first_layout(channels), channels, deliver_at, due_at, thread_key,
    burst_most, burst_seconds, {content}, (select clock_time()),
    least(expires_at, greatest((select clock_time()), deliver_at, ends_at) + make_interval(secs => $15))
from unnest(
    $1::uuid[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::integer[], $7::bigint[], $8::timestamptz[],
    $9::timestamptz[], $10::text[], $11::smallint[], $12::integer[], $13::timestamptz[], $14::timestamptz[], {content_arrays}
) as item (
    id, tenant, source, idempotency_key, fingerprint, recipients, channels, deliver_at, due_at, thread_key, burst_most, burst_seconds,
    expires_at, ends_at, {content}
)
order by tenant collate "C", idempotency_key collate "C", id
on conflict do nothing
returning id, created_at, expires_at
