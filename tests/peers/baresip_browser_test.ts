import assert from "node:assert/strict";
import { BARESIP, Baresip, type BaresipOptions } from "../support/baresip.ts";
import { LOW_HERTZ, peerTest, type Stage } from "../support/browser.ts";
import { SECURE_ACCOUNT } from "../support/lab.ts";

/** A browser with the Web SDK on SIP Port 0, and a desk phone registered at us. */

const PHONE_HERTZ = 700;

type Line = Pick<BaresipOptions, "transport" | "codec" | "encryption"> & { readonly user?: string };

/** Each transport and each codec once. */
const LINES: readonly Line[] = [
  { transport: "udp", codec: "PCMU" },
  { transport: "tcp", codec: "PCMA" },
  { transport: "tls", codec: "G722" },
  { transport: "udp", codec: "opus" },
  { user: SECURE_ACCOUNT.name, transport: "tls", codec: "PCMU", encryption: "srtp-mand" },
];

async function phoneAt(
  { lab }: Stage,
  line: Line & Partial<BaresipOptions> = {},
): Promise<Baresip> {
  return await Baresip.start({
    user: "1002",
    hertz: PHONE_HERTZ,
    ...await lab.door(line.transport),
    ...line,
  });
}

peerTest("a browser and a phone", [BARESIP], async (t, stage) => {
  const { lab } = stage;
  for (const line of LINES) {
    const what = `${line.transport} ${line.codec} ${line.encryption ?? "rtp"}`;

    await stage.step(t, `${what}: the browser calls`, async () => {
      await using phone = await phoneAt(stage, line);
      const alice = await stage.someone("alice");
      await alice.call(phone.user);
      await phone.rings();
      await alice.callIs("RING");
      await phone.answer();
      await Promise.all([alice.callIs("ESTABLISHED"), phone.established()]);
      await Promise.all([alice.hears(PHONE_HERTZ), phone.hears(LOW_HERTZ)]);
      await alice.dtmf("5*");
      await phone.hearsDigits("5*");
      const [call] = await lab.calls();
      assert.deepEqual(
        (await lab.call(call!.id)).codecs[0]?.toLowerCase(),
        line.codec?.toLowerCase(),
      );

      await alice.hold();
      await alice.callIs("HOLD");
      await Promise.all([phone.receives(false), alice.hears(0)]);
      await alice.unhold();
      await alice.callIs("ESTABLISHED", { count: 2 });
      await Promise.all([alice.hears(PHONE_HERTZ), phone.receives(true)]);

      await phone.hangup();
      await alice.callIs("FINISH");
    });

    await stage.step(t, `${what}: the phone calls`, async () => {
      await using phone = await phoneAt(stage, line);
      const bob = await stage.someone("bob");
      await phone.dial(bob.name);
      const incoming = await bob.rings();
      assert.equal(incoming.caller, phone.user);
      await bob.answer();
      await Promise.all([bob.callIs("ESTABLISHED"), phone.established()]);
      await Promise.all([bob.hears(PHONE_HERTZ), phone.hears(LOW_HERTZ)]);
      await phone.digits("42");
      const [call] = await lab.calls();
      const view = await lab.until(
        "digits",
        () => lab.call(call!.id),
        ({ dtmf }) => dtmf.length > 1,
      );
      assert.equal(view.dtmf.map(({ digit }) => digit).join(""), "42");

      await phone.hold();
      await Promise.all([phone.receives(false), bob.hears(0)]);
      await phone.resume();
      await Promise.all([bob.hears(PHONE_HERTZ), phone.receives(true)]);

      await bob.hangup();
      await Promise.all([bob.callIs("FINISH"), phone.closed()]);
    });
  }
}, { config: { sip: { accounts: [SECURE_ACCOUNT] } } });
