import assert from "node:assert/strict";
import { BARESIP, Baresip } from "../support/baresip.ts";
import { LOW_HERTZ, type PageUser, peerTest, type Stage } from "../support/browser.ts";

/** A leg on hold has nothing to say, and is not taken for one whose far end is gone. */

const PHONE_HERTZ = 700;
const SILENCE_SECONDS = 2;
/** No packet comes for so long; the time that passes is what is tried. */
const held = () => new Promise((resolve) => setTimeout(resolve, 3 * SILENCE_SECONDS * 1000));

function phoneAt({ lab }: Stage, user: string): Promise<Baresip> {
  return Baresip.start({ user, hertz: PHONE_HERTZ, port: lab.sipPort });
}

async function talking(stage: Stage): Promise<[PageUser, Baresip]> {
  const phone = await phoneAt(stage, "1007");
  const alice = await stage.someone("alice");
  await alice.call(phone.user);
  await phone.rings();
  await phone.answer();
  await Promise.all([alice.callIs("ESTABLISHED"), phone.established()]);
  await Promise.all([alice.hears(PHONE_HERTZ), phone.hears(LOW_HERTZ)]);
  return [alice, phone];
}

peerTest("calls on hold and the limit of silence", [BARESIP], async (t, stage) => {
  await stage.step(t, "the browser holds for long, and talks on", async () => {
    const [alice, made] = await talking(stage);
    await using phone = made;
    await alice.hold();
    await Promise.all([alice.callIs("HOLD"), phone.receives(false), alice.hears(0)]);
    await held();
    await alice.unhold();
    await alice.callIs("ESTABLISHED", { count: 2 });
    await Promise.all([alice.hears(PHONE_HERTZ), phone.receives(true)]);
    await alice.hangup();
    await Promise.all([alice.callIs("FINISH"), phone.closed()]);
  });

  await stage.step(t, "the phone holds for long, and talks on", async () => {
    const [alice, made] = await talking(stage);
    await using phone = made;
    await phone.hold();
    await Promise.all([phone.receives(false), alice.hears(0)]);
    await held();
    await phone.resume();
    await Promise.all([alice.hears(PHONE_HERTZ), phone.receives(true)]);
    await phone.hangup();
    await alice.callIs("FINISH");
  });

  await stage.step(t, "both hold for long, and talk on", async () => {
    const [alice, made] = await talking(stage);
    await using phone = made;
    await alice.hold();
    await alice.callIs("HOLD");
    await phone.hold();
    await Promise.all([phone.receives(false), alice.hears(0)]);
    await held();
    await alice.unhold();
    await alice.callIs("ESTABLISHED", { count: 2 });
    await alice.hears(0);
    await phone.resume();
    await Promise.all([alice.hears(PHONE_HERTZ), phone.receives(true)]);
    await alice.hangup();
    await phone.closed();
  });

  await stage.step(t, "a phone that goes without a word ends the browser's call", async () => {
    const [alice, made] = await talking(stage);
    await using phone = made;
    const callId = await alice.callId();
    phone.vanish();
    await alice.callIs("FAILED", { ms: 20_000 });
    // Nobody answers the BYE.
    await stage.lab.noLiveCalls(45_000);
    const { termination } = await stage.lab.call(callId);
    assert.equal(termination?.reason, "media_silent");
  });

  await stage.step(t, "a phone holds a phone for long; then both go without a word", async () => {
    const { lab } = stage;
    await using one = await phoneAt(stage, "1007");
    await using other = await phoneAt(stage, "1008");
    await one.dial(other.user);
    await other.rings();
    await other.answer();
    await Promise.all([one.established(), other.established()]);
    await Promise.all([one.hears(PHONE_HERTZ), other.hears(PHONE_HERTZ)]);
    await one.hold();
    await Promise.all([one.receives(false), other.receives(false)]);
    await held();
    await one.resume();
    await Promise.all([one.receives(true), other.receives(true)]);
    // That the limit is there: nobody hangs up, and the call ends by it.
    one.vanish();
    other.vanish();
    await lab.noLiveCalls(15_000);
    const ended = await lab.calls("?state=ended");
    const transits = ended.filter(({ direction }) => direction === "transit");
    assert.deepEqual(transits.map(({ termination }) => termination?.reason), ["media_silent"]);
  });
}, { env: { PORTZERO_MEDIA_SILENCETIMEOUTSECONDS: `${SILENCE_SECONDS}` } });
