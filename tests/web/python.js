// The Python packages `sseclient-py` and `httpx-sse`, each in the loop that its documentation shows.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

import { Listener } from "./harness/listener.js";
import { scenario, servers, token } from "./harness/scenario.js";

const PYTHON = "../../target/python/bin/python";

await scenario(async () => {
  for (const script of ["python/with_sseclient.py", "python/with_httpx.py"]) {
    const listener = new Listener(script);
    const user = await token(script);
    const client = spawn(PYTHON, ["-u", script, `${servers.url}/api/notifications/stream`, user], { stdio: ["ignore", "pipe", "inherit"] });
    client.on("exit", (code) => listener.failed(`it ended with ${code}`));
    createInterface({ input: client.stdout }).on("line", (line) => {
      const { event, data } = JSON.parse(line);
      if (event === "hello") listener.greeted(data);
      else if (event === "notification") listener.heard(data);
    });
    await listener.survivesDeaths();
    client.removeAllListeners("exit");
    client.kill();
  }
});
