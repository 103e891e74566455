// Socket.IO with its Redis adapter: a client joins the room of the user that it names.
import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { createServer } from "node:http";
import { Server } from "socket.io";

const { PORT, REDIS_URL } = process.env;
const publisher = createClient({ url: REDIS_URL });
const subscriber = publisher.duplicate();
await Promise.all([publisher.connect(), subscriber.connect()]);

const http = createServer();
const io = new Server(http, {
  adapter: createAdapter(publisher, subscriber),
  transports: ["websocket"],
  serveClient: false,
});
io.on("connection", (socket) => socket.join(socket.handshake.query.user));
http.listen({ port: Number(PORT), host: "127.0.0.1", backlog: 4096 });
