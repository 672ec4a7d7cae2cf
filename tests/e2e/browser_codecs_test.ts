import assert from "node:assert/strict";
import type { CallView, LadderView, WebrtcLegView } from "../../src/actors/control_plane.ts";
import { e2e, HIGH_HERTZ, LOW_HERTZ, type Stage } from "../support/browser.ts";
import { chooseCodecs, type CodecChoice } from "../support/codec_choice.ts";
import { bothFinish } from "../support/sdk_page.ts";

/** Two browsers of which one can't do what the other does. */

async function callsOf({ lab }: Stage): Promise<CallView[]> {
  return await Promise.all((await lab.calls()).map(({ id }) => lab.call(id)));
}

function browserLegs(calls: readonly CallView[]): WebrtcLegView[] {
  return calls.flatMap(({ legs: [leg] }) => leg.kind === "webrtc" ? [leg] : []);
}

async function narrowed(stage: Stage, ours: CodecChoice, theirs: CodecChoice) {
  const [alice, bob] = await stage.pair();
  await chooseCodecs(alice.page, ours);
  await chooseCodecs(bob.page, theirs);
  return [alice, bob] as const;
}

e2e("browsers without a common codec", {}, async (t, stage) => {
  const { lab } = stage;
  await lab.codecsOfWorkers();

  for (const [ours, theirs] of [["opus", "PCMU"], ["PCMA", "opus"], ["G722", "PCMU"]] as const) {
    await stage.step(t, `${ours} alone calls ${theirs} alone: transcoded`, async () => {
      const [alice, bob] = await narrowed(stage, { audio: [ours] }, { audio: [theirs] });
      await alice.call(bob.name);
      await bob.rings();
      await bob.answer();
      await Promise.all([alice.callIs("ESTABLISHED"), bob.callIs("ESTABLISHED")]);
      await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
      const codecs = await Promise.all(
        [alice, bob].map(async (user) => (await user.report()).codecs),
      );
      assert.deepEqual(codecs, [[`audio/${ours}`], [`audio/${theirs}`]]);
      const legs = browserLegs(await callsOf(stage));
      assert.deepEqual(legs.map(({ codecs }) => codecs).flat().sort(), [ours, theirs].sort());
      const [transcoding] = legs.flatMap(({ transcoding }) => transcoding ?? []);
      assert.deepEqual(
        [transcoding?.from, transcoding?.to],
        [theirs.toUpperCase(), ours.toUpperCase()],
      );
      assert.equal(legs.filter((leg) => leg.transcoding).length, 1);

      await bob.hold();
      await bob.callIs("HOLD");
      await bob.hears(0);
      await bob.unhold();
      await bob.callIs("ESTABLISHED", { count: 2 });
      await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
      await alice.hangup();
      await bothFinish(alice, bob);
    });
  }

  await stage.step(t, "VP8 alone and H264 alone: audio, and it is said", async () => {
    const [alice, bob] = await narrowed(stage, { video: ["VP8"] }, { video: ["H264"] });
    await alice.call(bob.name, { video: true });
    await bob.rings();
    await bob.answer({ video: true });
    await Promise.all([alice.callIs("ESTABLISHED"), bob.callIs("ESTABLISHED")]);
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    const calls = await callsOf(stage);
    assert.equal(calls.length, 2);
    for (const { warnings, hasVideo, codecs } of calls) {
      assert.equal(hasVideo, false);
      assert.deepEqual(codecs, ["opus"]);
      assert.ok(
        warnings.includes("audio only: no common video codec (VP8 | none of them)"),
        warnings.join("; "),
      );
    }
    const ladder = await lab.get<LadderView>(`/api/calls/${calls[0]!.id}/messages`);
    const notes = ladder.messages.flatMap(({ status, note }) => note ? [`${status} ${note}`] : []);
    assert.ok(notes.length > 0);
    for (const note of notes) {
      assert.equal(note, "200 audio only: no common video codec (VP8 | none of them)");
    }
    await alice.hangup();
    await bothFinish(alice, bob);
  });

  await stage.step(t, "a page that takes the caller's codec out of its answer alone", async () => {
    const [alice, bob] = await stage.pair();
    await chooseCodecs(alice.page, { audio: ["opus"] });
    await alice.call(bob.name);
    await bob.rings();
    // The browser behind it sends Opus all the same.
    await bob.answer({ stripCodecs: "opus,G722,PCMA,red" });
    await Promise.all([alice.callIs("ESTABLISHED"), bob.callIs("ESTABLISHED")]);
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    await alice.hangup();
    await bothFinish(alice, bob);
  });

  await stage.step(t, "audio transcoded, video passes beside it", async () => {
    const [alice, bob] = await narrowed(stage, { audio: ["opus"] }, { audio: ["PCMU"] });
    await alice.call(bob.name, { video: true });
    await bob.rings();
    await bob.answer({ video: true });
    await Promise.all([alice.callIs("ESTABLISHED"), bob.callIs("ESTABLISHED")]);
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    await Promise.all([alice.sees(20), bob.sees(20)]);
    await bob.hangup();
    await bothFinish(alice, bob);
  });
});

e2e("browsers without a common codec, and no transcoders", {
  env: { PORTZERO_MEDIA_TRANSCODING: "false" },
}, async (t, stage) => {
  await stage.step(t, "the call ends and says why", async () => {
    const [alice, bob] = await narrowed(stage, { audio: ["opus"] }, { audio: ["PCMU"] });
    await alice.call(bob.name);
    await bob.rings();
    await bob.answer();
    await Promise.all([alice.callIs("FAILED"), bob.callIs("FAILED")]);
    const ended = await stage.lab.calls(`?state=ended&user=${alice.name}`);
    assert.ok(ended.length > 0);
    for (const { termination } of ended) assert.equal(termination?.reason, "no_common_codec");
  });
});
