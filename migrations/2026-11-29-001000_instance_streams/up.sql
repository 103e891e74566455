-- How many streams an instance has. Null of one that takes no new ones, and of an older binary, which does not say.
alter table instances add column streams integer;
insert into schema_compatibility (version, oldest) values ('20261129001000', '20261129000900');
