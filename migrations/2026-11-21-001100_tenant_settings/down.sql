alter table tenant_settings drop column version;
