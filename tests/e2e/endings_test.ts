import assert from "node:assert/strict";
import { e2e, HIGH_HERTZ, LOW_HERTZ } from "../support/browser.ts";
import { bothFinish, connect } from "../support/sdk_page.ts";
import type { Lab } from "../support/lab.ts";

/** Every way in which a call comes to nothing, as both people see it. */

/** Why the last call of `user` ended. */
async function reason(lab: Lab, user: string, direction: string): Promise<string | undefined> {
  const ended = await lab.calls(`?state=ended&user=${user}`);
  const latest = ended.filter((call) => call.direction === direction)
    .sort((a, b) => b.startedAt.localeCompare(a.startedAt))[0];
  return latest?.termination?.reason;
}

e2e("calls that come to nothing", {}, async (t, stage) => {
  const { lab } = stage;

  await stage.step(t, "the caller cancels while it rings", async () => {
    const [alice, bob] = await stage.pair();
    await alice.call(bob.name);
    await bob.rings();
    await alice.callIs("RING");
    await alice.hangup();
    await Promise.all([alice.callIs("FINISH"), bob.callIs("FINISH")]);
    await lab.noLiveCalls();
    assert.equal(await reason(lab, alice.name, "outbound"), "cancelled");
    assert.equal(await reason(lab, alice.name, "inbound"), "cancelled");
  });

  await stage.step(t, "the callee rejects", async () => {
    const [alice, bob] = await stage.pair();
    await alice.call(bob.name);
    await bob.rings();
    await bob.hangup();
    await Promise.all([alice.callIs("FINISH"), bob.callIs("FINISH")]);
    const { sipStatus } = (await alice.frames()).at(-1)!.data[0] as { sipStatus: number };
    assert.equal(sipStatus, 603);
    await lab.noLiveCalls();
    assert.equal(await reason(lab, alice.name, "outbound"), "rejected");
  });

  await stage.step(t, "nobody of that name", async () => {
    const alice = await stage.someone("alice");
    await alice.call("nobody");
    await alice.callIs("FAILED");
    const { text } = await alice.session("WARN");
    assert.match(text ?? "", /Nobody of that name/);
    const finish = (await alice.frames()).at(-1)!;
    assert.equal((finish.data[0] as { sipStatus: number }).sipStatus, 404);
  });

  await stage.step(t, "the microphone is denied to the caller: nothing is left over", async () => {
    const alice = await stage.user(stage.unique("alice"), LOW_HERTZ, { isAllowed: false });
    await alice.login();
    await alice.call(alice.name);
    await alice.callIs("FAILED");
    assert.deepEqual(await lab.calls(), []);
  });

  await stage.step(t, "two calls at once: the second rings too, and each ends alone", async () => {
    const [alice, bob] = await stage.pair();
    const carol = await stage.someone("carol", HIGH_HERTZ);
    await connect(alice, bob);
    await carol.call(bob.name);
    await bob.rings(2);
    await bob.hangup();
    await Promise.all([carol.callIs("FINISH"), bob.callIs("FINISH")]);
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    await bob.hangup(0);
    await alice.callIs("FINISH");
  });
});

e2e("calls that nobody answers in time", {
  env: {
    PORTZERO_SIP_RINGTIMEOUTSECONDS: "2",
    PORTZERO_MEDIA_SETUPTIMEOUTSECONDS: "2",
    PORTZERO_MEDIA_SILENCETIMEOUTSECONDS: "2",
  },
}, async (t, stage) => {
  const { lab } = stage;

  await stage.step(t, "it rings for too long", async () => {
    const [alice, bob] = await stage.pair();
    await alice.call(bob.name);
    await bob.rings();
    await Promise.all([alice.callIs("FAILED"), bob.callIs("FINISH")]);
    assert.equal((await alice.receives("finish")).text, "Failed by request timeout");
    assert.equal(await reason(lab, alice.name, "outbound"), "ring_timeout");
  });

  await stage.step(t, "the callee's microphone is denied", async () => {
    const [alice, bob] = await Promise.all([
      stage.user(stage.unique("alice"), LOW_HERTZ),
      stage.user(stage.unique("bob"), HIGH_HERTZ, { isAllowed: false }),
    ]);
    await Promise.all([alice.login(), bob.login()]);
    await alice.call(bob.name);
    await bob.rings();
    await bob.answer();
    // The SDK tells its page alone; for the caller it goes on ringing.
    await bob.callIs("FAILED");
    await alice.callIs("FAILED");
    await lab.noLiveCalls();
  });

  await stage.step(t, "a browser that never reaches the media port", async () => {
    const [alice, bob] = await stage.pair();
    await alice.call(bob.name);
    await bob.rings();
    await bob.page.evaluate(`
      RTCPeerConnection.prototype.addIceCandidate = async () => {};
      const set = RTCPeerConnection.prototype.setRemoteDescription;
      RTCPeerConnection.prototype.setRemoteDescription = function (description) {
        const { type, sdp } = description;
        return set.call(this, { type, sdp: sdp.replace(/^a=candidate:.*\\r\\n/gm, "") });
      };`);
    await bob.answer();
    // Her own side is well: for her it is the other side that ends.
    await Promise.all([alice.callIs("FINISH"), bob.callIs("FAILED")]);
    await lab.noLiveCalls();
    assert.equal(await reason(lab, alice.name, "inbound"), "media_timeout");
  });

  await stage.step(t, "a browser whose media end in mid-call", async () => {
    const [alice, bob] = await stage.pair();
    await connect(alice, bob);
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    await bob.closeConnection();
    await Promise.race([alice.callIs("FINISH"), alice.callIs("FAILED")]);
    await lab.noLiveCalls();
  });
});

e2e("a callee who is busy", {
  env: { PORTZERO_SIP_REJECTSTATUS: "486", PORTZERO_SIP_BUSYSTATUS: "BUSY" },
}, async (t, stage) => {
  await stage.step(
    t,
    "486 becomes BUSY at the caller, and the next call goes through",
    async () => {
      const [alice, bob] = await stage.pair();
      await alice.call(bob.name);
      await bob.rings();
      await bob.hangup();
      await Promise.all([alice.callIs("BUSY"), bob.callIs("FINISH")]);
      assert.equal(await reason(stage.lab, alice.name, "outbound"), "busy");
      await alice.call(bob.name);
      await bob.rings(2);
      await bob.answer();
      await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
      await bob.hangup();
      await bothFinish(alice, bob);
    },
  );
});
