import assert from "node:assert/strict";
import { BARESIP, Baresip, type BaresipOptions } from "../support/baresip.ts";
import { LOW_HERTZ, peerTest, type Stage } from "../support/browser.ts";

/** A browser with the Web SDK on SIP Port 0, and a desk phone registered at us. */

const PHONE_HERTZ = 700;

type Line = Pick<BaresipOptions, "transport" | "codec" | "encryption">;

/** Each transport and each codec once. */
const LINES: readonly Line[] = [
  { transport: "udp", codec: "PCMU" },
  { transport: "tcp", codec: "PCMA" },
  { transport: "tls", codec: "G722" },
  { transport: "udp", codec: "opus" },
];

async function phoneAt(
  { lab }: Stage,
  line: Line & Partial<BaresipOptions> = {},
): Promise<Baresip> {
  const isTls = line.transport === "tls";
  return await Baresip.start({
    user: "1002",
    hertz: PHONE_HERTZ,
    port: isTls ? lab.sipTlsPort : lab.sipPort,
    ...(isTls ? { trusted: await lab.certificate() } : {}),
    ...line,
  });
}

peerTest("a browser and a phone", [BARESIP], async (t, stage) => {
  const { lab } = stage;
  for (const line of LINES) {
    const what = `${line.transport} ${line.codec}`;

    await stage.step(t, `${what}: the browser calls`, async () => {
      await using phone = await phoneAt(stage, line);
      const alice = await stage.user(stage.unique("alice"), LOW_HERTZ);
      await alice.login();
      await alice.call(phone.user);
      await phone.rings();
      await alice.callIs("RING");
      await phone.answer();
      await Promise.all([alice.callIs("ESTABLISHED"), phone.established()]);
      const W = (...a: unknown[]) =>
        Deno.writeTextFileSync("/tmp/views.txt", a.join(" ") + "\n", { append: true });
      try {
        await Promise.all([alice.hears(PHONE_HERTZ), phone.hears(LOW_HERTZ)]);
      } catch (e) {
        for (const c of await lab.calls()) W("VIEWA", JSON.stringify(await lab.call(c.id)));
        W(await phone.command("audio_debug"));
        throw e;
      }
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
      try {
        await Promise.all([alice.hears(PHONE_HERTZ), phone.receives(true)]);
      } catch (e) {
        const [c] = await lab.calls();
        ((...a: unknown[]) =>
          Deno.writeTextFileSync("/tmp/views.txt", a.join(" ") + "\n", { append: true }))(
            "VIEW1",
            JSON.stringify(await lab.call(c!.id)),
          );
        await new Promise((r) => setTimeout(r, 3000));
        ((...a: unknown[]) =>
          Deno.writeTextFileSync("/tmp/views.txt", a.join(" ") + "\n", { append: true }))(
            "VIEW2",
            JSON.stringify(await lab.call(c!.id)),
          );
        ((...a: unknown[]) =>
          Deno.writeTextFileSync("/tmp/views.txt", a.join(" ") + "\n", { append: true }))(
            await phone.command("audio_debug"),
            await phone.command("callstat"),
          );
        throw e;
      }

      await phone.hangup();
      await alice.callIs("FINISH");
    });

    await stage.step(t, `${what}: the phone calls`, async () => {
      await using phone = await phoneAt(stage, line);
      const bob = await stage.user(stage.unique("bob"), LOW_HERTZ);
      await bob.login();
      await phone.dial(bob.name);
      const incoming = await bob.rings();
      assert.equal(incoming.caller, phone.user);
      await bob.answer();
      await Promise.all([bob.callIs("ESTABLISHED"), phone.established()]);
      try {
        await Promise.all([bob.hears(PHONE_HERTZ), phone.hears(LOW_HERTZ)]);
      } catch (e) {
        for (const c of await lab.calls()) {
          ((...a: unknown[]) =>
            Deno.writeTextFileSync("/tmp/views.txt", a.join(" ") + "\n", { append: true }))(
              "VIEW1",
              JSON.stringify(await lab.call(c.id)),
            );
        }
        await new Promise((r) => setTimeout(r, 3000));
        for (const c of await lab.calls()) {
          ((...a: unknown[]) =>
            Deno.writeTextFileSync("/tmp/views.txt", a.join(" ") + "\n", { append: true }))(
              "VIEW2",
              JSON.stringify(await lab.call(c.id)),
            );
        }
        ((...a: unknown[]) =>
          Deno.writeTextFileSync("/tmp/views.txt", a.join(" ") + "\n", { append: true }))(
            await phone.command("audio_debug"),
          );
        throw e;
      }

      await phone.hold();
      await Promise.all([phone.receives(false), bob.hears(0)]);
      await phone.resume();
      await Promise.all([bob.hears(PHONE_HERTZ), phone.receives(true)]);

      await bob.hangup();
      await Promise.all([bob.callIs("FINISH"), phone.closed()]);
    });
  }
});
