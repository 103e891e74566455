drop table generation;
