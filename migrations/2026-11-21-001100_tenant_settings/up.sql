-- Counts the changes of a tenant's settings: the ETag. 0 for settings that were never changed.
alter table tenant_settings add column version bigint not null default 1;
