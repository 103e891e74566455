// The page at "/" is accessible: light and dark, wide and narrow, empty and full, with and without a token.

import { Desk } from "./harness/desk.js";
import { Browser, scenario } from "./harness/scenario.js";

await scenario(async () => {
  const desk = await Desk.of("u1", { context: { bypassCSP: true } });
  await desk.isAccessible();
  for (const example of ["Escalation", "Overdue callback", "Due callback", "Missed call", "Reply on a thread"]) await desk.publish(example);
  await desk.counted({ arrived: 5 });
  await desk.page.locator("#log summary").first().click();
  for (const colorScheme of /** @type {const} */ (["light", "dark"])) {
    await desk.page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    for (const width of [1280, 390]) {
      await desk.page.setViewportSize({ width, height: 800 });
      await desk.isAccessible();
    }
  }
  await desk.press("Expire the token");
  await desk.is("expired");
  await desk.isAccessible();

  const reader = await Desk.of("u3", { scope: "", context: { bypassCSP: true } });
  await reader.isAccessible();

  const stranger = await Browser.of("u2", { context: { bypassCSP: true } });
  const gate = new Desk(await stranger.context.newPage());
  await gate.page.goto(stranger.url);
  await gate.reads("gate-title", "Open a desk");
  await gate.isAccessible();
});
