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

async function assertPasses(file: string): Promise<void> {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const command = [Deno.execPath(), "test", "-A", "--no-check", path];
  assert.equal(await inNamespace(ip.path, command, { NO_COLOR: "1" }), 0);
}

Deno.test({
  name: "Firefox and Chromium call each other (needs network namespaces)",
  ignore: hasNone,
  fn: () => assertPasses("./firefox_calls.ts"),
});

Deno.test({
  name: "Firefox's and Chromium's handshakes under loss (needs network namespaces)",
  ignore: hasNone || needs("libcrypto").ignore,
  fn: () => assertPasses("./firefox_loss_calls.ts"),
});
