alter table inbox drop column topic;
alter table notifications drop column topics;
drop table fanouts;
