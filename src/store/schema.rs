// @generated automatically by Diesel CLI.

diesel::table! {
    revocations (tenant, kind, subject) {
        tenant -> Text,
        kind -> Text,
        subject -> Text,
        revoked_at -> Timestamptz,
        expires_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    stream_tickets (hash) {
        hash -> Bytea,
        tenant -> Text,
        user_id -> Text,
        identity -> Jsonb,
        expires_at -> Timestamptz,
    }
}
