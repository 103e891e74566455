-- Keeps the newest value of a subject, and sends its message with the time of this server, which is later than that of the value before
-- even if a clock was set back. The message goes out in pieces of at most $7 characters, each with a first line of its own.
with kept as (
    insert into last_values as known (tenant, topic, subject, sent_at, value)
    values ($1, $2, $3, (extract(epoch from clock_timestamp()) * 1000000)::bigint, $4)
    on conflict (tenant, topic, subject)
        do update set sent_at = greatest(excluded.sent_at, known.sent_at + 1), value = excluded.value
    returning sent_at
), message as (
    select $5 || sent_at || $4 as text from kept
), pieces as (
    select substr(text, (number - 1) * $7 + 1, $7) as piece, number, count
    from message
        cross join lateral (select (length(text) + $7 - 1) / $7 as count) as pieces
        cross join lateral generate_series(1, count) as number
    order by number
)
select count(pg_notify($8, $6 || ' ' || number || ' ' || count || E'\n' || piece)) from pieces
