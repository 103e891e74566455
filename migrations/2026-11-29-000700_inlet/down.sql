drop function tidings.redrive, tidings.publish_many, tidings.publish, tidings.take, tidings.event_key, tidings.check_message,
    tidings.check_tenant, tidings.refuse;
drop function tidings.retract (text, text), tidings.retract (bigint, text);
drop table tidings.dead_letters, tidings.inlet;
alter table notifications drop column retracted_at;
