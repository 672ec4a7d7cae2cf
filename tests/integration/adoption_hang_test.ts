import assert from "node:assert/strict";
import { Descriptors } from "../../src/rtp/io/ffi/descriptors.ts";
import { type Attachment, linkedFactory } from "../../src/rtp/io/ffi/link.ts";
import { headerOf } from "../support/fake_phone.ts";
import { startPool } from "../support/media_legs.ts";
import { needs } from "../support/needs.ts";
import { PhoneLeg } from "../support/phone_leg.ts";
import { sdesKey } from "../support/rtp_peer.ts";

/** A worker that hangs in the middle of a packet, and comes to when another is in its place. */

const { ignore: hasNoLibcrypto } = needs("libcrypto");
/** Longer than it takes until a hung worker is noticed and replaced, ms. */
const HANG_MS = 6000;

Deno.test({
  name: "a worker hangs in the middle of a packet: that packet is never sent, the calls go on",
  ignore: Deno.build.os !== "linux" || hasNoLibcrypto,
  async fn() {
    const pool = await startPool(1, { log: () => {} });
    const suite = "AES_CM_128_HMAC_SHA1_80";
    const a = new PhoneLeg(pool, {
      hertz: 440,
      keys: { send: sdesKey(suite), receive: sdesKey(suite) },
    });
    const b = new PhoneLeg(pool, { hertz: 1000 }, a.handle.token);
    const goesOn = async () => {
      const from = [a, b].map(({ peer }) => peer.packets.length);
      for (const [i, { peer }] of [a, b].entries()) {
        await peer.until("more packets", () => peer.packets.length > from[i]! + 12);
      }
      await Promise.all([a.peer.hears(1000), b.peer.hears(440)]);
    };
    try {
      await Promise.all([a.up(), b.up()]);
      a.handle.connect(b.handle.token);
      b.handle.connect(a.handle.token);
      await goesOn();
      pool.crashWorker(0, { hangMs: HANG_MS, inPacket: true });
      const until = performance.now() + HANG_MS + 1500;
      await a.peer.until("adopted", () => pool.workers()[0]!.adoptions === 1, 20_000);
      await goesOn();
      await a.peer.until("it has come to", () => performance.now() > until, 20_000);
      await goesOn();
      for (const leg of [a, b]) {
        const { packets } = leg.peer;
        for (let i = 1; i < packets.length; i++) {
          const [before, now] = [headerOf(packets[i - 1]!), headerOf(packets[i]!)];
          const step = (now.sequence - before.sequence) & 0xffff;
          assert.ok(step > 0 && step < 0x8000, `${before.sequence}, then ${now.sequence}`);
        }
        assert.equal(leg.peer.unreadable, 0);
        assert.equal(leg.of("lost").length, 0);
      }
      assert.equal(pool.workers()[0]!.adoptions, 1);
    } finally {
      for (const leg of [a, b]) leg.close();
      await pool.close();
    }
  },
});

Deno.test({
  name:
    "what a hung worker works on is its own: the next one gets a copy, of an ended one the same",
  ignore: Deno.build.os !== "linux",
  sanitizeResources: false,
  sanitizeOps: false,
  fn() {
    const given: Attachment[] = [];
    const factory = linkedFactory(() => ({
      send: (message) => {
        if (message.type === "attach") given.push(message);
      },
      terminate: () => {},
    }));
    const listener = { onEvent: () => {}, onDeath: () => {} };
    const wordsOf = (i: number) => [
      new Int32Array(given[i]!.state),
      new Int32Array(given[i]!.names),
    ];
    const first = factory("worker", listener);
    const life = new Descriptors(given[0]!.descriptors);
    life.begin();
    // As much as ever was used: three blocks.
    for (const words of wordsOf(0)) words.set([192, 7, 8, 9]);
    // It does not end.
    first.terminate(true);
    const second = factory("worker", listener);
    assert.ok(life.isFenced);
    for (const words of wordsOf(1)) assert.deepEqual([...words.subarray(0, 4)], [192, 7, 8, 9]);
    for (const words of wordsOf(0)) words.fill(1);
    for (const words of wordsOf(1)) assert.deepEqual([...words.subarray(0, 4)], [192, 7, 8, 9]);
    life.end();
    // The second has not even begun.
    second.terminate(true);
    const third = factory("worker", listener);
    assert.equal(given[2]!.state, given[1]!.state);
    assert.equal(given[2]!.names, given[1]!.names);
    third.terminate();
  },
});
