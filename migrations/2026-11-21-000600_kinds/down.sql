alter table notifications drop column decision;
alter table notifications drop column presentation;
drop table tenant_settings, kinds;
