// Generated from the migrations by `diesel print-schema`.

diesel::table! {
    inbox (tenant, user_id, seq) {
        tenant -> Text,
        user_id -> Text,
        seq -> Int8,
        changed_seq -> Int8,
        notification_id -> Uuid,
        read_at -> Nullable<Timestamptz>,
        archived_at -> Nullable<Timestamptz>,
        deleted_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    inbox_changes (tenant, user_id, changed_seq, seq) {
        tenant -> Text,
        user_id -> Text,
        changed_seq -> Int8,
        seq -> Int8,
    }
}

diesel::table! {
    inbox_unread (tenant, user_id, seq) {
        tenant -> Text,
        user_id -> Text,
        seq -> Int8,
    }
}

diesel::table! {
    notifications (id) {
        id -> Uuid,
        tenant -> Text,
        kind -> Text,
        category -> Nullable<Text>,
        priority -> Int2,
        title -> Text,
        body -> Nullable<Text>,
        data -> Nullable<Jsonb>,
        action_url -> Nullable<Text>,
        source -> Text,
        idempotency_key -> Nullable<Text>,
        fingerprint -> Bytea,
        recipients -> Int4,
        created_at -> Timestamptz,
        expires_at -> Timestamptz,
        swept_at -> Nullable<Timestamptz>,
    }
}

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
        identity -> Jsonb,
        expires_at -> Timestamptz,
    }
}

diesel::table! {
    streams (tenant, user_id) {
        tenant -> Text,
        user_id -> Text,
        epoch -> Text,
        head_seq -> Int8,
        pruned_seq -> Int8,
        unread -> Int8,
        listed -> Int8,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    inbox,
    inbox_changes,
    inbox_unread,
    notifications,
    revocations,
    stream_tickets,
    streams,
);
