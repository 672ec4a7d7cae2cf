import assert from "node:assert/strict";
import { keepWorkers } from "../../../src/actors/media_worker.ts";
import { ManualClock } from "../../../src/core/manual_clock.ts";
import type { CodecCommand, CodecEvent } from "../../../src/rtp/codec/contract.ts";
import { DEFAULT_DELAY } from "../../../src/rtp/codec/contract.ts";
import { CodecPool, type TranscoderEvent } from "../../../src/rtp/codec/pool.ts";
import { writeRtp } from "../../../src/rtp/codec/rtp_packet.ts";
import { StreamPlace } from "../../../src/rtp/codec/stream_memory.ts";
import type { WorkerListener } from "../../../src/rtp/contract.ts";
import { side } from "../../support/transcoder_bench.ts";

/**
 * The pool against workers that are written down: what they were told, and what they are made to
 * say.
 */

interface FakeWorker {
  readonly name: string;
  readonly told: CodecCommand[];
  readonly listener: WorkerListener<CodecEvent>;
}

function setUp(workers: number) {
  const clock = new ManualClock();
  const started: FakeWorker[] = [];
  const log: string[] = [];
  const pool = new CodecPool({
    clock,
    workers,
    keepWorker: keepWorkers(clock),
    allowCrash: false,
    factory: (name, listener) => {
      const worker: FakeWorker = { name, told: [], listener };
      started.push(worker);
      return { send: (command) => worker.told.push(command), terminate: () => {} };
    },
    onWorkerEvent: ({ type, worker }) => log.push(`${worker} ${type}`),
  });
  pool.start(() => log.push("up"));
  const ready = (worker: FakeWorker) => worker.listener.onEvent({ type: "ready", codecs: [] });
  return { clock, pool, started, log, ready };
}

const options = { a: side("PCMU"), b: side("PCMA"), ...DEFAULT_DELAY };

function packet(sequence: number, timestamp: number): Uint8Array {
  const payload = new Uint8Array(160);
  return writeRtp({ payloadType: 8, marker: false, sequence, timestamp, ssrc: 1, payload });
}

Deno.test("a worker that is long in starting is waited for; one that says nothing at all is not", () => {
  const { clock, pool, started, log, ready } = setUp(1);
  clock.advance(55_000);
  assert.equal(started.length, 1, "busy machines need long");
  ready(started[0]!);
  clock.advance(55_000);
  assert.deepEqual([started.length, log], [1, ["codec-1 started", "up"]]);
  pool.terminate();
  const silent = setUp(1);
  silent.clock.advance(61_000);
  assert.equal(silent.started.length, 2);
  silent.pool.terminate();
});

Deno.test("opened before the worker is up, it is opened when it is", () => {
  const { pool, started, log, ready } = setUp(1);
  pool.open(options, () => {});
  const worker = started[0]!;
  assert.deepEqual(worker.told.map(({ type }) => type), ["start"]);
  ready(worker);
  assert.deepEqual(worker.told.map(({ type }) => type), ["start", "open"]);
  assert.deepEqual(log, ["codec-1 started", "up"]);
  pool.terminate();
});

Deno.test("a worker that is coming up again gets nothing while another is up", () => {
  const { clock, pool, started, ready } = setUp(2);
  for (const worker of started) ready(worker);
  const open = () => pool.open(options, () => {});
  const places = () => pool.workers().map(({ transcoders }) => transcoders);
  for (let i = 0; i < 4; i++) open();
  assert.deepEqual(places(), [2, 2]);
  for (const handle of [open(), open()]) handle.close();
  // The first one has fewer, and is dead.
  started[0]!.listener.onDeath("no luck");
  open();
  assert.deepEqual(places(), [2, 3]);
  clock.advance(1);
  assert.equal(started.length, 3, "it is being started");
  open();
  assert.deepEqual(places(), [2, 4]);
  ready(started[2]!);
  open();
  assert.deepEqual(places(), [3, 4]);
  pool.terminate();
});

