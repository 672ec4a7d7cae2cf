import assert from "node:assert/strict";
import { BARESIP, Baresip, type PhoneCodec } from "../support/baresip.ts";
import { LOW_HERTZ, peerTest, type Stage } from "../support/browser.ts";
import { SECURE_ACCOUNT } from "../support/lab.ts";
import { LINPHONE, Linphone, type LinphoneOptions } from "../support/linphone.ts";

/** Linphone registered at us: with a browser on SIP Port 0, and with another desk phone. */

const PHONE_HERTZ = 700;
const DESK_HERTZ = 1_200;

interface Line extends Pick<LinphoneOptions, "transport" | "isSecure"> {
  readonly user?: string;
  readonly codec: PhoneCodec;
}

/** Each transport, and most codecs, once. */
const LINES: readonly Line[] = [
  { transport: "udp", codec: "PCMU" },
  { transport: "tcp", codec: "opus" },
  { transport: "tls", codec: "G722" },
  { user: SECURE_ACCOUNT.name, transport: "tls", codec: "PCMA", isSecure: true },
];

async function phoneAt(
  { lab }: Stage,
  line: Line = LINES[0]!,
): Promise<Linphone> {
  return await Linphone.start({
    user: "1002",
    hertz: PHONE_HERTZ,
    ...await lab.door(line.transport),
    ...line,
  });
}

peerTest("Linphone with a browser and with a phone", [LINPHONE, BARESIP], async (t, stage) => {
  const { lab } = stage;
  for (
    const line of LINES
  ) {
    const what = `${line.transport} ${line.codec} ${line.isSecure ? "srtp" : "rtp"}`;

    await stage.step(t, `${what}: the browser calls`, async () => {
      await using phone = await phoneAt(stage, line);
      const alice = await stage.someone("alice");
      await alice.call(phone.user);
      await phone.rings();
      await alice.callIs("RING");
      await phone.answer();
      await Promise.all([alice.callIs("ESTABLISHED"), phone.established()]);
      await Promise.all([alice.hears(PHONE_HERTZ), phone.hears(LOW_HERTZ)]);
      const [call] = await lab.calls();
      const { codecs } = await lab.call(call!.id);
      assert.equal(codecs[0]?.toLowerCase(), line.codec?.toLowerCase());
      await alice.dtmf("5*");
      await phone.hearsDigits("5*");

      await alice.hold();
      await Promise.all([alice.callIs("HOLD"), phone.isHeld()]);
      await Promise.all([phone.hears(0), alice.hears(0)]);
      await alice.unhold();
      await alice.callIs("ESTABLISHED", { count: 2 });
      await Promise.all([alice.hears(PHONE_HERTZ), phone.hears(LOW_HERTZ)]);

      await phone.hangup();
      await alice.callIs("FINISH");
      await isSecureThroughout(phone, line);
    });

    await stage.step(t, `${what}: the phone calls`, async () => {
      await using phone = await phoneAt(stage, line);
      const bob = await stage.someone("bob");
      await phone.dial(bob.name);
      assert.equal((await bob.rings()).caller, phone.user);
      await phone.ringsBack();
      await bob.answer();
      await Promise.all([bob.callIs("ESTABLISHED"), phone.established()]);
      await Promise.all([bob.hears(PHONE_HERTZ), phone.hears(LOW_HERTZ)]);
      await phone.digits("42");
      const [call] = await lab.calls();
      const { dtmf } = await lab.until(
        "digits",
        () => lab.call(call!.id),
        (view) => view.dtmf.length > 1,
      );
      assert.equal(dtmf.map(({ digit }) => digit).join(""), "42");

      await phone.hold();
      await phone.holds();
      await Promise.all([phone.hears(0), bob.hears(0)]);
      await phone.resume();
      await Promise.all([bob.hears(PHONE_HERTZ), phone.hears(LOW_HERTZ)]);

      await bob.hangup();
      await Promise.all([bob.callIs("FINISH"), phone.closed()]);
      await isSecureThroughout(phone, line);
    });

    await stage.step(t, `${what}: a desk phone is called through us`, async () => {
      await using phone = await phoneAt(stage, line);
      await using desk = await Baresip.start({
        user: "1003",
        hertz: DESK_HERTZ,
        port: lab.sipPort,
        codec: line.codec,
      });
      await phone.dial("1003");
      await desk.rings();
      await phone.ringsBack();
      await desk.answer();
      await Promise.all([phone.established(), desk.established()]);
      await Promise.all([phone.hears(DESK_HERTZ), desk.hears(PHONE_HERTZ)]);
      assert.deepEqual((await lab.calls()).map(({ direction }) => direction), ["transit"]);
      // Beside Opus, Linphone sends events of 48 kHz only, and baresip knows those of 8 kHz only.
      if (line.codec !== "opus") {
        await phone.digits("7");
        await desk.hearsDigits("7");
      }
      await desk.hold();
      await phone.isHeld();
      await phone.hears(0);
      await desk.resume();
      await phone.hears(DESK_HERTZ);
      await desk.hangup();
      await phone.closed();
      await isSecureThroughout(phone, line);
    });
  }

  await stage.step(
    t,
    "a call that nobody takes, and one that is refused, end in words",
    async () => {
      await using phone = await phoneAt(stage);
      await phone.dial("1019");
      await phone.fails();
      const bob = await stage.someone("bob");
      await phone.dial(bob.name);
      await bob.rings();
      await bob.hangup();
      await phone.tells(/Call \d+ with \S+ ended \(Call declined\)/);
    },
  );
}, { config: { sip: { accounts: [SECURE_ACCOUNT] } } });

/** With SRTP no description goes by without it; otherwise none has it. */
async function isSecureThroughout(phone: Linphone, line: Line): Promise<void> {
  const lines = await phone.descriptions();
  assert.ok(lines.length > 1, "no descriptions");
  for (const media of lines) assert.equal(/ RTP\/SAVPF? /.test(media), !!line.isSecure, media);
}
