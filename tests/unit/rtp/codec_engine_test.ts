import assert from "node:assert/strict";
import type { Codec, CodecName } from "../../../src/rtp/codec/codec.ts";
import { DEFAULT_DELAY } from "../../../src/rtp/codec/contract.ts";
import { CodecEngine, type EngineEvent } from "../../../src/rtp/codec/engine.ts";
import { PCMA, PCMU } from "../../../src/rtp/codec/g711.ts";
import { parseRtp } from "../../../src/rtp/codec/rtp_packet.ts";
import { vowel } from "../../../src/rtp/codec/self_test.ts";
import { encodeStream, side } from "../../support/transcoder_bench.ts";

/** The codec worker's inside on virtual time. */

function setUp(codecs: readonly Codec[] = [PCMU, PCMA]) {
  const byName = new Map<CodecName, Codec>(codecs.map((codec) => [codec.name, codec]));
  const engine = new CodecEngine({ codecs: byName, takeBusyMs: () => 250 });
  const events: EngineEvent[] = [];
  const drain = () => {
    for (let event = engine.poll(); event !== undefined; event = engine.poll()) events.push(event);
  };
  /** Wakes it whenever it wants, up to `until`. */
  const wake = (until: number) => {
    for (let at = engine.deadline()?.at; at !== undefined && at <= until;) {
      engine.wake(at);
      drain();
      at = engine.deadline()?.at;
    }
  };
  return { engine, events, drain, wake };
}

const options = { a: side("PCMU"), b: side("PCMA"), ...DEFAULT_DELAY };
const fromA = encodeStream(PCMU, vowel(8000, 1500), 8000);
const fromB = encodeStream(PCMA, vowel(8000, 1500), 8000);

Deno.test("engine: both directions of many transcoders, and a report each second", () => {
  const { engine, events, drain, wake } = setUp();
  for (const id of [1, 2, 3]) engine.handle({ type: "open", id, options }, 0);
  fromA.forEach(({ at, bytes }, i) => {
    wake(at);
    const packets = [1, 2, 3].flatMap((id) => [
      { id, side: "a" as const, bytes },
      { id, side: "b" as const, bytes: fromB[i]!.bytes },
    ]);
    engine.handle({ type: "packets", packets }, at);
    drain();
  });
  wake(1500);
  for (const id of [1, 2, 3]) {
    for (const [to, payloadType] of [["a", 0], ["b", 8]] as const) {
      const packets = events.flatMap((event) => event.type === "packets" ? event.packets : [])
        .filter((packet) => packet.id === id && packet.side === to)
        .map(({ bytes }) => parseRtp(bytes)!);
      assert.ok(packets.length > 70, `${packets.length} packets of ${id} to ${to}`);
      assert.ok(packets.every((packet) => packet.payloadType === payloadType));
    }
  }
  const reports = events.filter((event) => event.type === "statistics");
  assert.equal(reports.length, 1);
  assert.equal(reports[0]!.load, 0.25);
  assert.deepEqual(reports[0]!.transcoders.map(({ id }) => id), [1, 2, 3]);
  assert.ok(reports[0]!.transcoders.every(({ fromA }) => fromA.receivePackets === 49));
});

Deno.test("engine: by how much frames are late is reported, and only of the last second", () => {
  for (const late of [0, 15]) {
    const { engine, events, drain } = setUp();
    engine.handle({ type: "open", id: 1, options }, 0);
    const packets = [...fromA];
    for (let now = 0; now < 3000; now++) {
      while (packets[0] && packets[0].at <= now) {
        const bytes = packets.shift()!.bytes;
        engine.handle({ type: "packets", packets: [{ id: 1, side: "a", bytes }] }, now);
      }
      // In the first second only.
      const at = engine.deadline()?.at ?? Infinity;
      if (at + (now < 1000 ? late : 0) <= now) engine.wake(now);
      drain();
    }
    const reports = events.filter((event) => event.type === "statistics");
    const [first, second] = reports.map(({ lateMs }) => lateMs);
    assert.ok(Math.abs(first! - late) <= 1.5, `${first} ms reported of ${late}`);
    assert.ok(second! <= 1, `${second} ms in the next second`);
  }
});

