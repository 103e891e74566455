drop function decide, is_quiet;
drop table withheld, preferences;
alter table inbox drop column decision;
