-- The newest value of each subject of a topic, where Postgres is the bus. Nothing here must survive a crash, so no write is logged.
create unlogged table last_values (
    tenant text not null,
    topic text not null,
    subject text not null,
    -- Microseconds since 1970.
    sent_at bigint not null,
    value text not null,
    primary key (tenant, topic, subject)
);
