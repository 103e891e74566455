-- Claims the oldest rows that nobody works on, up to $1 and up to $3 bytes of messages, but one at least. A retraction stays until the
-- publish that it takes back is gone from here. The message of a row that is claimed too often is left where it is.
with free as (
    select i.id, i.bytes from tidings.inlet as i
    where i.claims {claims} and (i.claimed_until is null or i.claimed_until < clock_timestamp())
        and (
            i.message is not null
            or not exists (
                select from tidings.inlet as p where p.tenant = i.tenant and p.key = i.key and p.message is not null
            )
            and not exists (select from tidings.inlet as p where p.id = i.publish and p.tenant = i.tenant)
        )
    order by i.id limit $1
    for update skip locked
), next as (
    select id from (select id, sum(bytes) over (order by id) - bytes as before from free) as summed where before < $3
)
update tidings.inlet as i
set claimed_until = clock_timestamp() + make_interval(secs => $2), claims = i.claims + 1
from next where i.id = next.id
returning i.id, i.tenant, case when i.claims <= $4 then i.message::text end as message, i.message is null as retracts,
    coalesce(i.key, 'sql:' || i.publish) as key, i.claims, i.claimed_until,
    extract(epoch from clock_timestamp() - i.written_at)::float8 as age
