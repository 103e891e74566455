drop schema tidings cascade;
