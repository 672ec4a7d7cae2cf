import assert from "node:assert/strict";
import { e2e, HIGH_HERTZ, LOW_HERTZ, type PageUser } from "../support/browser.ts";
import { bothFinish, connect } from "../support/sdk_page.ts";

/** An audio call between two browsers with the unmodified SDK, in full. */

const bothHear = (alice: PageUser, bob: PageUser) =>
  Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);

e2e("an audio call", {}, async (t, stage) => {
  const { lab } = stage;

  await stage.step(t, "tones both ways, hold, unhold, hangup", async () => {
    const [alice, bob] = await stage.pair();
    await alice.call(bob.name);
    const incoming = await bob.rings();
    assert.equal(incoming.caller, alice.name);
    await alice.callIs("RING");
    await bob.answer();
    await Promise.all([alice.callIs("ESTABLISHED"), bob.callIs("ESTABLISHED")]);
    await bothHear(alice, bob);

    await alice.hold();
    await alice.callIs("HOLD");
    await Promise.all([bob.hears(0), alice.hears(0)]);
    const held = await lab.calls();
    assert.deepEqual(held.map(({ state }) => state), ["held", "held"]);
    await alice.unhold();
    await alice.callIs("ESTABLISHED", { count: 2 });
    await bothHear(alice, bob);

    await bob.hangup();
    await bothFinish(alice, bob);
    assert.deepEqual(await alice.statuses(), [
      "TRYING",
      "RING",
      "ESTABLISHED",
      "HOLD",
      "ESTABLISHED",
      "FINISH",
    ]);
    assert.deepEqual(await bob.statuses(), ["RING", "ESTABLISHED", "FINISH"]);
  });

  await stage.step(t, "the callee holds, and both hold", async () => {
    const [alice, bob] = await stage.pair();
    await connect(alice, bob);
    await bothHear(alice, bob);
    await bob.hold();
    await bob.callIs("HOLD");
    await Promise.all([alice.hears(0), bob.hears(0)]);
    await alice.hold();
    await alice.callIs("HOLD");
    await bob.unhold();
    await bob.callIs("ESTABLISHED", { count: 2 });
    // The caller still holds.
    assert.deepEqual((await lab.calls()).map(({ state }) => state), ["held", "held"]);
    assert.equal((await bob.peak()).hertz, 0);
    await alice.unhold();
    await alice.callIs("ESTABLISHED", { count: 2 });
    await bothHear(alice, bob);
    await alice.hangup();
    await bothFinish(alice, bob);
  });

  await stage.step(t, "REST shows both calls, live and ended", async () => {
    const [alice, bob] = await stage.pair();
    await connect(alice, bob);
    await bothHear(alice, bob);
    const calls = await lab.calls();
    assert.equal(calls.length, 2);
    const outbound = calls.find(({ direction }) => direction === "outbound");
    const inbound = calls.find(({ direction }) => direction === "inbound");
    assert.ok(outbound && inbound);
    assert.equal(outbound.id, await alice.callId());
    assert.equal(inbound.id, await bob.callId());
    assert.equal(outbound.peerCallId, inbound.id);
    assert.equal(inbound.peerCallId, outbound.id);
    assert.equal(outbound.sipCallId, inbound.sipCallId);
    for (const { id, caller, callee, state } of calls) {
      assert.deepEqual([caller, callee, state], [alice.name, bob.name, "active"]);
      const view = await lab.until(
        "packets both ways and a round trip",
        () => lab.call(id),
        ({ legs: [{ kind, ...leg }] }) => {
          const statistics = kind === "webrtc" && "statistics" in leg ? leg.statistics : null;
          return statistics !== null && statistics.receivePackets > 50 &&
            statistics.sendPackets > 50;
        },
      );
      const [webrtc, sip] = view.legs;
      assert.ok(webrtc.kind === "webrtc" && sip.kind === "sip");
      assert.deepEqual([webrtc.ice, webrtc.dtls], ["connected", "connected"]);
      assert.deepEqual(view.codecs, ["opus"]);
      assert.equal(webrtc.statistics?.audioCodec, "opus");
      assert.equal(sip.dialogState, "confirmed");
      assert.ok(sip.localTag !== "" && sip.remoteTag);
      assert.deepEqual(view.warnings, []);
    }
    await alice.hangup();
    await bothFinish(alice, bob);
    await lab.noLiveCalls();
    for (const { id, by } of [{ ...outbound, by: "local" }, { ...inbound, by: "remote" }]) {
      const { state, termination, endedAt } = await lab.call(id);
      assert.equal(state, "ended");
      assert.ok(endedAt);
      assert.equal(termination?.by, by);
      assert.match(termination?.text ?? "", / side hung up$/);
    }
  });
});
