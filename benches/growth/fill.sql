-- Procedures that fill a migrated database quickly: what the server would have written for so many publishes and reads.

-- Loads without indexes and makes them anew: many times faster than keeping them row by row.
create temp table put_away (name text, home text, definition text, is_primary boolean);

create procedure put_indexes_away() language plpgsql as $$
declare one record;
begin
    insert into put_away
    select indexrelid::regclass::text, indrelid::regclass::text, pg_get_indexdef(indexrelid), indisprimary
    from pg_index
    where indrelid in ('inbox'::regclass, 'inbox_changes'::regclass, 'inbox_unread'::regclass);
    for one in select * from put_away loop
        if one.is_primary then
            execute format('alter table %s drop constraint %s', one.home, one.name);
        else
            execute 'drop index ' || one.name;
        end if;
    end loop;
end $$;

create procedure put_indexes_back() language plpgsql as $$
declare one record;
begin
    for one in select * from put_away loop
        execute one.definition;
        if one.is_primary then
            execute format('alter table %s add primary key using index %s', one.home, one.name);
        end if;
    end loop;
end $$;

-- A hundred items for each of so many new users. A publish goes to ten of them, and all users get one item before any
-- gets the next, so that a user's items lie far apart. One item in ten is unread. Of a hundred publishes one is of a rare
-- category, one a missed call, and one a callback, of which one in ten is overdue or due within a day and the others later.
create procedure add_users(first_user bigint, users bigint) language plpgsql as $$
begin
    create temp table published on commit drop as
    select
        n, encode(int8send((1000000000000 + first_user * 10 + n) << 16 | 28672), 'hex') || '8' || substr(md5(n::text), 1, 15) as id,
        case n % 100 when 9 then 'rare' when 19 then 'missedCalls' when 29 then 'callbacks' else 'payments' end as category,
        case when n % 100 = 29 then now() + case when n % 1000 = 29 then n % 48 - 24 else 25 + n % 2000 end * interval '1 hour' end as due_at
    from generate_series(0, users * 10 - 1) as n;
    insert into notifications (
        id, tenant, kind, category, priority, title, body, data, source, fingerprint, recipients, due_at, expires_at
    )
    select
        id::uuid, 'default', 'payment_received', category, 1,
        'Payment received', 'Order ' || n || ' was paid in full.', jsonb_build_object('order', n), 'http',
        decode(md5(id) || md5(id), 'hex'), 10, due_at, now() + interval '90 days' + n * interval '1 second'
    from published;
    insert into duties (notification_id, tenant, due_at, state, steps, next_at)
    select
        id::uuid, 'default', due_at, case when due_at < now() then 2 else 1 end, jsonb_build_array(jsonb_build_object('at', due_at)),
        case when due_at > now() + interval '1 day' then due_at end
    from published where due_at is not null;
    insert into inbox (tenant, user_id, seq, changed_seq, notification_id, read_at, due_at, due_state)
    select
        'default', 'user-' || first_user + at % users, at / users + 1,
        at / users + case when at / users % 10 > 0 then 101 else 1 end,
        id::uuid, case when at / users % 10 > 0 then now() end,
        due_at, case when due_at < now() then 2 when due_at is not null then 1 end
    from published
    cross join lateral generate_series(n * 10, n * 10 + 9) as at
    order by at;
end $$;

-- One more user, whose inbox holds so many items.
create procedure add_inbox(name text, items bigint) language plpgsql as $$
begin
    insert into inbox (tenant, user_id, seq, changed_seq, notification_id, read_at, due_at, due_state)
    select
        'default', name, n, case when n % 10 > 0 and items > 10 then items + n else n end,
        id, case when n % 10 > 0 and items > 10 then now() end,
        due_at, case when due_at < now() then 2 when due_at is not null then 1 end
    from (
        select id, due_at, row_number() over () as n from (select id, due_at from notifications limit items) as newest
    ) as numbered;
end $$;

-- What follows from the inbox: the streams, and what is unread or changed.
create procedure derive() language plpgsql as $$
begin
    insert into streams as s (tenant, user_id, head_seq, unread, listed)
    select tenant, user_id, max(changed_seq), count(*) filter (where read_at is null), count(*)
    from inbox group by tenant, user_id
    on conflict (tenant, user_id) do update
        set head_seq = greatest(s.head_seq, excluded.head_seq), unread = excluded.unread, listed = excluded.listed;
    truncate inbox_unread, inbox_changes;
    insert into inbox_unread (tenant, user_id, seq) select tenant, user_id, seq from inbox where read_at is null;
    insert into inbox_changes (tenant, user_id, changed_seq, seq)
    select tenant, user_id, changed_seq, seq from inbox where changed_seq > seq;
end $$;
