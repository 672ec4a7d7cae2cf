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
import type { Bench, Section } from "./bench.ts";
import { rtpengineArgs } from "./contenders.ts";
import { buildNative } from "./needs.ts";
import { printRow } from "./summary.ts";

/** Calls between Opus and PCMU, RTP in the clear on both sides, ours and rtpengine by turns. */

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const CALLS = 40;
const WARM_UP = 2;
const PORTS = { ours: 8_000, rtpengine: 9_000, pool: 12_000, control: 32_020 } as const;
/** As much comes out as goes in; where not, the machine was busy, and the round is done again. */
const [FEWEST, MOST] = [0.97, 1.03];
const MAX_RETRIES = 3;

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

/** Frames of some seconds of speech, as `frames.c` reads them. */
function framesOf(codec: Codec, rate: PcmRate, head: string): string {
  const espeak = findNeed("espeak-ng");
  const pcm = espeak === undefined ? vowel(rate, 8000) : speak(espeak, rate);
  const lines = encodeStream(codec, pcm, rate).map(({ bytes }) =>
    Array.from(parseRtp(bytes)!.payload, (byte) => byte.toString(16).padStart(2, "0")).join("")
  );
  return `${head}\n${lines.join("\n")}\n`;
}

async function startOurs(arena: Arena, table: string): Promise<Background> {
  const args = [...DENO_RUN, here("./transcode_server.ts"), CALLS, PORTS.ours, PORTS.pool];
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
  const background = new Background(arena.spawn(0, "rtpengine", rtpengineArgs(PORTS.control)));
  await untilRtpengineAnswers(PORTS.control);
  const client = new ControlClient(PORTS.control);
  const portOf = (sdp: string) => sdp.match(/^m=audio (\d+)/m)![1]!;
  const lines: string[] = [];
  for (let call = 0; call < CALLS; call++) {
    const [aPort, bPort] = [PORTS.rtpengine + 2 * call, PORTS.rtpengine + 2 * call + 1];
    const common = { "call-id": `transcoded-${call}`, "from-tag": "from", ICE: "remove" };
    const offered = await client.describe({
      ...common,
      command: "offer",
      codec: { transcode: ["PCMU"], mask: ["opus"] },
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

export const transcoding: Section = {
  title: `Transcoding between Opus and PCMU, ${CALLS} calls`,
  duration: ({ rounds, seconds }) => 20 + 2 * rounds * (seconds + WARM_UP + 1),
  run: async (bench) => {
    const { arena, rounds, seconds, summary } = bench;
    await prepare(arena);
    const found: Map<string, Run>[] = [];
    const live = new Map<string, { table: string; background: Background }>();
    try {
      for (const [name, start] of [["rtpengine", startRtpengine], ["ours", startOurs]] as const) {
        if (name === "rtpengine" && !bench.hasRtpengine) continue;
        const table = `${arena.folder}/transcoded-${name}`;
        live.set(name, { table, background: await start(arena, table) });
      }
      printHead();
      for (let turn = 0, retries = 0; turn - retries < rounds; turn++) {
        const first = 1 + turn * 50 * Math.ceil(seconds + WARM_UP + 1);
        const runs = new Map<string, Run>();
        for (const [name, { table, background }] of live) {
          const run = await drive(bench, table, background, first);
          print(name, run);
          runs.set(name, run);
        }
        const isDisturbed = ![...runs.values()].every(isWhole);
        if (!isDisturbed) found.push(runs);
        else if (retries < MAX_RETRIES) {
          retries++;
          console.log("\nPackets were lost; that round once more.\n");
        }
      }
    } finally {
      for (const { background } of live.values()) await background.end();
    }
    const held = (name: string) => found.map((runs) => callsOf(runs.get(name)));
    for (const name of live.keys()) {
      summary.add({ name: `Opus to PCMU calls a core, ${name}`, values: held(name) });
    }
    if (!live.has("rtpengine")) return;
    const theirs = held("rtpengine");
    summary.add({
      name: "Opus to PCMU calls a core: ours / rtpengine",
      values: held("ours").map((calls, i) => calls / theirs[i]!),
      must: 1,
      isMoreBetter: true,
    });
  },
};

function isWhole({ sent, received }: Run): boolean {
  return received > FEWEST * sent && received < MOST * sent;
}

function callsOf(run: Run | undefined): number {
  return run === undefined ? NaN : 100 * run.calls / run.cpuPercent;
}

function printHead(): void {
  const cells = ["transcoder", "calls", "CPU %", "calls a core", "packets out %", "foreign"];
  printRow(...cells, "bytes of Opus", "bytes of PCMU", "MB");
  printRow(...Array(9).fill("---"));
}

async function prepare({ folder }: Arena): Promise<void> {
  await buildNative(folder, ["frames"]);
  const { codecs } = await openCatalogue();
  const [opus, pcmu] = [codecs.get("OPUS"), codecs.get("PCMU")];
  if (opus === undefined || pcmu === undefined) throw new Error("Opus or PCMU does not work here");
  await Deno.writeTextFile(`${folder}/opus`, framesOf(opus, 48_000, "111 960"));
  await Deno.writeTextFile(`${folder}/pcmu`, framesOf(pcmu, 8000, "0 160"));
}

async function drive(
  { arena, seconds }: Bench,
  table: string,
  { pid }: Background,
  first: number,
): Promise<Run> {
  const { folder } = arena;
  const args = [table, pid, seconds, `${folder}/opus`, `${folder}/pcmu`, WARM_UP, first].map(
    String,
  );
  const { stdout, stderr } = await arena.spawn(1, `${folder}/frames`, args).output();
  const text = new TextDecoder().decode(stdout);
  if (text === "") throw new Error(`the generator failed: ${new TextDecoder().decode(stderr)}`);
  return JSON.parse(text) as Run;
}
