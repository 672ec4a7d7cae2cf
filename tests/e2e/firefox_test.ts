import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { inNamespace } from "../support/netns.ts";
import { needs } from "../support/needs.ts";

/**
 * Firefox and Chromium in a network namespace. What happens there is in `firefox_calls.ts` and
 * `firefox_loss_calls.ts`, run by a Deno of their own inside.
 */

const ip = needs("netns");
const hasNone = ip.ignore || needs("firefox").ignore || needs("chromium").ignore;

const CALLS = new URL("./firefox_calls.ts", import.meta.url);
const LOSS = new URL("./firefox_loss_calls.ts", import.meta.url);

async function assertPasses(file: URL): Promise<void> {
  const command = [Deno.execPath(), "test", "-A", "--no-check", fileURLToPath(file)];
  assert.equal(await inNamespace(ip.path, command, { NO_COLOR: "1" }), 0);
}

Deno.test({
  name: "Firefox and Chromium call each other (needs network namespaces)",
  ignore: hasNone,
  fn: () => assertPasses(CALLS),
});

Deno.test({
  name: "Firefox's and Chromium's handshakes under loss (needs network namespaces)",
  ignore: hasNone || needs("libcrypto").ignore,
  fn: () => assertPasses(LOSS),
});
