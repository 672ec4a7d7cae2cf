import assert from "node:assert/strict";
import { BARESIP, Baresip } from "../support/baresip.ts";
import { HIGH_HERTZ, LOW_HERTZ, peerTest, type Stage } from "../support/browser.ts";
import { freeUdpPort } from "../support/sipp_trunk.ts";

/** Browsers and a carrier's gateway, played by baresip with a tone of its own. */

const GATEWAY_HERTZ = 700;
const NUMBER = "+4917012345";
const port = freeUdpPort();

const config = {
  trunks: [{
    name: "carrier",
    host: "127.0.0.1",
    port,
    optionsSeconds: 0,
    number: "+4930555",
  }],
  dialPlan: {
    outbound: [{ match: "0.", trunks: ["carrier"], allow: ["1000", "1001"], e164: "49" }],
    inbound: [{ match: "4930555.", to: "1000" }],
  },
};

const gatewayAt = ({ lab }: Stage): Promise<Baresip> =>
  Baresip.start({ user: NUMBER, hertz: GATEWAY_HERTZ, port: lab.sipPort, gatewayPort: port });

async function login(stage: Stage, name: string, hertz: number) {
  const user = await stage.user(name, hertz);
  await user.login({ password: "1234", registerRequired: true });
  return user;
}

peerTest("tones and digits over a trunk", [BARESIP], async (t, stage) => {
  const { lab } = stage;

  await stage.step(
    t,
    "out: digits both ways, hold by either side, hangup by the carrier",
    async () => {
      await using gateway = await gatewayAt(stage);
      const alice = await login(stage, "1000", LOW_HERTZ);
      await alice.call("0170 12345");
      await gateway.rings();
      await gateway.answer();
      await Promise.all([alice.callIs("ESTABLISHED"), gateway.established()]);
      await Promise.all([alice.hears(GATEWAY_HERTZ), gateway.hears(LOW_HERTZ)]);

      await alice.dtmf("18#");
      await gateway.hearsDigits("18#");
      await gateway.digits("0*");
      const callId = await alice.callId();
      const { dtmf } = await lab.until(
        "2 digits",
        () => lab.call(callId),
        (it) => it.dtmf.length > 1,
      );
      assert.equal(dtmf.map(({ digit }) => digit).join(""), "0*");
      await Promise.all([alice.hears(GATEWAY_HERTZ), gateway.hears(LOW_HERTZ)]);

      await alice.hold();
      await Promise.all([alice.callIs("HOLD"), gateway.receives(false), alice.hears(0)]);
      await alice.unhold();
      await alice.callIs("ESTABLISHED", { count: 2 });
      await Promise.all([alice.hears(GATEWAY_HERTZ), gateway.receives(true)]);
      await gateway.hold();
      await Promise.all([gateway.receives(false), alice.hears(0)]);
      await gateway.resume();
      await Promise.all([alice.hears(GATEWAY_HERTZ), gateway.receives(true)]);

      await gateway.hangup();
      await alice.callIs("FINISH");
    },
  );

  await stage.step(t, "a browser is handed on to a number", async () => {
    await using gateway = await gatewayAt(stage);
    const alice = await login(stage, "1000", LOW_HERTZ);
    const bob = await login(stage, "1001", HIGH_HERTZ);
    await alice.call("1001");
    await bob.rings();
    await bob.answer();
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    await alice.transfer("017012345");
    await gateway.rings();
    await gateway.answer();
    await alice.callIs("FINISH");
    await Promise.all([bob.hears(GATEWAY_HERTZ), gateway.hears(HIGH_HERTZ)]);
    await bob.dtmf("6");
    await gateway.hearsDigits("6");
    await gateway.hangup();
    await bob.callIs("FINISH");
  });

  await stage.step(t, "a desk phone dials the trunk, with and without the right", async () => {
    await using gateway = await gatewayAt(stage);
    const desk = (user: string) => Baresip.start({ user, hertz: HIGH_HERTZ, port: lab.sipPort });
    await using stranger = await desk("1002");
    await stranger.dial("017012345");
    const { param } = await stranger.closed();
    assert.match(param ?? "", /^403\b/);
    await using phone = await desk("1000");
    await phone.dial("017012345");
    await gateway.rings();
    assert.equal(gateway.events.filter(({ type }) => type === "CALL_INCOMING").length, 1);
    await gateway.answer();
    await phone.established();
    await Promise.all([phone.hears(GATEWAY_HERTZ), gateway.hears(HIGH_HERTZ)]);
    await phone.digits("7");
    await gateway.hearsDigits("7");
    // Its BYE may come over a connection of its own, and needs no password.
    await gateway.hangup();
    await phone.closed();
  });
}, { config });
