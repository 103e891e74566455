alter table inbox drop column reason;
drop table account_changes, subscriptions, topic_members, topics, topic_kinds;
