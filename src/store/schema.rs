// Generated from the migrations by `diesel print-schema`.

diesel::table! {
    account_changes (tenant, user_id, name) {
        tenant -> Text,
        user_id -> Text,
        name -> Text,
        changed_seq -> Int8,
    }
}

diesel::table! {
    fanouts (notification_id) {
        notification_id -> Uuid,
        tenant -> Text,
        everyone -> Bool,
        actor -> Nullable<Text>,
        stage -> Int2,
        after_user -> Text,
        delivered -> Int8,
        created_at -> Timestamptz,
        started_at -> Nullable<Timestamptz>,
        worked_at -> Timestamptz,
        finished_at -> Nullable<Timestamptz>,
        swept_user -> Text,
    }
}

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
        reason -> Int2,
        topic -> Nullable<Int2>,
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
        topics -> Nullable<Array<Text>>,
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

diesel::table! {
    subscriptions (tenant, topic, user_id) {
        tenant -> Text,
        topic -> Text,
        user_id -> Text,
        subscribed_at -> Timestamptz,
        muted_until -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    topic_kinds (tenant, kind) {
        tenant -> Text,
        kind -> Text,
        access -> Text,
        signal_interval_ms -> Int4,
        presence -> Bool,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    topic_members (tenant, topic, user_id) {
        tenant -> Text,
        topic -> Text,
        user_id -> Text,
        added_at -> Timestamptz,
    }
}

diesel::table! {
    topics (tenant, topic) {
        tenant -> Text,
        topic -> Text,
        created_at -> Timestamptz,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    account_changes,
    fanouts,
    inbox,
    inbox_changes,
    inbox_unread,
    notifications,
    revocations,
    stream_tickets,
    streams,
    subscriptions,
    topic_kinds,
    topic_members,
    topics,
);
