-- Which binaries may run on a migration that they do not know. Each later migration inserts a row for itself, and an instance refuses
-- a schema with an unknown migration that has no row.
create table schema_compatibility (
    -- The migration, as the table of the migrations calls it.
    version text collate "C" primary key,
    -- The newest migration of the oldest binary that may run on it.
    oldest text collate "C" not null
);
