-- Lets rows go that the caller still holds. The pause is half the age of the row, from $3 to $4 seconds.
update tidings.inlet as i
set claimed_until = clock_timestamp() + make_interval(
        secs => greatest($3, least($4, extract(epoch from clock_timestamp() - i.written_at)::float8 / 2))
    ),
    claims = i.claims - (not $5)::int
from unnest($1::bigint[], $2::timestamptz[]) as given (id, claimed_until)
where i.id = given.id and i.claimed_until = given.claimed_until
