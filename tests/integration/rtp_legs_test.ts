import assert from "node:assert/strict";
import type { RunningMediaPool } from "../../src/rtp/io/start_pool.ts";
import { headerOf, partsOf } from "../support/fake_phone.ts";
import { startPool } from "../support/media_legs.ts";
import { PhoneLeg } from "../support/phone_leg.ts";
import { sdesKey } from "../support/rtp_peer.ts";

function join(a: PhoneLeg, b: PhoneLeg): void {
  a.handle.connect(b.handle.token);
  b.handle.connect(a.handle.token);
}

async function withPool(
  options: { workers?: number; ffi: boolean },
  act: (pool: RunningMediaPool, legs: PhoneLeg[]) => Promise<void>,
): Promise<void> {
  const legs: PhoneLeg[] = [];
  const pool = await startPool(options.workers ?? 1, {
    ffi: options.ffi,
    rtpAddresses: ["127.0.0.1", "::1"],
  });
  try {
    await act(pool, legs);
  } finally {
    for (const leg of legs) leg.close();
    await pool.close();
  }
}

for (const ffi of [true, false]) {
  const shell = ffi ? "fast shell" : "portable shell";

  Deno.test(`${shell}: two phones hear each other; where they really are is told`, async () => {
    await withPool({ ffi }, async (pool, legs) => {
      const a = new PhoneLeg(pool, { hertz: 440 });
      const b = new PhoneLeg(pool, { hertz: 1000 }, a.handle.token);
      legs.push(a, b);
      await a.up();
      // Behind a NAT: the description names a port where nobody listens.
      await b.up({ port: 9, rtcpPort: 10 });
      assert.equal(a.local.port % 2, 0);
      join(a, b);
      await Promise.all([a.peer.hears(1000), b.peer.hears(440)]);
      assert.deepEqual(b.of("latched").map(({ address }) => address), [`127.0.0.1:${b.peer.port}`]);
      assert.equal(pool.workers()[0]!.endpoints, 2);
    });
  });

  Deno.test(`${shell}: SRTP by SDES on one side, both suites, RTP on the other`, async () => {
    await withPool({ ffi }, async (pool, legs) => {
      for (const suite of ["AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32"] as const) {
        const keys = { send: sdesKey(suite), receive: sdesKey(suite) };
        const a = new PhoneLeg(pool, { hertz: 440, keys });
        const b = new PhoneLeg(pool, { hertz: 1000 }, a.handle.token);
        legs.push(a, b);
        await Promise.all([a.up(), b.up()]);
        join(a, b);
        await Promise.all([a.peer.hears(1000), b.peer.hears(440)]);
        assert.equal(a.peer.unreadable, 0);
      }
    });
  });

  Deno.test(`${shell}: new keys in a call, and not a packet is lost`, async () => {
    await withPool({ ffi }, async (pool, legs) => {
      const suite = "AES_CM_128_HMAC_SHA1_80";
      const a = new PhoneLeg(pool, {
        hertz: 440,
        keys: { send: sdesKey(suite), receive: sdesKey(suite) },
      });
      const b = new PhoneLeg(pool, { hertz: 1000 }, a.handle.token);
      legs.push(a, b);
      await Promise.all([a.up(), b.up()]);
      join(a, b);
      await Promise.all([a.peer.hears(1000), b.peer.hears(440)]);
      const more = (leg: PhoneLeg, count: number) => {
        const wanted = leg.peer.packets.length + count;
        return leg.peer.until(`${count} more`, () => leg.peer.packets.length >= wanted);
      };
      const [send, receive] = [sdesKey(suite), sdesKey(suite)];
      a.handle.setRemote([a.peer.remote({ keys: { receive: send, send: receive } })]);
      a.peer.rekey({ receive });
      // The phone's answer takes its time: it sends under its former keys still.
      await Promise.all([more(a, 15), more(b, 15)]);
      a.peer.rekey({ send });
      await Promise.all([more(a, 15), more(b, 15)]);
      const sequences = b.peer.packets.map((packet) => headerOf(packet).sequence);
      assert.deepEqual(sequences, sequences.map((_, i) => (sequences[0]! + i) & 0xffff));
    });
  });

  Deno.test(`${shell}: digits both ways, and the tone goes on after them`, async () => {
    await withPool({ ffi }, async (pool, legs) => {
      const a = new PhoneLeg(pool, { hertz: 440 });
      const b = new PhoneLeg(pool, { hertz: 1000 }, a.handle.token);
      legs.push(a, b);
      await Promise.all([a.up(), b.up()]);
      join(a, b);
      await b.peer.hears(440);
      b.handle.sendDtmf("19#", 80);
      await b.peer.until("three digits", () => b.peer.digits() === "19#");
      const after = b.peer.packets.length;
      await b.peer.until("audio after the digits", () => b.peer.samples(after).length >= 1600);
      await b.peer.hears(440);
      const sequences = b.peer.packets.map((packet) => headerOf(packet).sequence);
      assert.deepEqual(sequences, sequences.map((_, i) => (sequences[0]! + i) & 0xffff));
      a.peer.press("*42");
      await b.peer.until("told", () => a.of("dtmf").length === 3);
      assert.equal(a.of("dtmf").map(({ digit }) => digit).join(""), "*42");
    });
  });

  Deno.test(`${shell}: hold is silence, and the leg stays alive; unhold brings it back`, async () => {
    await withPool({ ffi }, async (pool, legs) => {
      const a = new PhoneLeg(pool, { hertz: 440 });
      const b = new PhoneLeg(pool, { hertz: 1000 }, a.handle.token);
      legs.push(a, b);
      await Promise.all([a.up(), b.up()]);
      join(a, b);
      await b.peer.hears(440);
      b.handle.setFlowing(false);
      const told = b.of("statistics").length;
      // What was under way when the hold came in is heard still.
      await b.peer.until("quiet", () => b.of("statistics").length > told);
      const [held, reports] = [b.peer.packets.length, b.peer.reports.length];
      await b.peer.until("a sign of life", () => b.peer.packets.length > held, 15_000);
      assert.ok(b.peer.samples(held).every((sample) => sample === 0), "silence");
      await b.peer.until("a report", () => b.peer.reports.length > reports, 15_000);
      assert.equal(partsOf(b.peer.reports.at(-1)!)[1]!.type, 202);
      b.handle.setFlowing(true);
      await b.peer.hears(440);
    });
  });

  Deno.test(`${shell}: a new far side goes on where the old one has stopped`, async () => {
    await withPool({ ffi }, async (pool, legs) => {
      const a = new PhoneLeg(pool, { hertz: 300 });
      const b = new PhoneLeg(pool, { hertz: 1000 }, a.handle.token);
      const c = new PhoneLeg(pool, { hertz: 1700 }, a.handle.token);
      legs.push(a, b, c);
      await Promise.all([a.up(), b.up(), c.up()]);
      join(a, b);
      await a.peer.hears(1000);
      join(a, c);
      b.handle.close();
      await Promise.all([a.peer.hears(1700), c.peer.hears(300)]);
      const headers = a.peer.packets.map(headerOf);
      assert.equal(new Set(headers.map(({ ssrc }) => ssrc)).size, 1);
      const first = headers[0]!.sequence;
      assert.deepEqual(
        headers.map(({ sequence }) => sequence),
        headers.map((_, i) => (first + i) & 0xffff),
      );
      const steps = headers.slice(1).map(({ timestamp }, i) =>
        (timestamp - headers[i]!.timestamp) >>> 0
      );
      assert.ok(steps.every((step) => step < 8000), `time goes on: steps of ${steps}`);
    });
  });

  Deno.test(`${shell}: legs in two workers are bridged`, async () => {
    await withPool({ ffi, workers: 2 }, async (pool, legs) => {
      const [a, b] = [new PhoneLeg(pool, { hertz: 440 }), new PhoneLeg(pool, { hertz: 1000 })];
      legs.push(a, b);
      await Promise.all([a.up(), b.up()]);
      assert.notEqual(a.of("opened")[0]!.worker, b.of("opened")[0]!.worker);
      join(a, b);
      await Promise.all([a.peer.hears(1000), b.peer.hears(440)]);
      assert.deepEqual(pool.workers().map(({ bridges }) => bridges), [1, 1]);
      a.peer.press("7");
      await b.peer.until("the digit passes the bridge", () => b.peer.digits() === "7");
    });
  });

  Deno.test(`${shell}: closed ports are drained, and free after`, async () => {
    await withPool({ ffi }, async (pool, legs) => {
      const a = await new PhoneLeg(pool).up();
      legs.push(a);
      a.handle.close();
      assert.deepEqual(pool.size, { endpoints: 0, bridges: 0, waiting: 0 });
      const isFree = () => {
        try {
          const { address: hostname, port } = a.local;
          Deno.listenDatagram({ transport: "udp", hostname, port }).close();
          return true;
        } catch {
          return false;
        }
      };
      assert.equal(isFree(), false, "drained first");
      await a.peer.until("free again", isFree);
    });
  });

  Deno.test({
    name: `${shell}: a phone on IPv6 and one on IPv4`,
    ignore: !Deno.networkInterfaces().some(({ address }) => address === "::1"),
    async fn() {
      await withPool({ ffi }, async (pool, legs) => {
        const a = new PhoneLeg(pool, { hertz: 440, hostname: "::1" });
        const b = new PhoneLeg(pool, { hertz: 1000 }, a.handle.token);
        legs.push(a, b);
        await Promise.all([a.up(), b.up()]);
        assert.equal(a.local.address, "::1");
        join(a, b);
        await Promise.all([a.peer.hears(1000), b.peer.hears(440)]);
        assert.equal(a.of("latched")[0]!.address, `[::1]:${a.peer.port}`);
      });
    },
  });
}
