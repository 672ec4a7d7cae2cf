import { fileURLToPath } from "node:url";
import type { Codec, PcmRate } from "../../../src/rtp/codec/codec.ts";
import { parseRtp } from "../../../src/rtp/codec/rtp_packet.ts";
import { vowel } from "../../../src/rtp/codec/self_test.ts";
import { openCatalogue } from "../../../src/rtp/io/codec/catalogue.ts";
import { findNeed } from "../../../tools/needs.ts";
import { speak } from "../../support/speech.ts";
import { encodeStream } from "../../support/transcoder_bench.ts";
import { ControlClient, untilRtpengineAnswers } from "../relay/rtpengine.ts";
import { type Arena, DENO_RUN } from "./arena.ts";
import { Background } from "./background.ts";
import { type Bench, inTurn, type Section } from "./bench.ts";
import { rtpengineArgs } from "./contenders.ts";
import { buildNative } from "./needs.ts";
import { OPUS_EQUAL } from "./opus_settings.ts";
import { printRow } from "./summary.ts";
import { checkSpeech, type Coding, codingOf } from "./transcoding_check.ts";

/**
 * Calls between Opus and PCMU, RTP in the clear on both sides, by turns: rtpengine, ours with Opus
 * at the same bit rate, bandwidth and complexity, and ours as shipped. Speech goes in, and has to
 * come out.
 */

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const CALLS = 40;
const WARM_UP = 2;
const PORTS = {
  "rtpengine": { far: 9_000, own: 32_020 },
  "ours, equal": { far: 8_000, own: 12_000 },
  "ours, as shipped": { far: 8_500, own: 13_000 },
} as const;
type Name = keyof typeof PORTS;
/** As much comes out as goes in; where not, the machine was busy, and the round is done again. */
const [FEWEST, MOST] = [0.97, 1.03];
/** Until what comes out can be compared, and hot code is compiled, s. */
const SPEECH = 4;
const SPEECH_TRIES = 3;

interface Run {
  readonly calls: number;
  readonly sent: number;
  readonly received: number;
  readonly foreign: number;
  readonly cpuPercent: number;
  readonly payloadA: number;
  readonly payloadB: number;
  readonly residentMb: number;
}

/** Frames of some seconds of speech. */
function framesOf(codec: Codec, rate: PcmRate): Uint8Array[] {
  const espeak = findNeed("espeak-ng");
  const pcm = espeak === undefined ? vowel(rate, 8000) : speak(espeak, rate);
  return encodeStream(codec, pcm, rate).map(({ bytes }) => parseRtp(bytes)!.payload);
}

async function startOurs(arena: Arena, table: string, name: Name): Promise<Background> {
  const { far, own } = PORTS[name];
  const mode = name === "ours, equal" ? ["equal"] : [];
  const args = [...DENO_RUN, here("./transcode_server.ts"), CALLS, far, own, ...mode];
  const background = new Background(arena.spawn(0, Deno.execPath(), args.map(String)));
  const [, lines] = await background.until(/((?:\d[^\n]*\n)+)up/);
  await Deno.writeTextFile(table, lines!);
  return background;
}

function describe(port: number, payload: number, map: string): string {
  return [
    ...["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0"],
    ...[`m=audio ${port} RTP/AVP ${payload}`, `a=rtpmap:${payload} ${map}`, "a=sendrecv", ""],
  ].join("\r\n");
}

async function startRtpengine(arena: Arena, table: string): Promise<Background> {
  const { far, own } = PORTS.rtpengine;
  const background = new Background(arena.spawn(0, "rtpengine", rtpengineArgs(own)));
  await untilRtpengineAnswers(own);
  const client = new ControlClient(own);
  const portOf = (sdp: string) => sdp.match(/^m=audio (\d+)/m)![1]!;
  const lines: string[] = [];
  for (let call = 0; call < CALLS; call++) {
    const [aPort, bPort] = [far + 2 * call, far + 2 * call + 1];
    const common = { "call-id": `transcoded-${call}`, "from-tag": "from", ICE: "remove" };
    const offered = await client.describe({
      ...common,
      command: "offer",
      codec: {
        ...{ transcode: ["PCMU"], mask: ["opus"] },
        set: [`opus/48000/2/${OPUS_EQUAL.bitrate}`],
      },
      sdp: describe(aPort, 111, "opus/48000/2"),
    });
    const answered = await client.describe({
      ...common,
      command: "answer",
      "to-tag": "to",
      sdp: describe(bPort, 0, "PCMU/8000"),
    });
    lines.push(`${aPort} ${portOf(answered)} ${bPort} ${portOf(offered)} 0 - - 0 - -`);
  }
  client.close();
  await Deno.writeTextFile(table, lines.join("\n") + "\n");
  return background;
}

function print(name: string, run: Run): void {
  const each = run.cpuPercent / run.calls;
  printRow(
    ...[name, run.calls, run.cpuPercent.toFixed(0), (100 / each).toFixed(0)],
    ...[(100 * run.received / run.sent).toFixed(1), run.foreign, run.payloadA, run.payloadB],
    run.residentMb.toFixed(0),
  );
}

/** What a transcoder is driven with, and where it is. */
interface Live {
  readonly table: string;
  readonly background: Background;
}