Deno.test("workers that have more than they can do in time get no new call, and it is told in words", () => {
  const { clock, pool, started, ready } = setUp(2);
  for (const worker of started) ready(worker);
  const failed: string[] = [];
  const open = () =>
    pool.open(options, (event) => {
      if (event.type === "failed") failed.push(event.text);
    });
  const report = (worker: number, load: number, lateMs: number) =>
    started[worker]!.listener.onEvent({ type: "statistics", transcoders: [], load, lateMs });
  const first = [open(), open()];
  const placed = () => pool.workers().map(({ transcoders }) => transcoders);
  // Once is no proof; late frames of a worker that has little to do are the machine's.
  report(0, 0.99, 300);
  for (let i = 0; i < 4; i++) report(1, 0.1, 300);
  assert.deepEqual(pool.workers().map(({ isFull }) => isFull), [false, false]);
  report(0, 0.6, 50);
  assert.deepEqual(pool.workers().map(({ isFull }) => isFull), [true, false]);
  const more = [open(), open()];
  assert.deepEqual(placed(), [1, 3], "the other one gets them");
  report(1, 0.95, 0);
  report(1, 0.95, 0);
  open();
  assert.deepEqual(failed, [], "not within the call");
  clock.advance(1);
  assert.deepEqual(failed, ["the codec workers have all the calls that they can do"]);
  assert.deepEqual(placed(), [1, 3], "who is there goes on");
  // A worker that dies takes up what it had, however much that is.
  started[1]!.listener.onDeath("no luck");
  clock.advance(1);
  ready(started[2]!);
  assert.equal(started[2]!.told.filter(({ type }) => type === "open").length, 3);
  for (const handle of [...first, ...more]) handle.close();
  open();
  clock.advance(1);
  assert.equal(failed.length, 1, "with nothing left to do there is room");
  pool.terminate();
});

Deno.test("many calls at once are refused by what those before them cost, not a second too late", () => {
  const { clock, pool, started, ready } = setUp(1);
  ready(started[0]!);
  let refused = 0;
  const open = (count: number) =>
    Array.from({ length: count }, () =>
      pool.open(options, ({ type }) => {
        if (type === "failed") refused++;
      }));
  const report = (load: number) =>
    started[0]!.listener.onEvent({ type: "statistics", transcoders: [], load, lateMs: 0 });
  const first = open(100);
  report(0.3);
  // Held up once, which says nothing of the calls.
  report(0.8);
  open(150);
  clock.advance(1);
  assert.deepEqual([pool.size, refused], [250, 0]);
  report(0.76);
  open(100);
  clock.advance(1);
  // 297 would cost more than 0.9.
  assert.deepEqual([pool.size, refused], [297, 53]);
  for (const handle of first) handle.close();
  open(90);
  clock.advance(1);
  assert.deepEqual([pool.size, refused], [287, 53], "those that have gone make room");
  pool.terminate();
});

Deno.test("packets of one event go in one message", () => {
  const { clock, pool, started, ready } = setUp(1);
  ready(started[0]!);
  const handles = [1, 2, 3].map(() => pool.open(options, () => {}));
  for (const handle of handles) handle.send("a", packet(1, 1));
  clock.advance(1);
  const messages = started[0]!.told.filter((command) => command.type === "packets");
  assert.equal(messages.length, 1);
  assert.equal(messages[0]!.packets.length, 3);
  pool.terminate();
});

