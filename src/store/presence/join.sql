-- Notes that topics are told of who joined, and answers who: at most $1.
update present_users as p set told = true
from (select tenant, user_id from present_users where not told limit $1) as news
where p.tenant = news.tenant and p.user_id = news.user_id
returning p.tenant, p.user_id
