-- Removes values that are too old, and all but the newest of each topic.
delete from last_values using (
    select tenant, topic, subject, sent_at, row_number() over (partition by tenant, topic order by sent_at desc) as newest
    from last_values
) as known
where last_values.tenant = known.tenant and last_values.topic = known.topic and last_values.subject = known.subject
    and last_values.sent_at = known.sent_at
    and (known.newest > $2 or known.sent_at <= (extract(epoch from clock_timestamp()) * 1000000)::bigint - $1)
