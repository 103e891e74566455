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
    generation (id) {
        id -> Int2,
        value -> Int8,
        mark -> Text,
        identity -> Nullable<Text>,
        accused_at -> Nullable<Timestamptz>,
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
        decision -> Int4,
        item_id -> Nullable<Uuid>,
        thread_key -> Nullable<Text>,
        folded -> Nullable<Int4>,
        seen_at -> Nullable<Timestamptz>,
        snoozed_until -> Nullable<Timestamptz>,
        due_at -> Nullable<Timestamptz>,
        due_state -> Nullable<Int2>,
        channels -> Nullable<Int8>,
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
    kinds (tenant, kind) {
        tenant -> Text,
        kind -> Text,
        definition -> Jsonb,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    last_values (tenant, topic, subject) {
        tenant -> Text,
        topic -> Text,
        subject -> Text,
        sent_at -> Int8,
        value -> Text,
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
        presentation -> Nullable<Jsonb>,
        decision -> Int4,
        deliver_at -> Nullable<Timestamptz>,
        due_at -> Nullable<Timestamptz>,
        due_by -> Nullable<Text>,
        thread_key -> Nullable<Text>,
        burst_most -> Nullable<Int2>,
        burst_seconds -> Nullable<Int4>,
        channels -> Nullable<Int8>,
        image_url -> Nullable<Text>,
        retracted_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    preferences (tenant, user_id) {
        tenant -> Text,
        user_id -> Text,
        settings -> Jsonb,
        version -> Int8,
        updated_at -> Timestamptz,
    }
}

diesel::table! {
    instances (id) {
        id -> Uuid,
        beat_at -> Timestamptz,
        streams -> Nullable<Int4>,
    }
}

diesel::table! {
    presence_rows (tenant, user_id, instance) {
        tenant -> Text,
        user_id -> Text,
        instance -> Uuid,
        connections -> Int4,
        left_at -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    presence_turn (id) {
        id -> Int2,
        taken_at -> Timestamptz,
        held_until -> Timestamptz,
    }
}

diesel::table! {
    present_users (tenant, user_id) {
        tenant -> Text,
        user_id -> Text,
        since -> Timestamptz,
        told -> Bool,
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
    tenant_settings (tenant) {
        tenant -> Text,
        settings -> Jsonb,
        updated_at -> Timestamptz,
        version -> Int8,
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

diesel::table! {
    withheld (notification_id, tenant, user_id) {
        notification_id -> Uuid,
        tenant -> Text,
        user_id -> Text,
        decision -> Int4,
        channels -> Nullable<Int8>,
    }
}

diesel::table! {
    bursts (tenant, user_id, kind) {
        tenant -> Text,
        user_id -> Text,
        kind -> Text,
        ends_at -> Timestamptz,
        items -> Int4,
    }
}

diesel::table! {
    clock (id) {
        id -> Int2,
        shift -> Interval,
    }
}

diesel::table! {
    duties (notification_id) {
        notification_id -> Uuid,
        tenant -> Text,
        due_at -> Timestamptz,
        state -> Int2,
        steps -> Jsonb,
        step -> Int2,
        next_at -> Nullable<Timestamptz>,
        after_user -> Text,
    }
}

diesel::table! {
    folded (notification_id, tenant, user_id) {
        notification_id -> Uuid,
        tenant -> Text,
        user_id -> Text,
        item_id -> Uuid,
    }
}

diesel::table! {
    scheduled (notification_id) {
        notification_id -> Uuid,
        tenant -> Text,
        deliver_at -> Timestamptz,
        users -> Array<Text>,
        topics -> Array<Text>,
        everyone -> Bool,
        actor -> Nullable<Text>,
        collapse -> Nullable<Bytea>,
        fixed_expiry -> Bool,
    }
}

diesel::table! {
    schema_compatibility (version) {
        version -> Text,
        oldest -> Text,
    }
}

diesel::table! {
    zone_names (name) {
        name -> Text,
        clocks -> Int4,
    }
}

diesel::table! {
    zone_offsets (clocks, starts) {
        clocks -> Int4,
        starts -> Timestamptz,
        seconds -> Int4,
    }
}

diesel::table! {
    zone_release (id) {
        id -> Int2,
        release -> Text,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    account_changes,
    bursts,
    clock,
    duties,
    fanouts,
    folded,
    inbox,
    inbox_changes,
    inbox_unread,
    instances,
    kinds,
    last_values,
    notifications,
    preferences,
    presence_rows,
    presence_turn,
    present_users,
    revocations,
    scheduled,
    schema_compatibility,
    stream_tickets,
    streams,
    subscriptions,
    tenant_settings,
    topic_kinds,
    topic_members,
    topics,
    withheld,
    zone_names,
    zone_offsets,
    zone_release,
);
