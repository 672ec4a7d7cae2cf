import assert from "node:assert/strict";
import { keepWorkers } from "../../src/actors/media_worker.ts";
import type { TranscoderOptions } from "../../src/rtp/codec/contract.ts";
import { DEFAULT_DELAY } from "../../src/rtp/codec/contract.ts";
import { PCMA, PCMU } from "../../src/rtp/codec/g711.ts";
import type { TranscoderEvent } from "../../src/rtp/codec/pool.ts";
import { parseRtp, type RtpPacket } from "../../src/rtp/codec/rtp_packet.ts";
import { vowel } from "../../src/rtp/codec/self_test.ts";
import { createCodecPool, type RunningCodecPool } from "../../src/rtp/io/start_codec_pool.ts";
import { systemClock } from "../../src/core/io/system_clock.ts";
import { compare } from "../support/audio_quality.ts";
import { decodeStream, encodeStream, side } from "../support/transcoder_bench.ts";

/** Real codec workers. */

interface Harness {
  readonly pool: RunningCodecPool;
  readonly workerEvents: string[];
}

async function withPool(workers: number, run: (harness: Harness) => Promise<void>): Promise<void> {
  const workerEvents: string[] = [];
  const pool = await createCodecPool({
    clock: systemClock,
    keepWorker: keepWorkers(systemClock),
    workers,
    allowCrash: true,
    onWorkerEvent: ({ type, worker }) => workerEvents.push(`${worker} ${type}`),
  });
  try {
    await run({ pool, workerEvents });
  } finally {
    await pool.close();
  }
}

function options(a: Parameters<typeof side>[0], b: Parameters<typeof side>[0]): TranscoderOptions {
  return { a: side(a), b: side(b, { ssrc: 0xbbbb }), ...DEFAULT_DELAY };
}

/** Sends packets at the pace at which they would come. */
async function pace(count: number, send: (index: number) => void): Promise<void> {
  const begun = performance.now();
  for (let i = 0; i < count; i++) {
    const wait = begun + i * 20 - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    send(i);
  }
}

