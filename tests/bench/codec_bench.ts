import { parseArgs } from "node:util";
import { keepWorkers } from "../../src/actors/media_worker.ts";
import { systemClock } from "../../src/core/io/system_clock.ts";
import type { Codec, CodecName, PcmRate } from "../../src/rtp/codec/codec.ts";
import { DEFAULT_DELAY } from "../../src/rtp/codec/contract.ts";
import type { TranscoderEvent } from "../../src/rtp/codec/pool.ts";
import { parseRtp, writeRtp } from "../../src/rtp/codec/rtp_packet.ts";
import { vowel } from "../../src/rtp/codec/self_test.ts";
import { ratesOf, Transcoder } from "../../src/rtp/codec/transcoder.ts";
import { openCatalogue } from "../../src/rtp/io/codec/catalogue.ts";
import { createCodecPool } from "../../src/rtp/io/start_codec_pool.ts";
import { findNeed } from "../../tools/needs.ts";
import { speak } from "../support/speech.ts";
import { drive, encodeStream, side } from "../support/transcoder_bench.ts";

/**
 * What codecs and transcoding cost, a frame of 20 ms: `deno task bench:codecs [--seconds N] [CALLS
 * ...]`. With CALLS a real worker transcodes so many Opus-PCMU calls at their pace. A codec's calls
 * a core are arithmetic: it encodes one way and decodes the other. About a minute.
 */

const ROUNDS = 5;
const FRAME_MS = 20;
const PAIRS: readonly (readonly [CodecName, CodecName])[] = [
  ["OPUS", "PCMU"],
  ["OPUS", "G722"],
  ["OPUS", "G729"],
  ["OPUS", "SPEEX/8000"],
  ["OPUS", "SPEEX/16000"],
  ["G729", "PCMA"],
  ["G722", "PCMA"],
];

const espeak = findNeed("espeak-ng");

function voice(rate: PcmRate): Int16Array {
  return espeak === undefined ? vowel(rate, 8000) : speak(espeak, rate);
}

/** Best of the rounds, us for each of `count` frames that `run` works through. */
function best(count: number, run: () => void): number {
  run();
  let least = Infinity;
  for (let round = 0; round < ROUNDS; round++) {
    const begun = performance.now();
    run();
    least = Math.min(least, (performance.now() - begun) * 1000 / count);
  }
  return least;
}

async function benchCodec(codec: Codec, rate: PcmRate, complexity?: number): Promise<void> {
  const pcm = voice(rate);
  const size = FRAME_MS * rate / 1000;
  const count = Math.floor(pcm.length / size);
  const extra = complexity === undefined ? {} : { complexity };
  const encoder = codec.encoder({
    sampleRate: rate,
    packetMs: FRAME_MS,
    dtx: false,
    fec: true,
    ...extra,
  });
  const decoder = codec.decoder({ sampleRate: rate });
  await new Promise((resolve) => setTimeout(resolve, 0));
  const payload = new Uint8Array(1500);
  const heard = new Int16Array(6 * size);
  let packets: Uint8Array[] = [];
  const encode = best(count, () => {
    packets = [];
    for (let i = 0; i < count; i++) {
      const length = encoder.encode(pcm.subarray(i * size, (i + 1) * size), payload);
      packets.push(payload.slice(0, length));
    }
  });
  const decode = best(count, () => {
    for (const packet of packets) decoder.decode(packet, heard);
  });
  const conceal = best(200, () => {
    for (let i = 0; i < 100; i++) {
      decoder.decode(packets[i + 100]!, heard);
      decoder.conceal(size, heard);
    }
  });
  const name = complexity === undefined ? codec.name : `${codec.name}, complexity ${complexity}`;
  row(
    ...[name, String(rate), encode.toFixed(1), decode.toFixed(1)],
    ...[(2 * conceal - decode).toFixed(1), (FRAME_MS * 1000 / (encode + decode)).toFixed(0)],
  );
  encoder.close();
  decoder.close();
}

/** One direction with jitter buffer and all, on virtual time, us of 20 ms. */
function benchDirection(fromCodec: Codec, toCodec: Codec): number {
  const [rate] = ratesOf(fromCodec, toCodec);
  const sent = encodeStream(fromCodec, voice(rate), rate);
  return best(sent.length, () => {
    const transcoder = new Transcoder({
      from: side(fromCodec.name),
      to: side(toCodec.name, { fec: true }),
      fromCodec,
      toCodec,
      ...DEFAULT_DELAY,
    });
    drive(transcoder, sent, sent.at(-1)!.at);
    transcoder.close();
  });
}

function row(...cells: string[]): void {
  console.log(`| ${cells.join(" | ")} |`);
}

function head(...cells: string[]): void {
  console.log();
  row(...cells);
  row(...cells.map((cell) => "-".repeat(cell.length)));
}

/** CPU of each thread of this process by its name, ms; Linux only. */
function threadTimes(): Map<string, number> {
  const found = new Map<string, number>();
  for (const { name } of Deno.readDirSync("/proc/self/task")) {
    const stat = Deno.readTextFileSync(`/proc/self/task/${name}/stat`);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // Fields 14 and 15, in ticks of 10 ms.
    found.set(`${stat.slice(0, stat.lastIndexOf(")"))}`, 10 * (+fields[11]! + +fields[12]!));
  }
  return found;
}

