alter table notifications drop column image_url;
