import assert from "node:assert/strict";
import { e2e, HIGH_HERTZ, LOW_HERTZ, type PageUser, type Stage } from "../support/browser.ts";
import { codecsHere } from "../support/codec_phone.ts";
import { bothFinish, connect } from "../support/sdk_page.ts";
import { WirePhone } from "../support/wire_phone.ts";

/** Blind transfer and DTMF among three browsers with the unmodified SDK. */

const THIRD_HERTZ = 1_200;

async function three(stage: Stage): Promise<[PageUser, PageUser, PageUser]> {
  const [alice, bob] = await stage.pair();
  const carol = await stage.someone("carol", THIRD_HERTZ);
  return [alice, bob, carol];
}

e2e("transfer", {}, async (t, stage) => {
  const { lab } = stage;

  await stage.step(t, "the caller hands the callee on: tones before and after", async () => {
    const [alice, bob, carol] = await three(stage);
    await connect(alice, bob);
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    const bobsCall = await bob.callId();
    await alice.holdForTransfer();
    await alice.callIs("HOLD");
    await alice.transfer(carol.name);
    const incoming = await carol.rings();
    assert.equal(incoming.caller, bob.name);
    await bob.hears(0);
    await carol.answer();
    await Promise.all([alice.callIs("FINISH"), carol.callIs("ESTABLISHED")]);
    await Promise.all([bob.hears(THIRD_HERTZ), carol.hears(HIGH_HERTZ)]);
    const calls = await lab.calls();
    assert.deepEqual(calls.map(({ state }) => state), ["active", "active"]);
    assert.ok(calls.some(({ id }) => id === bobsCall), "the callee's call should be the same one");
    // The new pair is a pair like any other.
    await carol.hold();
    await carol.callIs("HOLD");
    await Promise.all([bob.hears(0), carol.hears(0)]);
    await carol.unhold();
    await carol.callIs("ESTABLISHED", { count: 2 });
    await Promise.all([bob.hears(THIRD_HERTZ), carol.hears(HIGH_HERTZ)]);
    await bob.hangup();
    await bothFinish(bob, carol);
    assert.deepEqual((await alice.statuses()).slice(-3), ["ESTABLISHED", "HOLD", "FINISH"]);
  });

  await stage.step(t, "the callee hands the caller on, with pictures", async () => {
    const [alice, bob, carol] = await three(stage);
    await connect(alice, bob, { video: true });
    await Promise.all([alice.sees(10), bob.sees(10)]);
    await bob.transfer(carol.name);
    await carol.rings();
    // Until somebody answers the two talk on.
    await alice.hears(HIGH_HERTZ);
    await carol.answer({ video: true });
    await Promise.all([bob.callIs("FINISH"), carol.callIs("ESTABLISHED")]);
    await Promise.all([alice.hears(THIRD_HERTZ), carol.hears(LOW_HERTZ)]);
    await Promise.all([alice.sees(20), carol.sees(20)]);
    await carol.hangup();
    await bothFinish(alice, carol);
  });

  await stage.step(t, "a transfer that fails: all as it was, by page and by REST", async () => {
    const [alice, bob, carol] = await three(stage);
    await connect(alice, bob);
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    await alice.transfer(carol.name);
    await carol.rings();
    await carol.hangup();
    await alice.callIs("ESTABLISHED", { count: 2 });
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    const path = `${lab.origin}/api/calls/${await alice.callId()}/transfer`;
    const response = await fetch(path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ target: "nobody-of-that-name" }),
    });
    // It was accepted; that it failed is told later.
    assert.equal(response.status, 204, await response.text());
    const failed = await lab.until(
      "the transfer has failed",
      async () => (await lab.call(await alice.callId())).transfer,
      (transfer) => transfer?.status === "failed",
    );
    assert.equal(failed?.sipStatus, 404);
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    await alice.hangup();
    await bothFinish(alice, bob);
  });

  await stage.step(t, "a browser is handed on to a desk phone; digits both ways", async () => {
    const codec = (await codecsHere()).get("PCMA");
    assert(codec, "G.711 is always there");
    await using desk = await WirePhone.register(lab, "1000", codec, THIRD_HERTZ);
    const [alice, bob] = await stage.pair();
    await connect(alice, bob);
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    await alice.transfer(desk.sip.user);
    await alice.callIs("FINISH");
    await Promise.all([bob.hears(THIRD_HERTZ), desk.media.hears(HIGH_HERTZ)]);
    await bob.dtmf("5#");
    await desk.media.until("two digits", () => desk.media.digits === "5#");
    desk.media.press("8");
    const bobsCall = await bob.callId();
    const [pressed] = await lab.until(
      "the phone's digit",
      async () => (await lab.call(bobsCall)).dtmf,
      (digits) => digits.length === 1,
    );
    assert.deepEqual([pressed?.digit, pressed?.from, pressed?.method], ["8", "1000", "RFC2833"]);
    await bob.hangup();
    await bob.callIs("FINISH");
    await desk.media.until("the phone is told", () => desk.isOver);
  });

  await stage.step(t, "hold, unhold, digits and transfer by the vendor's REST calls", async () => {
    const [alice, bob, carol] = await three(stage);
    await connect(alice, bob);
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    const callId = await alice.callId();
    const rest = async (method: string, more: Record<string, unknown> = {}) => {
      const response = await fetch(`${lab.restOrigin}/rest-api/call/${method}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ callId, ...more }),
      });
      assert.deepEqual([response.status, await response.json()], [200, {}], method);
    };
    await rest("hold");
    // The answer is the outcome.
    assert.equal((await lab.call(callId)).state, "held");
    await Promise.all([alice.callIs("HOLD"), alice.hears(0), bob.hears(0)]);
    await rest("unhold");
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    await rest("send_dtmf", { dtmf: 42, type: "INFO" });
    await lab.until(
      "digits",
      async () => (await lab.call(await bob.callId())).dtmf.map(({ digit }) => digit).join(""),
      (digits) => digits === "42",
    );
    await rest("transfer", { target: carol.name });
    await carol.rings();
    await carol.answer();
    await alice.callIs("FINISH");
    await Promise.all([bob.hears(THIRD_HERTZ), carol.hears(HIGH_HERTZ)]);
    await carol.hangup();
    await bothFinish(bob, carol);
  });

  await stage.step(t, "digits by all three methods, and their view and ladder", async () => {
    const [alice, bob] = await stage.pair();
    await connect(alice, bob);
    await alice.dtmf("12*");
    await alice.dtmf("34", "INFO");
    await alice.dtmf("5#D", "INFO_RELAY");
    await bob.dtmf("9");
    const pressed = async (user: PageUser) =>
      (await lab.call(await user.callId())).dtmf.map(({ digit, from }) => `${from} ${digit}`);
    await lab.until("digits", () => pressed(bob), (digits) => digits.length === 8);
    // Events overtake what goes as SIP messages; those keep their order.
    const all = await pressed(bob);
    assert.deepEqual(all, [..."12*345#D"].map((digit) => `${alice.name} ${digit}`));
    await lab.until("digits", () => pressed(alice), (digits) => digits.length === 1);
    const ladder = await lab.get<{ messages: { method: string; status: number | null }[] }>(
      `/api/calls/${await alice.callId()}/messages`,
    );
    const infos = ladder.messages.filter(({ method, status }) =>
      method === "INFO" && status === null
    );
    // Each is on the hop twice: to the proxy, and from it.
    assert.equal(infos.length, 2 * 5);
    await alice.hangup();
    await bothFinish(alice, bob);
  });
});
