drop table last_values;
