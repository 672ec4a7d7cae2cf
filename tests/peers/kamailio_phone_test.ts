import assert from "node:assert/strict";
import { BARESIP, Baresip } from "../support/baresip.ts";
import { LOW_HERTZ, peerTest } from "../support/browser.ts";
import { Kamailio, KAMAILIO_DOMAIN, KAMAILIO_PASSWORD } from "../support/kamailio.ts";
import { needs } from "../support/needs.ts";

/** A browser and a desk phone that are both clients of a server of others. */

const KAMAILIO = needs("kamailio");
const PHONE_HERTZ = 700;

peerTest("a browser and a phone at Kamailio", [BARESIP, KAMAILIO], async (t, stage) => {
  await using kamailio = await Kamailio.start(KAMAILIO.path);
  const phoneAt = (user: string): Promise<Baresip> =>
    Baresip.start({
      user,
      password: KAMAILIO_PASSWORD,
      domain: KAMAILIO_DOMAIN,
      port: kamailio.port,
      hertz: PHONE_HERTZ,
      codec: "PCMA",
    });
  const browserAt = async (name: string) => {
    const user = await stage.user(name, LOW_HERTZ);
    await user.login({
      login: name,
      password: KAMAILIO_PASSWORD,
      domain: KAMAILIO_DOMAIN,
      outboundProxy: "127.0.0.1",
      port: kamailio.port,
      registerRequired: true,
    });
    return user;
  };

  await stage.step(t, "the browser calls, holds, and the phone hangs up", async () => {
    await using phone = await phoneAt("desk1");
    const alice = await browserAt("alice1");
    await alice.call("desk1");
    await phone.rings();
    await alice.callIs("RING");
    await phone.answer();
    await Promise.all([alice.callIs("ESTABLISHED"), phone.established()]);
    await Promise.all([alice.hears(PHONE_HERTZ), phone.hears(LOW_HERTZ)]);
    await alice.hold();
    await alice.callIs("HOLD");
    await Promise.all([phone.receives(false), alice.hears(0)]);
    await alice.unhold();
    await alice.callIs("ESTABLISHED", { count: 2 });
    await Promise.all([alice.hears(PHONE_HERTZ), phone.receives(true)]);
    await phone.hangup();
    await alice.callIs("FINISH");
  });

  await stage.step(t, "the phone calls, holds, and the browser hangs up", async () => {
    await using phone = await phoneAt("desk2");
    const bob = await browserAt("bob2");
    await phone.dial("bob2");
    assert.equal((await bob.rings()).caller, "desk2");
    await bob.answer();
    await Promise.all([bob.callIs("ESTABLISHED"), phone.established()]);
    await Promise.all([bob.hears(PHONE_HERTZ), phone.hears(LOW_HERTZ)]);
    await phone.hold();
    await Promise.all([phone.receives(false), bob.hears(0)]);
    await phone.resume();
    await Promise.all([bob.hears(PHONE_HERTZ), phone.receives(true)]);
    await bob.hangup();
    await Promise.all([bob.callIs("FINISH"), phone.closed()]);
  });
});
