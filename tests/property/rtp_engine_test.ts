import assert from "node:assert/strict";
import fc from "../support/dice.ts";
import { AddressTable } from "../../src/rtp/engine/address_table.ts";
import { AesCmCipher } from "../../src/rtp/srtp/aes_cm.ts";
import { Role, StateMemory } from "../../src/rtp/engine/state_memory.ts";
import { SrtpReceiver, SrtpSender } from "../../src/rtp/srtp/context.ts";
import { EngineHarness, joinedPair } from "../support/media_engine.ts";

const RUNS = { numRuns: 300 };
const bytes = fc.uint8Array({ minLength: 0, maxLength: 300 });

/** What a datagram may look like: noise, or noise that begins like each of the protocols. */
const noise = fc.oneof(
  bytes,
  fc.tuple(fc.constantFrom(0, 1, 20, 21, 22, 23, 128, 144, 160, 191), bytes).map(([first, rest]) =>
    Uint8Array.of(first, ...rest)
  ),
  fc.tuple(fc.constantFrom(200, 201, 205, 206), bytes).map(([type, rest]) =>
    Uint8Array.of(0x81, type, 0, rest.length >> 2, ...rest)
  ),
  bytes.map((rest) => Uint8Array.of(0, 1, 0, rest.length & 0xfc, 0x21, 0x12, 0xa4, 0x42, ...rest)),
);

Deno.test("no datagram from anywhere makes the engine throw, send to others, or harm a call", () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(noise, fc.boolean()), { maxLength: 20 }), (datagrams) => {
      const harness = new EngineHarness();
      const [a, b] = joinedPair(harness);
      const before = harness.events.filter(({ type }) => type !== "dtls-receive").length;
      for (const [data, asA] of datagrams) {
        const sent = asA
          ? a.send(data)
          : harness.receive(0, 0x7f000001 + data.length, 1 + data.length, data);
        assert.deepEqual(sent, []);
      }
      assert.equal(harness.events.filter(({ type }) => type !== "dtls-receive").length, before);
      assert.equal(b.plain(a.send(a.rtp({ ssrc: 1, sequence: 1 }))).length, 1);
      assert.equal(a.plain(b.send(b.rtp({ ssrc: 2, sequence: 1 }))).length, 1);
    }),
    RUNS,
  );
});

Deno.test("a changed copy of an authentic datagram changes nothing", () => {
  fc.assert(
    fc.property(
      fc.constantFrom("rtp", "rtcp", "stun"),
      fc.nat(2000),
      fc.integer({ min: 1, max: 255 }),
      fc.nat(60),
      (kind, at, flip, cut) => {
        const harness = new EngineHarness();
        const [a, b] = joinedPair(harness);
        const data = kind === "rtp"
          ? a.rtp({ ssrc: 5, sequence: 7 })
          : kind === "rtcp"
          ? a.rtcp(Uint8Array.of(0x80, 201, 0, 1, 0, 0, 0, 5))
          : a.request();
        const changed = data.slice(0, Math.max(1, data.length - cut));
        changed[at % changed.length]! ^= flip;
        // Which ICE place is nominated must not move with a forged request from elsewhere.
        const sent = kind === "stun"
          ? harness.receive(0, a.address, a.port + 1, changed)
          : a.send(changed);
        assert.deepEqual(sent, []);
        const [delivered] = kind === "stun" ? [undefined] : a.send(data);
        if (delivered !== undefined) assert.equal(b.plain([delivered]).length, 1);
        assert.equal(a.plain(b.send(b.rtp({ ssrc: 9, sequence: 1 }))).length, 1);
      },
    ),
    RUNS,
  );
});

