import assert from "node:assert/strict";
import { BROWSER_TEST, LOW_HERTZ, Stage } from "../support/browser.ts";
import { needs } from "../support/needs.ts";
import { freeUdpPort, SippTrunk } from "../support/sipp_trunk.ts";

/** A browser and a trunk that SIPp plays: out to a number, in from one, and who may not. */

const SIPP = needs("sipp");

function trunk(name: string, port: number, priority: number) {
  return { name, host: "127.0.0.1", port, priority, optionsSeconds: 0, number: "+4930555" };
}

Deno.test({
  ...BROWSER_TEST,
  name: "a browser dials numbers over a trunk, and is dialled",
  ignore: BROWSER_TEST.ignore || SIPP.ignore,
  fn: async (t) => {
    const port = freeUdpPort();
    const mediaPort = 27_100;
    const env = {
      PORTZERO_TRUNKS: JSON.stringify([
        trunk("carrier", port, 10),
        trunk("dead", freeUdpPort(), 5),
      ]),
      PORTZERO_DIAL_PLAN_OUTBOUND: JSON.stringify([
        { match: "00.", trunks: ["dead", "carrier"], allow: ["1000"], e164: "49" },
        { match: "0.", trunks: ["carrier"], allow: ["1000"], e164: "49" },
      ]),
      PORTZERO_DIAL_PLAN_INBOUND: JSON.stringify([{ match: "4930555.", to: "1000" }]),
    };
    await using stage = await Stage.set({ env });
    const login = async () => {
      const user = await stage.user("1000", LOW_HERTZ);
      await user.login({ password: "1234", registerRequired: true });
      return user;
    };

    await stage.step(t, "out: the number is normalised, the tone comes back, hangup", async () => {
      const alice = await login();
      await using sipp = await SippTrunk.start(SIPP.path, { port, mediaPort, role: "answer" });
      await alice.call("0170 12345");
      await alice.callIs("ESTABLISHED");
      await alice.hears(LOW_HERTZ);
      await alice.hangup();
      await alice.callIs("FINISH");
      await sipp.done();
      const messages = await sipp.messages();
      assert.match(messages, /^INVITE sip:\+4917012345@127\.0\.0\.1:\d+ SIP/m);
      assert.match(messages, /^From: <sip:\+4930555@127\.0\.0\.1>;tag=/m);
      assert.match(messages, /^User-Agent: Port Zero/m);
      assert.doesNotMatch(messages, /x-pz-|Proxy-Authorization/i);
    });

    await stage.step(t, "failover: a trunk that says nothing is left for the next", async () => {
      const alice = await login();
      await using sipp = await SippTrunk.start(SIPP.path, { port, mediaPort, role: "answer" });
      await alice.call("0033123456");
      await alice.callIs("ESTABLISHED");
      await alice.hears(LOW_HERTZ);
      await alice.hangup();
      await sipp.done();
    });

    await stage.step(t, "in: the number rings the browser of its account", async () => {
      const alice = await login();
      await using sipp = await SippTrunk.start(SIPP.path, {
        port,
        mediaPort,
        role: "call",
        remote: `127.0.0.1:${stage.lab.sipPort}`,
        number: "4930555100",
      });
      await alice.rings();
      await alice.answer();
      await alice.callIs("ESTABLISHED");
      await alice.hears(LOW_HERTZ);
      await alice.callIs("FINISH");
      await sipp.done();
    });

    await stage.step(
      t,
      "who has no right is refused in words, and the trunk hears nothing",
      async () => {
        const heard = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port });
        const guest = await stage.user("mallory", LOW_HERTZ);
        await guest.login();
        const account = await stage.user("1001", LOW_HERTZ);
        await account.login({ password: "1234", registerRequired: true });
        for (const user of [guest, account]) {
          for (const callee of ["017012345", `017012345@127.0.0.1`, "+4917012345"]) {
            await user.call(callee);
            await user.callIs("FAILED");
          }
        }
        // Loopback keeps the order: what comes first is all that came.
        await heard.send(new TextEncoder().encode("nothing before"), heard.addr);
        const [first] = await heard.receive();
        heard.close();
        assert.equal(new TextDecoder().decode(first), "nothing before");
      },
    );

    await stage.step(t, "REST shows the trunks by priority", async () => {
      const { trunks } = await stage.lab.get<{ trunks: { name: string; state: string }[] }>(
        "/api/trunks",
      );
      assert.deepEqual(trunks.map(({ name, state }) => [name, state]), [
        ["dead", "up"],
        ["carrier", "up"],
      ]);
    });
  },
});
