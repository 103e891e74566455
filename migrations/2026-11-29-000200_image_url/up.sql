-- An image of a notification. Null for a row of version 0.1.0, which does not read it either.
alter table notifications add column image_url text;
