-- Revocations: all of a user's tokens made until revoked_at (kind 'user'), or one token by its id (kind 'token').
CREATE TABLE revocations (
    tenant     text        NOT NULL,
    kind       text        NOT NULL CHECK (kind IN ('user', 'token')),
    subject    text        NOT NULL,
    revoked_at timestamptz NOT NULL DEFAULT now(),
    -- NULL: kept for good.
    expires_at timestamptz,
    PRIMARY KEY (tenant, kind, subject)
);
CREATE INDEX revocations_expires_at ON revocations (expires_at) WHERE expires_at IS NOT NULL;

-- One-time tickets of the next seconds: worth no write-ahead log, for a client that loses one asks for another.
CREATE UNLOGGED TABLE stream_tickets (
    -- SHA-256 of the ticket: a reader of this table cannot use it.
    hash       bytea       PRIMARY KEY,
    identity   jsonb       NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX stream_tickets_expires_at ON stream_tickets (expires_at);