Deno.test("after a death, the replacement goes on with sequence numbers and timestamps", () => {
  const { clock, pool, started, ready } = setUp(1);
  ready(started[0]!);
  const events: TranscoderEvent[] = [];
  pool.open(options, (event) => events.push(event));
  started[0]!.listener.onEvent({
    type: "packets",
    packets: [{ id: 1, side: "b", bytes: packet(0xffff, 0xffff_ff00) }],
  });
  started[0]!.listener.onDeath("out of memory");
  clock.advance(500);
  assert.equal(started.length, 2, "a replacement");
  ready(started[1]!);
  const open = started[1]!.told.find((command) => command.type === "open");
  assert.ok(open?.type === "open");
  assert.equal(open.options.b.firstSequence, 0);
  const ahead = (open.options.b.firstTimestamp - 0xffff_ff00) | 0;
  assert.ok(ahead >= 160 && ahead <= 8 * 600, `${ahead} units later`);
  assert.equal(open.options.a.firstSequence, options.a.firstSequence, "nothing was sent to a");
  assert.deepEqual(events.map(({ type }) => type), ["packet"], "no failure");
  // The dead one's words are not heard any more.
  started[0]!.listener.onEvent({ type: "failed", id: 1, text: "late" });
  assert.equal(pool.size, 1);
  pool.terminate();
});

Deno.test("after a death, a hop's streams go on too: their SSRC stays, by what the worker wrote", () => {
  const { clock, pool, started, ready } = setUp(1);
  ready(started[0]!);
  const at = (port: number) => ({ address: "127.0.0.1", port });
  const event = { payloadType: 101, clockRate: 8000 };
  const b = side("PCMA", { telephoneEvent: event, ssrc: 77 });
  pool.open({ ...options, b }, () => {}, { a: at(1), b: at(2), passed: [] });
  const opened = (worker: FakeWorker) => {
    const open = worker.told.find((command) => command.type === "open");
    assert.ok(open?.type === "open" && open.hop);
    return { ...open.options, places: open.hop.places };
  };
  const place = new StreamPlace(b, opened(started[0]!).places.b);
  clock.advance(5000);
  place.sends(packet(0xfffe, 0xffff_ff00), clock.epoch());
  clock.advance(160);
  // An event that began then: what it says of the time is not the present.
  const digit = packet(0xffff, 0xffff_ff00);
  digit[1] = 101;
  place.sends(digit, clock.epoch());
  clock.advance(40);
  started[0]!.listener.onDeath("out of memory");
  clock.advance(800);
  ready(started[1]!);
  const next = opened(started[1]!);
  assert.deepEqual([next.a.ssrc, next.b.ssrc], [options.a.ssrc, 77]);
  assert.deepEqual([next.a.firstSequence, next.b.firstSequence], [options.a.firstSequence, 0]);
  const ahead = (next.b.firstTimestamp - 0xffff_ff00) | 0;
  assert.ok(ahead >= 1000 * 8 && ahead <= 1100 * 8, `${ahead} units later`);
  assert.strictEqual(next.places.b, opened(started[0]!).places.b, "and on from there");
  pool.terminate();
});

Deno.test("a worker that is given up leaves its transcoders to the others; the last one, to nobody", () => {
  const { clock, pool, started, log, ready } = setUp(2);
  for (const worker of started) ready(worker);
  const failed: string[] = [];
  for (let i = 0; i < 2; i++) {
    pool.open(options, (event) => {
      if (event.type === "failed") failed.push(event.text);
    });
  }
  const kill = (name: string) => {
    for (let i = 0; i < 20 && !log.includes(`${name} stopped`); i++) {
      started.findLast((worker) => worker.name === name)!.listener.onDeath("no luck");
      clock.advance(6000);
    }
  };
  kill("codec-1");
  assert.deepEqual(pool.workers().map(({ transcoders }) => transcoders), [0, 2]);
  assert.equal(failed.length, 0);
  kill("codec-2");
  assert.equal(failed.join(), "no luck,no luck");
  assert.equal(pool.size, 0);
  pool.open(options, (event) => {
    if (event.type === "failed") failed.push(event.text);
  });
  assert.equal(failed.length, 2, "not within the call");
  clock.advance(1);
  assert.deepEqual(failed.slice(2), ["no codec worker is running"]);
  pool.terminate();
});
