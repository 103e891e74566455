drop table duties, scheduled, bursts, folded;
drop index inbox_listed;
drop index inbox_due, inbox_snoozed, inbox_snoozed_turn, inbox_thread, inbox_item;
alter table inbox
    drop column item_id, drop column thread_key, drop column folded, drop column seen_at, drop column snoozed_until,
    drop column due_at, drop column due_state;
create index inbox_listed on inbox (tenant, user_id, seq) where archived_at is null and deleted_at is null;
alter table notifications
    drop column deliver_at, drop column due_at, drop column due_by, drop column thread_key, drop column burst_most,
    drop column burst_seconds;
drop function clock_time();
drop table clock;