Deno.test("SRTP: any order within the window, each packet exactly once, whatever the rollover", () => {
  const cipher = () => new AesCmCipher(new Uint8Array(16).fill(3), new Uint8Array(14).fill(4));
  fc.assert(
    fc.property(
      fc.integer({ min: 64_000, max: 66_000 }),
      fc.array(fc.integer({ min: -200, max: 400 }), { minLength: 1, maxLength: 60 }),
      (start, steps) => {
        const sender = new SrtpSender(cipher());
        const receiver = new SrtpReceiver(cipher());
        const sealed = new Map<number, Uint8Array>();
        // The sender goes in order, from 64,000 on, so that its rollover counter is beyond doubt.
        let highest = 63_990;
        const seal = (index: number) => {
          for (let i = highest + 1; i <= index; i++) {
            const packet = new Uint8Array(60);
            packet.set([0x80, 0, (i >>> 8) & 255, i & 255, 0, 0, 0, 0, 0, 0, 0, 1]);
            sealed.set(i, packet.slice(0, sender.protectRtp(packet, 0, 40)));
          }
          highest = Math.max(highest, index);
          return sealed.get(index)!;
        };
        const seen = new Set<number>();
        let index = start;
        let newest = -Infinity;
        for (const step of [0, ...steps]) {
          index = Math.max(64_000, index + step);
          const copy = Uint8Array.from(seal(index));
          const isNew = !seen.has(index) && index > newest - 1024 &&
            !(newest < 65_536 && index >= 65_536 + 32_768);
          // Before the very first rollover there is nothing behind index 65,536 to fall back to.
          if (newest === -Infinity && index >= 65_536) return;
          assert.equal(receiver.unprotectRtp(copy, 0, copy.length) === 40, isNew, `index ${index}`);
          seen.add(index);
          newest = Math.max(newest, index);
        }
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("SRTP: of more SSRCs than have windows, no packet twice, and no index twice", () => {
  const cipher = () => new AesCmCipher(new Uint8Array(16).fill(3), new Uint8Array(14).fill(4));
  const visit = fc.record({
    ssrc: fc.nat(139),
    packets: fc.integer({ min: 1, max: 3 }),
    replays: fc.array(fc.nat(), { maxLength: 3 }),
    moves: fc.nat(9).map((n) => n === 0),
  });
  fc.assert(
    fc.property(fc.array(visit, { minLength: 200, maxLength: 400 }), (visits) => {
      const buffer = new SharedArrayBuffer(StateMemory.bytes(400));
      const open = () => {
        const memory = new StateMemory(buffer);
        const place = (role: number) => ({ memory, owner: 1, role, keys: 0 });
        return {
          sender: new SrtpSender(cipher(), place(Role.send)),
          receiver: new SrtpReceiver(cipher(), place(Role.receive)),
        };
      };
      let { sender, receiver } = open();
      const sealed: Uint8Array[] = [];
      const next = new Map<number, number>();
      const packetOf = (ssrc: number, index: number) => {
        const packet = new Uint8Array(60);
        packet.set([0x80, 0, (index >>> 8) & 255, index & 255, 0, 0, 0, 0, 0, 0, 0, ssrc]);
        return packet;
      };
      for (const { ssrc, packets, replays, moves } of visits) {
        if (moves) ({ sender, receiver } = open());
        for (let i = 0; i < packets; i++) {
          const index = next.get(ssrc) ?? 65_530;
          next.set(ssrc, index + 1);
          const packet = packetOf(ssrc, index);
          assert.equal(sender.protectRtp(packet, 0, 40), 50, `${ssrc}: ${index}`);
          assert.equal(sender.protectRtp(packetOf(ssrc, index), 0, 40), -1, "index used");
          sealed.push(packet.slice(0, 50));
          assert.equal(receiver.unprotectRtp(packet, 0, 50), 40, `${ssrc}: ${index}`);
        }
        for (const which of replays) {
          const old = sealed[which % sealed.length]!.slice();
          assert.equal(receiver.unprotectRtp(old, 0, 50), -1, "taken once");
        }
      }
    }),
    { numRuns: 30 },
  );
});

Deno.test("the address table is a map", () => {
  const place = fc.record({
    socket: fc.nat(3),
    address: fc.integer({ min: 0, max: 3 }).map((n) => [0, 1, 0x7f000001, 0xfffffffe][n]!),
    port: fc.constantFrom(1, 2, 3, 4, 40000, 65535),
    value: fc.nat(100),
    remove: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(place, { maxLength: 400 }), (steps) => {
      const table = new AddressTable();
      const model = new Map<string, number>();
      for (const { socket, address, port, value, remove } of steps) {
        const key = `${socket} ${address} ${port}`;
        if (remove) {
          table.delete(socket, address, port);
          model.delete(key);
        } else {
          table.set(socket, address, port, value);
          model.set(key, value);
        }
        assert.equal(table.size, model.size);
        for (const [known, expected] of model) {
          const [s, a, p] = known.split(" ").map(Number);
          assert.equal(table.get(s!, a!, p!), expected);
        }
        if (!model.has(key)) assert.equal(table.get(socket, address, port), -1);
      }
    }),
    { numRuns: 100 },
  );
});
