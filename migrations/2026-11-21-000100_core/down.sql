drop table inbox;
drop table streams;
drop table notifications;