export const transcoding: Section = {
  title: `Transcoding between Opus and PCMU, ${CALLS} calls`,
  duration: ({ rounds, seconds }) => 25 + 3 * rounds * (seconds + WARM_UP + 2),
  run: async (bench) => {
    const { arena, rounds, seconds } = bench;
    const sides = await prepare(arena);
    const found: Map<Name, Run>[] = [];
    const live = new Map<Name, Live>();
    try {
      for (const name of Object.keys(PORTS) as Name[]) {
        if (name === "rtpengine" && !bench.hasRtpengine) continue;
        const table = `${arena.folder}/transcoded-${name.replace(/\W+/g, "-")}`;
        const start = name === "rtpengine" ? startRtpengine : startOurs;
        live.set(name, { table, background: await start(arena, table, name) });
      }
      await warmUp(bench, live, sides);
      printHead();
      for (let turn = 1; found.length < rounds && turn <= 2 * rounds; turn++) {
        const runs = new Map<Name, Run>();
        for (const [name, { table, background }] of inTurn([...live], turn)) {
          const first = 1 +
            (SPEECH_TRIES + turn) * 50 * Math.ceil(Math.max(seconds, SPEECH) + WARM_UP + 1);
          background.resume();
          const run = await drive(bench, table, background, first);
          background.pause();
          print(name, run);
          runs.set(name, run);
        }
        if ([...runs.values()].every(isWhole)) found.push(runs);
        else console.log("\nPackets were lost; that round does not count.\n");
      }
    } finally {
      for (const { background } of live.values()) await background.end();
    }
    report(bench, found);
  },
};

/** Drives each for the first time, and looks at what comes out. */
async function warmUp(
  bench: Bench,
  live: ReadonlyMap<Name, Live>,
  sides: readonly [Coding, Coding],
): Promise<void> {
  const codings = new Map<Name, string>();
  for (const [name, { table, background }] of live) {
    const text = await speechOf(bench, name, { table, background }, sides);
    background.pause();
    codings.set(name, codingOf(text));
    console.log(`${name}: speech comes out on both sides; Opus by ${codings.get(name)}`);
  }
  const [ours, theirs] = [codings.get("ours, equal"), codings.get("rtpengine")];
  if (theirs !== undefined && ours !== theirs) {
    throw new Error(`the settings are not equal: ours is ${ours}, rtpengine's ${theirs}`);
  }
}

/** A machine that is busy makes jitter buffers work: then once more. */
async function speechOf(
  bench: Bench,
  name: Name,
  { table, background }: Live,
  sides: readonly [Coding, Coding],
): Promise<string> {
  const samples = `${table}.samples`;
  for (let tries = 1;; tries++) {
    const first = 1 + (tries - 1) * 50 * (SPEECH + WARM_UP + 1);
    await drive({ ...bench, seconds: SPEECH }, table, background, first, samples);
    const text = await Deno.readTextFile(samples);
    try {
      checkSpeech(name, text, sides);
      return text;
    } catch (error) {
      if (tries === SPEECH_TRIES) throw error;
      console.log(`${error instanceof Error ? error.message : error}; once more`);
    }
  }
}

function report({ summary }: Bench, found: readonly Map<Name, Run>[]): void {
  const held = (name: Name) =>
    found.flatMap((runs) => {
      const run = runs.get(name);
      return run === undefined ? [] : [100 * run.calls / run.cpuPercent];
    });
  const title = `Opus to PCMU calls a core (from ${CALLS})`;
  const theirs = held("rtpengine");
  for (const name of Object.keys(PORTS) as Name[]) {
    summary.add({ name: `${title}, ${name}`, values: held(name) });
  }
  const ratio = (name: Name) =>
    held(name).slice(0, theirs.length).map((calls, i) => calls / theirs[i]!);
  summary.add(
    {
      name: `${title}: ours, equal / rtpengine`,
      values: ratio("ours, equal"),
      must: 1,
      isMoreBetter: true,
    },
    { name: `${title}: ours, as shipped / rtpengine`, values: ratio("ours, as shipped") },
  );
}

function isWhole({ sent, received }: Run): boolean {
  return received > FEWEST * sent && received < MOST * sent;
}

function printHead(): void {
  const cells = ["transcoder", "calls", "CPU %", "calls a core", "packets out %", "foreign"];
  printRow(...cells, "bytes of Opus", "bytes of PCMU", "MB");
  printRow(...Array(9).fill("---"));
}

/** Gives what sides A and B send. */
async function prepare({ folder }: Arena): Promise<[Coding, Coding]> {
  await buildNative(folder, ["frames"]);
  const { codecs } = await openCatalogue();
  const [opus, pcmu] = [codecs.get("OPUS"), codecs.get("PCMU")];
  if (opus === undefined || pcmu === undefined) throw new Error("Opus or PCMU does not work here");
  const write = async (codec: Codec, rate: PcmRate, file: string, head: string) => {
    const frames = framesOf(codec, rate);
    const lines = frames.map((bytes) =>
      Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")
    );
    await Deno.writeTextFile(`${folder}/${file}`, `${head}\n${lines.join("\n")}\n`);
    return { codec, frames };
  };
  return [
    await write(opus, 48_000, "opus", "111 960"),
    await write(pcmu, 8000, "pcmu", "0 160"),
  ];
}

async function drive(
  { arena, seconds }: Bench,
  table: string,
  { pid }: Background,
  first: number,
  samples?: string,
): Promise<Run> {
  const { folder } = arena;
  const args = [
    ...[table, pid, seconds, `${folder}/opus`, `${folder}/pcmu`, WARM_UP, first],
    ...(samples === undefined ? [] : [samples]),
  ].map(String);
  const { stdout, stderr } = await arena.spawn(1, `${folder}/frames`, args).output();
  const text = new TextDecoder().decode(stdout);
  if (text === "") throw new Error(`the generator failed: ${new TextDecoder().decode(stderr)}`);
  return JSON.parse(text) as Run;
}
