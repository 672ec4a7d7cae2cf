import assert from "node:assert/strict";
import { e2e, HIGH_HERTZ, LOW_HERTZ } from "../support/browser.ts";
import { bothFinish, connect } from "../support/sdk_page.ts";

/** What a stranger may try while others talk. */

/** Larger than any frame may be, characters. */
const HUGE = 4 * 1024 * 1024;

async function socket(url: string): Promise<WebSocket> {
  const opened = new WebSocket(url);
  await new Promise<void>((resolve, reject) => {
    opened.onopen = () => resolve();
    opened.onerror = () => reject(new Error(`no socket at ${url}`));
  });
  return opened;
}

/** Frames that no client sends, each on a socket of its own. */
const GARBAGE: readonly (readonly [string, readonly (string | Uint8Array<ArrayBuffer>)[]])[] = [
  ["binary", [Uint8Array.of(0, 255, 1), new Uint8Array(70_000)]],
  ["no JSON", ["{", "", "null", "[]", "42", '"text"', "\u0000"]],
  ["wrong shapes", [
    "{}",
    '{"message":null,"data":null}',
    '{"message":"call","data":[{"callId":{},"sdp":[]}]}',
    '{"message":"connection","data":[[[[[]]]]]}',
    '{"message":"__proto__","data":[{"__proto__":{"isAdmin":true}}]}',
    '{"message":"hangup","data":[{"callId":"../../x"}]}',
  ]],
  ["deep nesting", ["[".repeat(50_000)]],
  ["huge", [`{"message":"pong","data":["${"x".repeat(HUGE)}"]}`]],
];

e2e("a stranger beside two who talk", {}, async (t, stage) => {
  const { lab } = stage;

  await stage.step(t, "garbage of every kind ends nobody's call", async () => {
    const [alice, bob] = await stage.pair();
    await connect(alice, bob);
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    for (const [, frames] of GARBAGE) {
      const stranger = await socket(lab.webSocket);
      const closed = new Promise<void>((resolve) => stranger.onclose = () => resolve());
      for (const frame of frames) {
        if (stranger.readyState === WebSocket.OPEN) stranger.send(frame);
      }
      stranger.close();
      await closed;
    }
    // Somebody else's call is not a stranger's to end.
    await stage.someone("stranger");
    const victim = await alice.callId();
    const sent = await socket(lab.webSocket);
    for (const message of ["hangup", "hold", "answer", "transfer"]) {
      sent.send(JSON.stringify({ message, data: [{ callId: victim, target: "x", sdp: "v=0" }] }));
    }
    sent.close();
    const before = (await bob.report()).audioPackets;
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    await lab.until("packets go on", () => bob.report(), (now) => now.audioPackets > before + 25);
    assert.deepEqual((await lab.calls()).map(({ state }) => state), ["active", "active"]);
    assert.deepEqual(await alice.statuses(), ["TRYING", "RING", "ESTABLISHED"]);
    await alice.hangup();
    await bothFinish(alice, bob);
    assert.equal((await lab.get<{ status: string }>("/api/health")).status, "ok");
  });

  await stage.step(t, "a page of another site gets neither socket nor a write", async () => {
    const flags = [`--host-resolver-rules=MAP evil.example 127.0.0.1:${lab.port}`];
    // The lab's own favicon makes the page: what counts is the origin that it has.
    const page = await stage.page("stranger", LOW_HERTZ, { flags });
    const blocked = await page.goto("http://evil.example/api/health");
    assert.ok(blocked && blocked.status() >= 400, "a foreign Host was served");
    for (const origin of ["http://evil.example", "https://127.0.0.1.evil.example", "null"]) {
      const headers = { origin, "content-type": "application/json" };
      const write = await fetch(`${lab.origin}/rest-api/call/startup`, {
        method: "POST",
        headers,
        body: '{"sipLogin":"alice","callee":"bob"}',
      });
      await write.body?.cancel();
      assert.equal(write.status, 403, `POST from ${origin}`);
      const removal = await fetch(`${lab.origin}/api/calls/x`, { method: "DELETE", headers });
      await removal.body?.cancel();
      assert.equal(removal.status, 403, `DELETE from ${origin}`);
    }
    const outcome = await page.evaluate<string>(`new Promise((resolve) => {
      const socket = new WebSocket("ws://127.0.0.1:${lab.port}");
      socket.onopen = () => resolve("open");
      socket.onerror = () => resolve("refused");
    })`);
    assert.equal(outcome, "refused");
  });
});
