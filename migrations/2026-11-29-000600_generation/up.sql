-- Which history of the database this is. A restore from a backup, and the promotion of a replica that lagged, take back changes that
-- clients have seen: then the generation is raised, and every cursor of the one before is of another epoch.
create table generation (
    id smallint primary key default 1 check (id = 1),
    value bigint not null default 0,
    -- What every epoch ends with; epochs themselves are hexadecimal digits, which have no g. It is drawn anew, for a database that was put
    -- back twice counts from the same value twice.
    mark text collate "C" not null default '',
    -- The server, its timeline, the database and the table of streams, as the last connection found them.
    identity text,
    -- When a cursor last was the reason.
    accused_at timestamptz
);
insert into generation default values;
