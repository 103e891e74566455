alter table instances drop column streams;
delete from schema_compatibility where version = '20261129001000';
