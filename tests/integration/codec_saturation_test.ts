import assert from "node:assert/strict";
import { keepWorkers } from "../../src/actors/media_worker.ts";
import { systemClock } from "../../src/core/io/system_clock.ts";
import { DEFAULT_DELAY, type TranscoderOptions } from "../../src/rtp/codec/contract.ts";
import type { TranscoderHandle } from "../../src/rtp/codec/pool.ts";
import { vowel } from "../../src/rtp/codec/self_test.ts";
import { openCatalogue } from "../../src/rtp/io/codec/catalogue.ts";
import { createCodecPool } from "../../src/rtp/io/start_codec_pool.ts";
import { headerOf } from "../support/fake_phone.ts";
import { startPool } from "../support/media_legs.ts";
import { PhoneLeg } from "../support/phone_leg.ts";
import { encodeStream, readied, side } from "../support/transcoder_bench.ts";

/** A codec worker with more than it can do: relayed calls don't notice, new ones are refused. */

const STEP = 20;
/** No thread has the time for so many, 48 kHz both ways. */
const MOST = 800;

/** Transcoders from Opus to Opus, the dearest there are, each spoken to from both sides. */
class Crowd {
  readonly handles: TranscoderHandle[] = [];
  readonly failed: string[] = [];
  readonly #pool: Awaited<ReturnType<typeof createCodecPool>>;
  readonly #packet: Uint8Array;
  readonly #timer: ReturnType<typeof setInterval>;
  #sequence = 0;

  constructor(pool: Awaited<ReturnType<typeof createCodecPool>>, packet: Uint8Array) {
    this.#pool = pool;
    this.#packet = packet;
    this.#timer = setInterval(() => this.#speak(), 20);
  }

  grow(count: number): void {
    const options: TranscoderOptions = { a: side("OPUS"), b: side("OPUS"), ...DEFAULT_DELAY };
    for (let i = 0; i < count; i++) {
      this.handles.push(this.#pool.open(options, (event) => {
        if (event.type === "failed") this.failed.push(event.text);
      }));
    }
  }

  #speak(): void {
    const bytes = this.#packet.slice();
    const view = new DataView(bytes.buffer);
    view.setUint16(2, this.#sequence & 0xffff);
    view.setUint32(4, this.#sequence++ * 960 >>> 0);
    for (const handle of this.handles) {
      handle.send("a", bytes);
      handle.send("b", bytes);
    }
  }

  close(): void {
    clearInterval(this.#timer);
    for (const handle of this.handles.splice(0)) handle.close();
  }
}

Deno.test("a codec worker at its limit: relayed packets all arrive, a new call is refused in words", async () => {
  const opus = (await openCatalogue()).codecs.get("OPUS")!;
  const ready = await readied(opus, { sampleRate: 48_000, packetMs: 20, dtx: false });
  const packet = encodeStream(ready, vowel(48_000, 200), 48_000).at(-1)!.bytes;
  const codecs = await createCodecPool({
    clock: systemClock,
    workers: 1,
    keepWorker: keepWorkers(systemClock),
    allowCrash: false,
    onWorkerEvent: () => {},
  });
  const pool = await startPool(1);
  const [a, b] = [new PhoneLeg(pool, { hertz: 440 }), new PhoneLeg(pool, { hertz: 1000 })];
  const crowd = new Crowd(codecs, packet);
  const worker = () => codecs.workers()[0]!;
  try {
    await Promise.all([a.up(), b.up()]);
    a.handle.connect(b.handle.token);
    b.handle.connect(a.handle.token);
    await Promise.all([a.peer.hears(1000, 30_000), b.peer.hears(440, 30_000)]);

    const from = [a.peer.packets.length, b.peer.packets.length] as const;
    while (!worker().isFull) {
      assert.ok(crowd.handles.length < MOST, `load ${worker().load} with ${MOST}`);
      crowd.grow(STEP);
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
    assert.ok(worker().load > 0.5, `full at a load of ${worker().load}`);
    const before = crowd.failed.length;
    const enough = [a.peer.packets.length + 150, b.peer.packets.length + 150] as const;
    await a.peer.until("packets at the limit", () => {
      return a.peer.packets.length > enough[0] && b.peer.packets.length > enough[1];
    }, 60_000);
    for (const [i, { peer }] of [a, b].entries()) {
      const numbers = peer.packets.slice(from[i]).map((bytes) => headerOf(bytes).sequence);
      const missing = numbers.filter((number, at) =>
        at > 0 && number !== ((numbers[at - 1]! + 1) & 0xffff)
      );
      assert.deepEqual(missing, [], `of ${numbers.length} packets`);
    }
    while (!worker().isFull) await new Promise((resolve) => setTimeout(resolve, 50));
    crowd.grow(1);
    await a.peer.until("a refusal", () => crowd.failed.length > before);
    assert.match(crowd.failed.at(-1)!, /all the calls that they can do/);

    crowd.close();
    assert.equal(worker().isFull, false, "with nothing left to do there is room");
  } finally {
    crowd.close();
    for (const leg of [a, b]) leg.close();
    await pool.close();
    await codecs.close();
  }
});
