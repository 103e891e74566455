DROP TABLE stream_tickets;
DROP TABLE revocations;
