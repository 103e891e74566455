-- Claims the oldest rows that nobody works on. A retraction stays until the publish that it takes back is gone from here.
with next as (
    select i.id from tidings.inlet as i
    where (i.claimed_until is null or i.claimed_until < clock_timestamp())
        and (
            i.message is not null
            or not exists (
                select from tidings.inlet as p
                where p.tenant = i.tenant and p.key = i.key and p.id < i.id and p.message is not null
            )
            and not exists (select from tidings.inlet as p where p.id = i.publish and p.tenant = i.tenant)
        )
    order by i.id limit $1
    for update skip locked
)
update tidings.inlet as i
set claimed_until = clock_timestamp() + make_interval(secs => $2), claims = i.claims + 1
from next where i.id = next.id
returning i.id, i.tenant, i.message::text as message, coalesce(i.key, 'sql:' || i.publish) as key, i.claims
