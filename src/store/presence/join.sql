-- Marks users who joined as announced and answers them: at most $1.
update present_users as p set told = true
from (select tenant, user_id from present_users where not told limit $1) as news
where p.tenant = news.tenant and p.user_id = news.user_id
returning p.tenant, p.user_id
