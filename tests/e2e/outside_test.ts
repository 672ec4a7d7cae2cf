import assert from "node:assert/strict";
import { BROWSER_TEST, HIGH_HERTZ, LOW_HERTZ, Stage } from "../support/browser.ts";
import { Kamailio, KAMAILIO_DOMAIN, KAMAILIO_PASSWORD } from "../support/kamailio.ts";
import { needs } from "../support/needs.ts";
import { SipPeer } from "../support/sip_peer.ts";
import { freeUdpPort, SippTrunk } from "../support/sipp_trunk.ts";
import { bothFinish, connect, type LoginOptions } from "../support/sdk_page.ts";

/** Browsers that are clients of a SIP server of others: the seeds' main scheme, with Kamailio. */

const KAMAILIO = needs("kamailio");
const SIPP = needs("sipp");

Deno.test({
  ...BROWSER_TEST,
  name: "two browsers registered at Kamailio",
  ignore: BROWSER_TEST.ignore || KAMAILIO.ignore || SIPP.ignore,
  fn: async (t) => {
    await using kamailio = await Kamailio.start(KAMAILIO.path);
    await using stage = await Stage.set();
    const account = (name: string, more: LoginOptions = {}): LoginOptions => ({
      login: name,
      authName: `${name}.auth`,
      password: KAMAILIO_PASSWORD,
      domain: KAMAILIO_DOMAIN,
      outboundProxy: "127.0.0.1",
      port: kamailio.port,
      registerRequired: true,
      ...more,
    });
    const pair = async (more: LoginOptions = {}) => {
      const low = await stage.user(stage.unique("low"), LOW_HERTZ);
      const high = await stage.user(stage.unique("high"), HIGH_HERTZ);
      await low.login(account(low.name, more));
      await high.login(account(high.name));
      return [low, high] as const;
    };

    await stage.step(t, "they call each other, hold, unhold and hang up", async () => {
      const [low, high] = await pair();
      await connect(low, high);
      await Promise.all([low.hears(HIGH_HERTZ), high.hears(LOW_HERTZ)]);
      const calls = await stage.lab.calls();
      assert.equal(calls.length, 2);
      await low.hold();
      await low.callIs("HOLD");
      await Promise.all([low.hears(0), high.hears(0)]);
      await low.unhold();
      await low.callIs("ESTABLISHED", { count: 2 });
      await Promise.all([low.hears(HIGH_HERTZ), high.hears(LOW_HERTZ)]);
      await high.hangup();
      await bothFinish(low, high);
    });

    await stage.step(t, "one calls without having registered", async () => {
      const [low, high] = await pair({ registerRequired: false });
      await connect(low, high);
      await Promise.all([low.hears(HIGH_HERTZ), high.hears(LOW_HERTZ)]);
      await low.hangup();
      await bothFinish(low, high);
    });

    await stage.step(t, "video: a request too large for a datagram goes by TCP", async () => {
      const [low, high] = await pair();
      await connect(low, high, { video: true });
      await Promise.all([low.hears(HIGH_HERTZ), high.hears(LOW_HERTZ)]);
      await Promise.all([low.sees(10), high.sees(10)]);
      await low.hangup();
      await bothFinish(low, high);
    });

    await stage.step(
      t,
      "a phone that is registered there calls a browser, and is called",
      async () => {
        const user = await stage.user(stage.unique("low"), LOW_HERTZ);
        await user.login(account(user.name));
        const port = freeUdpPort();
        const remote = `127.0.0.1:${kamailio.port}`;
        {
          const call = {
            port,
            mediaPort: 27_200,
            role: "call",
            remote,
            number: user.name,
          } as const;
          await using phone = await SippTrunk.start(SIPP.path, call);
          await user.rings();
          await user.answer();
          await user.callIs("ESTABLISHED");
          await user.hears(LOW_HERTZ);
          await user.callIs("FINISH");
          await phone.done();
        }
        const target = { transport: "UDP", host: "127.0.0.1", port: kamailio.port } as const;
        await using registrant = await SipPeer.open("desk", target, KAMAILIO_PASSWORD);
        const register = registrant.request("REGISTER", `sip:${KAMAILIO_DOMAIN}`);
        register.headers.set("Contact", `<sip:desk@127.0.0.1:${port}>`);
        assert.equal((await registrant.ask(register)).status, 200);
        await using phone = await SippTrunk.start(SIPP.path, {
          port,
          mediaPort: 27_200,
          role: "answer",
        });
        await user.call("desk");
        await user.callIs("ESTABLISHED");
        await user.hears(LOW_HERTZ);
        await user.hangup();
        await phone.done();
      },
    );

    await stage.step(t, "a wrong password and a server that is not there are told", async () => {
      const user = await stage.user("wrong", LOW_HERTZ);
      await user.startLogin(account("wrong", { password: "guess" }));
      const [{ text }] = await Promise.all([user.session("WARN"), user.session("DISCONNECTED")]);
      const fault = JSON.parse(text ?? "{}") as { status?: string; info?: string };
      assert.equal(fault.status, "AUTHENTICATION_FAIL", text);
      const lost = await stage.user("lost", LOW_HERTZ);
      await lost.startLogin(account("lost", { port: 9 }));
      const [warned] = await Promise.all([lost.session("WARN"), lost.session("DISCONNECTED")]);
      assert.match(warned.text ?? "", /127\.0\.0\.1:9/);
    });
  },
});
