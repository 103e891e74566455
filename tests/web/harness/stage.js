// The servers of a scenario. The test that started them does what only it can do, by lines of JSON.

import { createInterface } from "node:readline";

/** @type {Map<number, (answer: any) => void>} */
const asked = new Map();
const lines = createInterface({ input: process.stdin });
const description = new Promise((resolve) => asked.set(0, resolve));
lines.on("line", (line) => {
  const { id = 0, ...rest } = JSON.parse(line);
  asked.get(id)?.(id === 0 ? rest : rest.answer);
  asked.delete(id);
});
lines.on("close", () => process.exit(1));

let requests = 0;

/** The addresses of the servers: `url` of nginx, and `instances` behind it. @type {{url: string, instances: string[]}} */
export const servers = await description;

/** @param {Record<string, any>} order one of `Order` in tests/it/web/stage.rs */
function ask(order) {
  const id = ++requests;
  process.stdout.write(`${JSON.stringify({ id, order })}\n`);
  return new Promise((resolve) => asked.set(id, resolve));
}

/** @param {string} user @param {{scope?: string, seconds?: number}} [claims] */
export const token = (user, claims = {}) => ask({ order: "token", user, ...claims });

/** @param {number} instance */
export const kill = (instance) => ask({ order: "kill", instance });

/** @param {number} instance */
export const terminate = (instance) => ask({ order: "terminate", instance });

/** @param {number} instance */
export const start = (instance) => ask({ order: "start", instance });

export const killRedis = () => ask({ order: "killRedis" });

export const startRedis = () => ask({ order: "startRedis" });

/** Moves the time of the server on. @param {number} seconds */
export const advance = (seconds) => ask({ order: "advance", seconds });

/** @param {string} user */
export const forget = (user) => ask({ order: "forget", user });

export const bufferingProxy = () => ask({ order: "bufferingProxy" });

export const subPathProxy = () => ask({ order: "subPathProxy" });

export const hidingProxy = () => ask({ order: "hidingProxy" });
