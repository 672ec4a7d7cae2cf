import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { inNamespace } from "../support/netns.ts";
import { needs } from "../support/needs.ts";

/**
 * Firefox and Chromium in a network namespace. What happens there is in `firefox_calls.ts`, run by
 * a Deno of its own inside.
 */

const CALLS = fileURLToPath(new URL("./firefox_calls.ts", import.meta.url));
const ip = needs("netns");

Deno.test({
  name: "Firefox and Chromium call each other (needs network namespaces)",
  ignore: ip.ignore || needs("firefox").ignore || needs("chromium").ignore,
  fn: async () => {
    const command = [Deno.execPath(), "test", "-A", "--no-check", CALLS];
    assert.equal(await inNamespace(ip.path, command, { NO_COLOR: "1" }), 0);
  },
});