async function until(isTrue: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 20_000;
  while (!isTrue()) {
    if (performance.now() > end) throw new Error(`waited 20 s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

Deno.test("a worker transcodes both ways and reports", async () => {
  await withPool(1, async ({ pool }) => {
    assert.equal(pool.availability.length, 7);
    const events: TranscoderEvent[] = [];
    const handle = pool.open(options("PCMU", "PCMA"), (event) => events.push(event));
    const pcm = vowel(8000, 1600);
    const [fromA, fromB] = [encodeStream(PCMU, pcm, 8000), encodeStream(PCMA, pcm, 8000)];
    await pace(fromA.length, (i) => {
      handle.send("a", fromA[i]!.bytes);
      handle.send("b", fromB[i]!.bytes);
    });
    await until(() => events.some(({ type }) => type === "statistics"), "statistics");
    for (const [to, codec, ssrc] of [["b", PCMA, 0xbbbb], ["a", PCMU, 0x1234_5678]] as const) {
      const packets = events.flatMap((event) =>
        event.type === "packet" && event.side === to ? [parseRtp(event.bytes)!] : []
      );
      assert.ok(packets.every((packet) => packet.ssrc === ssrc));
      const { likeness } = compare(pcm, decodeStream(codec, packets, 8000), 8000, 100);
      // Wall time stretches it here and there, so the waveform is not asked for much.
      assert.ok(packets.length > 60, `${packets.length} packets to ${to}, likeness ${likeness}`);
    }
    const report = events.findLast((event) => event.type === "statistics");
    assert.ok(report?.type === "statistics" && report.fromA.receivePackets > 20);
    assert.ok(pool.workers()[0]!.load > 0);
    handle.close();
    const count = events.length;
    handle.send("a", fromA[0]!.bytes);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(events.length, count, "nothing after close");
    assert.equal(pool.size, 0);
  });
});

Deno.test("a worker that dies is replaced, and its streams go on", async () => {
  await withPool(1, async ({ pool, workerEvents }) => {
    const sent = encodeStream(PCMU, vowel(8000, 20_000), 8000);
    const out: { sequence: number; timestamp: number }[] = [];
    let failure = "";
    const handle = pool.open(options("PCMU", "PCMA"), (event) => {
      if (event.type === "packet") out.push(parseRtp(event.bytes)!);
      if (event.type === "failed") failure = event.text;
    });
    let next = 0;
    const feeder = setInterval(() => {
      const packet = sent[next++];
      if (packet !== undefined) handle.send("a", packet.bytes);
    }, 20);
    try {
      await until(() => out.length > 20, "packets");
      pool.crashWorker(0);
      await until(() => workerEvents.includes("codec-1 died"), "the worker's death");
      const before = out.length;
      await until(() => out.length > before + 20, "packets of the replacement");
      assert.equal(failure, "");
      assert.deepEqual(pool.workers().map(({ state, restarts }) => [state, restarts]), [[
        "running",
        1,
      ]]);
      out.slice(1).forEach((packet, i) => {
        assert.equal(packet.sequence, (out[i]!.sequence + 1) & 0xffff, `packet ${i + 1}`);
        assert.ok(((packet.timestamp - out[i]!.timestamp) | 0) > 0, "timestamps only rise");
      });
    } finally {
      clearInterval(feeder);
      handle.close();
    }
  });
});

Deno.test("a worker that dies under a hop: what the far side gets keeps its SSRC, and goes on", async () => {
  await withPool(1, async ({ pool }) => {
    const sent = encodeStream(PCMU, vowel(8000, 20_000), 8000);
    const bind = () => Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const [a, b] = [bind(), bind()];
    const at = ({ addr }: Deno.DatagramConn) => ({
      address: "127.0.0.1",
      port: (addr as Deno.NetAddr).port,
    });
    const out: RtpPacket[] = [];
    const reading = (async () => {
      for await (const [bytes] of b) out.push(parseRtp(bytes)!);
    })();
    const placed: Deno.NetAddr[] = [];
    const handle = pool.open(options("PCMU", "PCMA"), (event) => {
      if (event.type !== "placed") return;
      const { address: hostname, port } = event.local;
      placed.push({ transport: "udp", hostname, port });
    }, { a: at(a), b: at(b), passed: [] });
    let next = 0;
    const feeder = setInterval(() => {
      const [packet, to] = [sent[next++], placed.at(-1)];
      // A socket that has just died may refuse.
      if (packet && to) a.send(packet.bytes, to).catch(() => {});
    }, 20);
    try {
      for (let deaths = 1; deaths <= 2; deaths++) {
        const before = out.length;
        await until(() => out.length > before + 20, "packets");
        pool.crashWorker(0);
        await until(() => placed.length > deaths, "another worker");
      }
      const before = out.length;
      await until(() => out.length > before + 20, "packets of the last worker");
      assert.deepEqual([...new Set(out.map(({ ssrc }) => ssrc))], [0xbbbb]);
      out.slice(1).forEach((packet, i) => {
        assert.equal(packet.sequence, (out[i]!.sequence + 1) & 0xffff, `packet ${i + 1}`);
        const ahead = (packet.timestamp - out[i]!.timestamp) | 0;
        assert.ok(ahead >= 160 && ahead < 8 * 20_000, `${ahead} units later`);
      });
    } finally {
      clearInterval(feeder);
      handle.close();
      a.close();
      b.close();
      await reading;
    }
  });
});

Deno.test("many transcoders are spread over the workers; a bad one fails alone", async () => {
  await withPool(2, async ({ pool }) => {
    const failures: string[] = [];
    const open = (given: TranscoderOptions) =>
      pool.open(given, (event) => {
        if (event.type === "failed") failures.push(event.text);
      });
    const handles = Array.from({ length: 6 }, () => open(options("G722", "PCMA")));
    assert.deepEqual(pool.workers().map(({ transcoders }) => transcoders), [3, 3]);
    const bad = options("PCMU", "PCMA");
    open({ ...bad, a: { ...bad.a, packetMs: 500 } });
    open({ ...bad, minDelayMs: 500, maxDelayMs: 100 });
    await until(() => failures.length === 2, "both failures");
    assert.match(failures.sort().join(), /packets of 500 ms.*delays from 500 to 100/);
    assert.equal(pool.size, 6);
    for (const handle of handles) handle.close();
    assert.equal(pool.size, 0);
  });
});
