-- Reading, un-reading and archiving must not touch the indexes of the inbox, which is the largest table. Keys
-- that change with a state are in two narrow tables, and a row of the inbox is updated in place (HOT).

drop index inbox_unread;
drop index inbox_changes;

-- Items of the list that are unread.
create table inbox_unread (
    tenant text collate "C" not null,
    user_id text collate "C" not null,
    seq bigint not null,
    primary key (tenant, user_id, seq)
) with (autovacuum_vacuum_scale_factor = 0.05);

-- Items whose state changed since they arrived, each at its newest change.
create table inbox_changes (
    tenant text collate "C" not null,
    user_id text collate "C" not null,
    changed_seq bigint not null,
    seq bigint not null,
    primary key (tenant, user_id, changed_seq, seq)
) with (autovacuum_vacuum_scale_factor = 0.05);

insert into inbox_unread (tenant, user_id, seq)
select tenant, user_id, seq from inbox where read_at is null and archived_at is null and deleted_at is null;
insert into inbox_changes (tenant, user_id, changed_seq, seq)
select tenant, user_id, changed_seq, seq from inbox where changed_seq > seq;

create index inbox_listed on inbox (tenant, user_id, seq) where archived_at is null and deleted_at is null;
-- Room on each page for the next version of its rows.
alter table inbox set (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.05);

-- Items of the list, read or not; kept like `unread`.
alter table streams add column listed bigint not null default 0;
alter table streams set (autovacuum_vacuum_scale_factor = 0.05);
update streams set listed = (
    select count(*) from inbox
    where inbox.tenant = streams.tenant and inbox.user_id = streams.user_id
        and inbox.archived_at is null and inbox.deleted_at is null
);
