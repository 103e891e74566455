drop table presence_turn, present_users, presence_rows, instances;
