import assert from "node:assert/strict";
import type { Codec, CodecName, PcmRate } from "../../src/rtp/codec/codec.ts";
import { parseRtp } from "../../src/rtp/codec/rtp_packet.ts";
import { openCatalogue } from "../../src/rtp/io/codec/catalogue.ts";
import { compare } from "../support/audio_quality.ts";
import { needs } from "../support/needs.ts";
import { readOggSpeex, writeOggSpeex } from "../support/ogg_speex.ts";
import { speak } from "../support/speech.ts";
import { decodeStream, encodeStream, PAYLOAD_TYPES } from "../support/transcoder_bench.ts";

/**
 * What we encode is decoded by programs of others, and the other way round. ffmpeg's decoders of
 * G.729 and Speex are its own; nobody else's encoder of G.729 can be had.
 */

const espeak = needs("espeak-ng");
const ffmpeg = needs("ffmpeg");
const speexenc = needs("speexenc");
const speex = needs("libspeex");
const bcg729 = needs("libbcg729");

/** Two decoders of one stream differ by their filters, not by what is said. */
const LIKENESS = 0.9;
/** Between what went in and what comes out, ms: the coder's own delay, either way. */
const MOST_DELAY_MS = 60;

async function run(program: string, args: readonly string[], input: Uint8Array) {
  const child = new Deno.Command(program, {
    args: [...args],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  const written = writer.write(input).then(() => writer.close());
  const [{ code, stdout, stderr }] = await Promise.all([child.output(), written]);
  assert.equal(code, 0, new TextDecoder().decode(stderr).slice(-500));
  return stdout;
}

async function byFfmpeg(format: string, rate: number, stream: Uint8Array): Promise<Int16Array> {
  const out = ["-f", "s16le", "-ac", "1", "-ar", String(rate), "-"];
  const bytes = await run(
    ffmpeg.path,
    ["-hide_banner", "-loglevel", "error", "-f", format, "-i", "-", ...out],
    stream,
  );
  return new Int16Array(bytes.slice(0, bytes.length & ~1).buffer);
}

/** Payloads of packets that hold one frame or two, as they would go over the wire. */
function encoded(codec: Codec, pcm: Int16Array, rate: PcmRate) {
  const packets = encodeStream(codec, pcm, rate).map(({ bytes }) => parseRtp(bytes)!);
  return { packets, payloads: packets.map(({ payload }) => payload) };
}

async function codecOf(name: CodecName): Promise<Codec> {
  const found = (await openCatalogue()).codecs.get(name);
  assert(found, `${name} is not here`);
  return found;
}

function judge(what: string, ours: Int16Array, theirs: Int16Array, rate: number): void {
  const forwards = compare(ours, theirs, rate, MOST_DELAY_MS);
  const backwards = compare(theirs, ours, rate, MOST_DELAY_MS);
  const best = forwards.likeness > backwards.likeness ? forwards : backwards;
  assert.ok(best.likeness > LIKENESS, `${what}: likeness ${best.likeness.toFixed(3)}`);
  assert.ok(Math.abs(best.levelDb) < 1.5, `${what}: ${best.levelDb.toFixed(2)} dB`);
}

Deno.test({
  name: "G.729: ffmpeg's decoder hears in our packets what ours does",
  ignore: espeak.ignore || ffmpeg.ignore || bcg729.ignore,
  fn: async () => {
    const codec = await codecOf("G729");
    const { packets, payloads } = encoded(codec, speak(espeak.path, 8000), 8000);
    const ours = decodeStream(codec, packets, 8000);
    const theirs = await byFfmpeg("g729", 8000, Uint8Array.from(payloads.flatMap((p) => [...p])));
    judge("G.729", ours, theirs, 8000);
  },
});

for (const [name, rate] of [["SPEEX/8000", 8000], ["SPEEX/16000", 16000]] as const) {
  Deno.test({
    name: `${name}: ffmpeg's decoder hears in our packets what ours does`,
    ignore: espeak.ignore || ffmpeg.ignore || speex.ignore,
    fn: async () => {
      const codec = await codecOf(name);
      const { packets, payloads } = encoded(codec, speak(espeak.path, rate), rate);
      const ours = decodeStream(codec, packets, rate);
      const theirs = await byFfmpeg("ogg", rate, writeOggSpeex({ rate, frames: payloads }));
      judge(name, ours, theirs, rate);
    },
  });

  Deno.test({
    name: `${name}: we hear in speexenc's packets what went in, and what ffmpeg hears`,
    ignore: espeak.ignore || ffmpeg.ignore || speex.ignore || speexenc.ignore,
    fn: async () => {
      const codec = await codecOf(name);
      const pcm = speak(espeak.path, rate);
      const width = rate === 16000 ? "--wideband" : "--narrowband";
      const raw = new Uint8Array(pcm.buffer, pcm.byteOffset, pcm.byteLength);
      const file = await run(
        speexenc.path,
        [width, "--quality", "8", "--le", "--16bit", "--rate", String(rate), "-", "-"],
        raw,
      );
      const stream = readOggSpeex(file);
      assert.equal(stream.rate, rate);
      const packets = stream.frames.map((payload, i) => ({
        payloadType: PAYLOAD_TYPES[name],
        marker: false,
        sequence: i,
        timestamp: i * rate / 50,
        ssrc: 7,
        payload,
      }));
      const ours = decodeStream(codec, packets, rate);
      const { likeness } = compare(pcm, ours, rate, MOST_DELAY_MS);
      assert.ok(likeness > 0.75, `likeness to what went in ${likeness.toFixed(3)}`);
      judge(name, ours, await byFfmpeg("ogg", rate, file), rate);
    },
  });
}
