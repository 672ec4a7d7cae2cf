import assert from "node:assert/strict";
import { Ipv6Names } from "../../../src/rtp/io/ffi/ipv6_names.ts";
import fc from "../../support/dice.ts";

/** As many as there are at a time, and a share of them for whoever sends us anything. */
const CAPACITY = 16_384;
const STRANGERS = 1024;

/** The words of 2001:db8::... as they lie in a `sockaddr_in6`. */
function wordsOf(number: number): Int32Array {
  const bytes = new Uint8Array(16);
  bytes.set([0x20, 0x01, 0x0d, 0xb8]);
  new DataView(bytes.buffer).setUint32(12, number);
  return new Int32Array(bytes.buffer);
}

const textOf = (number: number) =>
  `2001:db8::${number >>> 16 === 0 ? "" : `${(number >>> 16).toString(16)}:`}${
    (number & 0xffff).toString(16)
  }`;

function written(names: Ipv6Names, address: number, now: number): number {
  const words = new Int32Array(4);
  names.write(address, words, 0, now);
  return new DataView(words.buffer).getUint32(12);
}

Deno.test("numbers of IPv6 addresses: texts, and what is none", () => {
  const names = new Ipv6Names();
  const friend = names.numberOf("2001:db8::1", 0);
  assert.ok(Ipv6Names.isName(friend) && !Ipv6Names.isName(0x7f000001));
  assert.equal(names.textOf(friend, 0), "2001:db8::1");
  assert.equal(names.nameOf(wordsOf(1), 0, 1) >>> 0, friend);
  assert.equal(names.textOf(0xc0000201, 0), "192.0.2.1");
  assert.equal(names.numberOf("192.0.2.1", 0), 0xc0000201);
  assert.equal(names.numberOf("nonsense", 0), -1);
  assert.equal(names.refused, 0);
});

Deno.test("20,000 forged IPv6 sources a second: all phones get numbers, and keep them", () => {
  const names = new Ipv6Names();
  let forged = 1 << 20;
  const phones: { readonly number: number; readonly address: number }[] = [];
  // Twenty for each millisecond, and every 10 ms somebody new, told by SDP or by a check.
  for (let now = 1; now < 10_000; now++) {
    for (let i = 0; i < 20; i++) assert.notEqual(names.nameOf(wordsOf(forged++), 0, now), 0);
    if (now % 10 !== 0) continue;
    const number = now;
    const isTold = now % 20 === 0;
    const address = isTold ? names.numberOf(textOf(number), now) : names.nameOf(
      wordsOf(number),
      0,
      now,
    );
    assert.ok(address !== -1 && address !== 0, `${now} ms`);
    assert.equal(written(names, address, now), number);
    phones.push({ number, address });
  }
  for (const { number, address } of phones) {
    assert.equal(written(names, address, 10_000), number);
    assert.equal(names.nameOf(wordsOf(number), 0, 10_000) | 0, address | 0);
  }
  assert.equal(names.refused, 0);
});

Deno.test("who sends again within 50 ms has one number, however many others send", () => {
  const names = new Ipv6Names();
  let forged = 1 << 20;
  const first = names.nameOf(wordsOf(1), 0, 0);
  for (let i = 0; i < STRANGERS - 1; i++) names.nameOf(wordsOf(forged++), 0, 1);
  assert.equal(names.nameOf(wordsOf(1), 0, 2), first);
  // One that is told of is of the engine from then on.
  assert.equal(names.textOf(first, 2), "2001:db8::1");
  for (let i = 0; i < 2 * STRANGERS; i++) {
    assert.notEqual(names.nameOf(wordsOf(forged++), 0, 3), first);
  }
  assert.equal(names.nameOf(wordsOf(1), 0, 4), first);
});

Deno.test("all numbers in use: strangers get none, SDP gets a stranger's; who is silent is out", () => {
  const names = new Ipv6Names();
  const last = names.nameOf(wordsOf(0x7fffffff), 0, 0);
  for (let i = 0; i < CAPACITY - 1; i++) {
    assert.notEqual(names.numberOf(textOf(i), 1000), -1, `${i}`);
  }
  assert.equal(names.numberOf(textOf(CAPACITY), 1000), last >>> 0, "it was only a stranger's");
  assert.equal(names.refused, 0);
  assert.equal(names.numberOf(textOf(CAPACITY + 1), 1000), -1);
  assert.equal(names.nameOf(wordsOf(CAPACITY + 2), 0, 1000), 0);
  assert.equal(names.refused, 2);
  // Heard of or sent to again, all but the first two.
  for (let i = 2; i <= CAPACITY; i++) names.nameOf(wordsOf(i), 0, 30_000);
  assert.notEqual(names.numberOf(textOf(CAPACITY + 1), 62_000), -1);
  assert.notEqual(names.nameOf(wordsOf(CAPACITY + 2), 0, 62_000), 0);
});

Deno.test("another worker goes on with the numbers in use, and with none of strangers", () => {
  const memory = new SharedArrayBuffer(Ipv6Names.BYTES);
  const first = new Ipv6Names(memory);
  const phones = Array.from({ length: 500 }, (_, i) => first.numberOf(textOf(i), 5));
  for (let i = 0; i < 3000; i++) first.nameOf(wordsOf((1 << 20) + i), 0, 5);
  const second = new Ipv6Names(memory);
  for (const [i, address] of phones.entries()) {
    assert.equal(written(second, address, 6), i);
    assert.equal(second.nameOf(wordsOf(i), 0, 6) >>> 0, address);
  }
  for (let i = 0; i < CAPACITY - 500; i++) {
    assert.notEqual(second.numberOf(textOf(1000 + i), 7), -1);
  }
  assert.equal(second.refused, 0);
});

Deno.test("whatever comes and goes, an address has one number, and a number one address", () => {
  const step = fc.record({
    what: fc.constantFrom("comes", "asked", "sent", "time"),
    who: fc.nat({ max: 40_000 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 400 }), fc.nat(), (steps, start) => {
      const names = new Ipv6Names();
      const used = new Map<number, number>();
      let now = start % 1000;
      // The share of strangers is used up now and again.
      for (const { what, who } of steps) {
        if (what === "time") {
          now += who % 50;
          for (let i = 0; i < who % 300; i++) names.nameOf(wordsOf(100_000 + who + i), 0, now);
        } else if (what === "comes") {
          const known = used.get(who);
          const address = names.nameOf(wordsOf(who), 0, now) >>> 0;
          if (known !== undefined) assert.equal(address, known);
          else assert.ok(![...used.values()].includes(address));
        } else {
          const address = (what === "asked"
            ? names.numberOf(textOf(who), now)
            : names.nameOf(wordsOf(who), 0, now)) >>> 0;
          assert.equal(written(names, address, now), who);
          used.set(who, address);
        }
      }
      for (const [who, address] of used) {
        assert.equal(written(names, address, now), who);
      }
    }),
    { numRuns: 50 },
  );
});
