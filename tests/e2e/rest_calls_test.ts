import assert from "node:assert/strict";
import { e2e, HIGH_HERTZ, LOW_HERTZ } from "../support/browser.ts";
import { bothFinish, connect } from "../support/sdk_page.ts";

/** Calls that REST makes and ends. */

function post(url: string, body: unknown): Promise<Response> {
  return fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

e2e("REST makes and ends calls", {}, async (t, stage) => {
  const { lab } = stage;

  for (const hasVideo of [false, true]) {
    await stage.step(t, `startup with ${hasVideo ? "video" : "audio"}`, async () => {
      const [alice, bob] = await stage.pair();
      const callId = crypto.randomUUID();
      const response = await post(`${lab.restOrigin}/rest-api/call/startup`, {
        callId,
        sipLogin: alice.name,
        callee: bob.name,
        hasAudio: "true",
        hasVideo: String(hasVideo),
      });
      assert.equal(response.status, 200, await response.text());
      await alice.rings();
      assert.equal(await alice.callId(), callId);
      assert.deepEqual((await bob.facts()).filter(({ status }) => status === "INCOMING_CALL"), []);
      await alice.answer({ video: hasVideo });
      await bob.rings();
      await bob.answer({ video: hasVideo });
      await Promise.all([alice.callIs("ESTABLISHED"), bob.callIs("ESTABLISHED")]);
      await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
      if (hasVideo) await Promise.all([alice.sees(20), bob.sees(20)]);

      const found = await post(`${lab.restOrigin}/rest-api/call/find`, { callId });
      const [first] = await found.json() as { callId: string; status: string }[];
      assert.deepEqual([first?.callId, first?.status], [callId, "ESTABLISHED"]);
      const ended = await post(`${lab.restOrigin}/rest-api/call/terminate`, { callId });
      assert.equal(ended.status, 200, await ended.text());
      await bothFinish(alice, bob);
    });
  }

  await stage.step(t, "DELETE ends both sides", async () => {
    const [alice, bob] = await stage.pair();
    await connect(alice, bob);
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    const id = await bob.callId();
    const response = await fetch(`${lab.origin}/api/calls/${id}`, { method: "DELETE" });
    assert.ok(response.ok, await response.text());
    await bothFinish(alice, bob);
    await lab.noLiveCalls();
    assert.equal((await lab.call(id)).termination?.reason, "operator");
  });

  await stage.step(t, "the first party of a startup rejects", async () => {
    const [alice, bob] = await stage.pair();
    const response = await post(`${lab.restOrigin}/rest-api/call/startup`, {
      callId: crypto.randomUUID(),
      sipLogin: alice.name,
      callee: bob.name,
      hasAudio: true,
    });
    assert.equal(response.status, 200, await response.text());
    await alice.rings();
    await alice.hangup();
    await alice.callIs("FINISH");
    assert.deepEqual((await bob.facts()).filter(({ status }) => status === "INCOMING_CALL"), []);
  });
});
