-- For each asked stream: its head, and its next changes after a position, from one snapshot.
--
-- A row that arrived after the position comes as an arrival at its seq, in its newest state. A row whose state
-- changed after it comes at its changed_seq. Positions are (seq, row) because rows can share a change.
-- A change of the user's account shares its seq with no row; a change of a subscription brings the newest state.
--
-- `store/content.rs` fills in the columns of content.
-- A join with `limit 1` is one look-up for each row, independent of the planner's estimates.
select
    asked.ordinal, clock_time() as time, streams.epoch || (select mark from generation where id = 1) as epoch, streams.head_seq, streams.pruned_seq, streams.unread,
    change.at_seq, change.row_seq, change.arrival, coalesce(change.item_id, change.notification_id) as id,
    change.read_at, change.archived_at, change.deleted_at, change.seen_at, change.snoozed_until, change.due_state,
    change.folded, change.reason, change.channels, change.account, change.subscribed, change.muted_until, n.*
from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[]) with ordinality
    as asked (tenant, user_id, after_seq, after_row, max_rows, ordinal)
cross join lateral (
    select * from streams as s where s.tenant = asked.tenant and s.user_id = asked.user_id limit 1
) as streams
left join lateral (
    select * from (
        (
            select
                seq as at_seq, seq as row_seq, true as arrival, notification_id, item_id, read_at, archived_at, deleted_at,
                seen_at, snoozed_until, due_state, folded,
                reason, topic, coalesce(channels, decision) as channels, null as account, null::boolean as subscribed, null::timestamptz as muted_until
            from inbox
            where inbox.tenant = asked.tenant and inbox.user_id = asked.user_id and seq > asked.after_seq
            order by seq
            limit asked.max_rows
        )
        union all
        (
            select
                noted.changed_seq, noted.seq, false, item.notification_id, item.item_id, item.read_at, item.archived_at,
                item.deleted_at, item.seen_at, item.snoozed_until, item.due_state, null,
                null, null, null, null, null, null
            from (
                select changed_seq, seq
                from inbox_changes as c
                where c.tenant = asked.tenant and c.user_id = asked.user_id
                    and (changed_seq, seq) > (asked.after_seq, asked.after_row)
                order by changed_seq, seq
                limit asked.max_rows
            ) as noted
            cross join lateral (
                select * from inbox
                where inbox.tenant = asked.tenant and inbox.user_id = asked.user_id and inbox.seq = noted.seq
                limit 1
            ) as item
        )
        union all
        (
            select
                noted.changed_seq, noted.changed_seq, false, null, null, null, null, null, null, null, null, null,
                null, null, null, noted.name, subscription.topic is not null, subscription.muted_until
            from (
                select changed_seq, name
                from account_changes as a
                where a.tenant = asked.tenant and a.user_id = asked.user_id and changed_seq > asked.after_seq
                order by changed_seq
                limit asked.max_rows
            ) as noted
            left join lateral (
                select * from subscriptions as s
                where s.tenant = asked.tenant and s.user_id = asked.user_id
                    and starts_with(noted.name, 'topic:') and s.topic = substr(noted.name, 7)
                limit 1
            ) as subscription on true
        )
    ) as all_kinds
    order by at_seq, row_seq
    limit asked.max_rows
) as change on true
left join lateral (
    select {content}, created_at, expires_at, thread_key, due_at, due_by, topics[change.topic] as topic
    from notifications
    where change.arrival and notifications.id = change.notification_id
    limit 1
) as n on true
order by asked.ordinal, change.at_seq, change.row_seq
