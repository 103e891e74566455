// A WebSocket by the npm package `ws`, whose messages are read one after the other. Heartbeats are passed over.

import WebSocket from "ws";

import { servers, token } from "./stage.js";
import { until } from "./until.js";

export class Socket {
  #socket;
  /** @type {any[]} */
  #messages = [];

  /** One that was greeted. @param {string} user */
  static async open(user) {
    const socket = new Socket({ token: await token(user) });
    await socket.next();
    return socket;
  }

  /** @param {{token?: string, origin?: string, query?: string, hear?: (message: any) => void}} how `hear`: handles messages that no call waits for */
  constructor({ token, origin, query = "", hear = (message) => this.#messages.push(message) }) {
    const headers = token ? { authorization: `Bearer ${token}` } : {};
    this.#socket = new WebSocket(`${servers.url.replace("http", "ws")}/ws/notifications${query}`, { headers, origin });
    this.#socket.on("message", (data) => {
      const message = JSON.parse(String(data));
      if (message.type !== "heartbeat") hear(message);
    });
    /** @type {Promise<number>} the code that it is closed with */
    this.closed = new Promise((resolve) => this.#socket.on("close", resolve));
    /** @type {Promise<number | undefined>} the status that refuses the upgrade */
    this.refused = new Promise((resolve) => {
      this.#socket.on("unexpected-response", (_, answer) => {
        resolve(answer.statusCode);
        this.#socket.terminate();
      });
    });
    this.#socket.on("error", () => {});
  }

  next() {
    return until("a message comes", () => this.#messages.shift());
  }

  /** @param {any} message */
  send(message) {
    this.#socket.send(JSON.stringify(message));
  }

  close() {
    this.#socket.close();
  }
}