Deno.test("engine: after the last close nothing is waited for", () => {
  const { engine, drain } = setUp();
  engine.handle({ type: "open", id: 1, options }, 0);
  engine.handle({ type: "packets", packets: [{ id: 1, side: "a", bytes: fromA[0]!.bytes }] }, 0);
  drain();
  assert.notEqual(engine.deadline(), undefined);
  engine.handle({ type: "close", id: 1 }, 1);
  engine.handle({ type: "close", id: 1 }, 1);
  assert.equal(engine.deadline(), undefined);
  assert.equal(engine.size, 0);
  engine.handle({ type: "packets", packets: [{ id: 1, side: "a", bytes: fromA[1]!.bytes }] }, 2);
  engine.handle({ type: "loss", id: 1, side: "a", percent: 10 }, 2);
  assert.equal(engine.poll(), undefined);
});

Deno.test("engine: what cannot be opened is said; a second use of an id leaves the first", () => {
  const { engine, events, drain } = setUp();
  engine.handle({ type: "open", id: 1, options }, 0);
  engine.handle({ type: "open", id: 1, options }, 0);
  engine.handle({ type: "open", id: 2, options: { ...options, a: side("G729") } }, 0);
  drain();
  assert.deepEqual(events, [
    { type: "failed", id: 1, text: "transcoder 1 is open already" },
    { type: "failed", id: 2, text: "codec G729 is not available" },
  ]);
  assert.equal(engine.size, 1);
});

Deno.test("engine: an error in one transcoder ends that one only, and frees its states", () => {
  let [open, throws] = [0, false];
  const fragile: Codec = {
    ...PCMU,
    decoder: (given) => {
      const decoder = PCMU.decoder(given);
      open++;
      return {
        decode: (payload, pcm) => {
          if (throws) throw new Error("the library broke");
          return decoder.decode(payload, pcm);
        },
        conceal: (samples, pcm) => decoder.conceal(samples, pcm),
        close: () => open--,
      };
    },
  };
  const { engine, events, drain, wake } = setUp([fragile, PCMA]);
  engine.handle({ type: "open", id: 1, options }, 0);
  engine.handle({ type: "open", id: 2, options: { ...options, a: side("PCMA") } }, 0);
  assert.equal(open, 1);
  throws = true;
  const both = [
    { id: 1, side: "a" as const, bytes: fromA[0]!.bytes },
    { id: 2, side: "b" as const, bytes: fromB[0]!.bytes },
  ];
  engine.handle({ type: "packets", packets: both }, 0);
  drain();
  wake(200);
  const fault = events.find((event) => event.type === "fault");
  assert.ok(fault?.type === "fault" && fault.id === 1);
  assert.match(fault.text, /the library broke/);
  assert.equal(open, 0, "its decoder is closed");
  assert.equal(engine.size, 1);
  const made = events.flatMap((event) => event.type === "packets" ? event.packets : []);
  assert.ok(made.length > 0 && made.every(({ id }) => id === 2), "the other goes on");
});

Deno.test("engine: reported loss goes to the encoder of what that side gets", () => {
  const told: string[] = [];
  const listening = (codec: Codec): Codec => ({
    ...codec,
    encoder: (given) => {
      const encoder = codec.encoder(given);
      return {
        encode: (pcm, payload) => encoder.encode(pcm, payload),
        setLoss: (percent) => told.push(`${codec.name} ${percent}`),
        close: () => {},
      };
    },
  });
  const { engine } = setUp([listening(PCMU), listening(PCMA)]);
  engine.handle({ type: "open", id: 1, options }, 0);
  engine.handle({ type: "loss", id: 1, side: "a", percent: 7 }, 1);
  engine.handle({ type: "loss", id: 1, side: "b", percent: 9 }, 1);
  assert.deepEqual(told, ["PCMU 7", "PCMA 9"]);
});
