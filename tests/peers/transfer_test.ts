import { BARESIP, Baresip } from "../support/baresip.ts";
import { HIGH_HERTZ, LOW_HERTZ, peerTest } from "../support/browser.ts";
import { connect } from "../support/sdk_page.ts";

/** Blind transfer with phones: by REFER from one, and to one. */

const PHONE_HERTZ = 700;

peerTest("blind transfer with a phone", [BARESIP], async (t, stage) => {
  const { lab } = stage;
  const phoneAt = (): Promise<Baresip> =>
    Baresip.start({ user: "1006", hertz: PHONE_HERTZ, port: lab.sipPort, codec: "PCMU" });

  await stage.step(t, "a phone hands a browser on to another browser", async () => {
    await using phone = await phoneAt();
    const alice = await stage.user(stage.unique("alice"), LOW_HERTZ);
    const bob = await stage.user(stage.unique("bob"), HIGH_HERTZ);
    await Promise.all([alice.login(), bob.login()]);
    await alice.call("1006");
    await phone.rings();
    await phone.answer();
    await Promise.all([alice.callIs("ESTABLISHED"), phone.established()]);
    await Promise.all([alice.hears(PHONE_HERTZ), phone.hears(LOW_HERTZ)]);
    await phone.transfer(`sip:${bob.name}@localhost`);
    await bob.rings();
    await bob.answer();
    await phone.closed();
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    await alice.hangup();
    await Promise.all([alice.callIs("FINISH"), bob.callIs("FINISH")]);
  });

  await stage.step(t, "a browser hands a browser on to a phone", async () => {
    await using phone = await phoneAt();
    const [alice, bob] = await stage.pair();
    await connect(alice, bob);
    await Promise.all([alice.hears(HIGH_HERTZ), bob.hears(LOW_HERTZ)]);
    await alice.transfer("1006");
    await phone.rings();
    await phone.answer();
    await alice.callIs("FINISH");
    await Promise.all([bob.hears(PHONE_HERTZ), phone.hears(HIGH_HERTZ)]);
    await phone.hangup();
    await bob.callIs("FINISH");
  });
});