async function benchWorker(codecs: ReadonlyMap<CodecName, Codec>, calls: number, seconds: number) {
  const pool = await createCodecPool({
    clock: systemClock,
    keepWorker: keepWorkers(systemClock),
    workers: 1,
    allowCrash: false,
    onWorkerEvent: () => {},
  });
  const streams = (["OPUS", "PCMU"] as const).map((name) =>
    encodeStream(codecs.get(name)!, voice(8000), 8000)
  );
  let [made, worst, loads, reports] = [0, 0, 0, 0];
  const totals = new Map<number, { late: number; concealedMs: number }>();
  const handles = Array.from({ length: calls }, (_, id) => {
    const options = { a: side("OPUS", { fec: true }), b: side("PCMU"), ...DEFAULT_DELAY };
    return pool.open(options, (event: TranscoderEvent) => {
      if (event.type === "packet") made++;
      if (event.type !== "statistics") return;
      const { fromA, fromB } = event;
      worst = Math.max(worst, fromA.delayMs, fromB.delayMs);
      totals.set(id, {
        late: fromA.late + fromB.late,
        concealedMs: fromA.concealedMs + fromB.concealedMs,
      });
    });
  });
  const begun = performance.now();
  const before = threadTimes();
  const frames = seconds * 50;
  for (let frame = 0; frame < frames; frame++) {
    // A tenth of the calls every 2 ms, as they come in life.
    for (let part = 0; part < 10; part++) {
      const wait = begun + frame * FRAME_MS + part * 2 - performance.now();
      if (wait > 1) await new Promise((resolve) => setTimeout(resolve, wait));
      for (let call = part; call < calls; call += 10) {
        streams.forEach((stream, k) => {
          const at = (frame + call * 7) % stream.length;
          const packet = parseRtp(stream[at]!.bytes)!;
          const unit = k === 0 ? 960 : 160;
          const bytes = writeRtp({ ...packet, sequence: frame & 0xffff, timestamp: frame * unit });
          handles[call]!.send(k === 0 ? "a" : "b", bytes);
        });
      }
    }
    if (frame % 50 === 49) [loads, reports] = [loads + pool.workers()[0]!.load, reports + 1];
  }
  const elapsed = performance.now() - begun;
  const after = threadTimes();
  let [busiest, mine] = [0, 0];
  for (const [thread, ms] of after) {
    const used = ms - (before.get(thread) ?? 0);
    if (thread.includes(`${Deno.pid} (`)) mine = used;
    else busiest = Math.max(busiest, used);
  }
  const sums = [...totals.values()];
  const concealed = sums.reduce((sum, one) => sum + one.concealedMs, 0);
  const cpu = busiest / elapsed;
  row(
    String(calls),
    (100 * cpu).toFixed(1),
    (100 * loads / Math.max(1, reports)).toFixed(1),
    (cpu * 1e6 / (calls * 100)).toFixed(0),
    (calls / cpu).toFixed(0),
    (made / (2 * calls * frames) * 100).toFixed(1),
    (concealed / (2 * calls * frames * FRAME_MS) * 100).toFixed(2),
    worst.toFixed(0),
    (100 * mine / elapsed).toFixed(1),
  );
  for (const handle of handles) handle.close();
  await pool.close();
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seconds: { type: "string", default: "10" } },
});
const { codecs } = await openCatalogue();
const wasm = (await openCatalogue({ ffi: false })).codecs.get("OPUS");
console.log(espeak === undefined ? "Signal: synthetic vowel" : "Signal: eSpeak NG");
head("codec", "rate Hz", "encode us", "decode us", "conceal us", "calls a core");
for (const codec of codecs.values()) {
  for (const rate of codec.sampleRates) await benchCodec(codec, rate);
}
const opus = codecs.get("OPUS");
if (opus !== undefined) {
  for (const complexity of [0, 10]) await benchCodec(opus, 8000, complexity);
}
if (wasm !== undefined && wasm !== opus) {
  console.log("\nOpus by WebAssembly:");
  for (const rate of wasm.sampleRates) await benchCodec(wasm, rate);
}
head("call", "there us", "back us", "calls a core");
for (const [a, b] of PAIRS) {
  const [x, y] = [codecs.get(a), codecs.get(b)];
  if (x === undefined || y === undefined) continue;
  const [there, back] = [benchDirection(x, y), benchDirection(y, x)];
  const calls = (FRAME_MS * 1000 / (there + back)).toFixed(0);
  row(`${a} - ${b}`, there.toFixed(1), back.toFixed(1), calls);
}
if (positionals.length > 0 && codecs.has("OPUS")) {
  head(
    "calls",
    "worker CPU %",
    "load %",
    "us a packet",
    "calls a core",
    "packets %",
    "concealed %",
    "delay ms",
    "main CPU %",
  );
  for (const calls of positionals) await benchWorker(codecs, Number(calls), Number(values.seconds));
}
