import assert from "node:assert/strict";
import { Lab } from "../support/lab.ts";
import { SipPeer } from "../support/sip_peer.ts";

/** A restart of the real server: who is registered by UDP stays reachable. */

async function bindings(lab: Lab): Promise<readonly { aor: string }[]> {
  return (await lab.get<{ registrations: { aor: string }[] }>("/api/registrations")).registrations;
}

/** Registers a phone, restarts, and says whether a MESSAGE still finds it. */
async function afterRestart(transport: "UDP" | "TCP", isInMemory: boolean): Promise<number> {
  const data = await Deno.makeTempDir();
  const env = {
    PORTZERO_DATA_DIRECTORY: data,
    PORTZERO_DATA_MEMORY: String(isInMemory),
  };
  try {
    const first = await Lab.start({ env });
    const port = first.sipPort;
    await using callee = await SipPeer.open("1000", { transport, host: "127.0.0.1", port });
    assert.equal((await callee.register()).status, 200);
    await first[Symbol.asyncDispose]();
    await using second = await Lab.start({ env: { ...env, PORTZERO_SIP_PORT: String(port) } });
    const isKept = transport === "UDP" && !isInMemory;
    assert.equal((await bindings(second)).length, isKept ? 1 : 0);
    await using caller = await SipPeer.open("1001", { transport: "UDP", host: "127.0.0.1", port });
    const asked = caller.ask(caller.request("MESSAGE", "sip:1000@localhost"));
    if (isKept) await callee.answer(await callee.hearRequest("MESSAGE"), 200);
    return (await asked).status;
  } finally {
    await Deno.remove(data, { recursive: true });
  }
}

Deno.test("a UDP phone is reached after a restart without registering again", async () => {
  assert.equal(await afterRestart("UDP", false), 200);
});

Deno.test("a TCP phone is away until it connects anew; so is everybody with data.memory", async () => {
  assert.equal(await afterRestart("TCP", false), 480);
  assert.equal(await afterRestart("UDP", true), 480);
});
