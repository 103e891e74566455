-- Nothing is lost: every row has its decision in the first layout too.
drop function decide_channels, first_layout, second_layout;
alter table withheld drop column channels;
alter table inbox drop column channels;
alter table notifications drop column channels;
