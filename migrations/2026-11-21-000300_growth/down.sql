alter table streams drop column listed;
alter table streams reset (autovacuum_vacuum_scale_factor);
drop index inbox_listed;
alter table inbox reset (autovacuum_vacuum_scale_factor);
alter table inbox set (fillfactor = 90);
drop table inbox_changes;
drop table inbox_unread;
create index inbox_changes on inbox (tenant, user_id, changed_seq, seq) where changed_seq > seq;
create index inbox_unread on inbox (tenant, user_id, seq)
    where read_at is null and archived_at is null and deleted_at is null;
