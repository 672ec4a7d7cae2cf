import assert from "node:assert/strict";
import {
  type Codec,
  CODEC_NAMES,
  type CodecName,
  type Decoder,
} from "../../src/rtp/codec/codec.ts";
import { rms } from "../../src/rtp/codec/comfort_noise.ts";
import { G722 } from "../../src/rtp/codec/g722.ts";
import { hasOpusFec } from "../../src/rtp/codec/opus_packet.ts";
import { parseRtp } from "../../src/rtp/codec/rtp_packet.ts";
import { likeness, vowel } from "../../src/rtp/codec/self_test.ts";
import { Transcoder } from "../../src/rtp/codec/transcoder.ts";
import { type Catalogue, openCatalogue } from "../../src/rtp/io/codec/catalogue.ts";
import { SeededEntropy } from "../../src/core/entropy.ts";
import { compare } from "../support/audio_quality.ts";
import { needs } from "../support/needs.ts";
import { arrivals } from "../support/network_trace.ts";
import { decodeStream, drive, encodeStream, nonsense, side } from "../support/transcoder_bench.ts";

const opus = needs("libopus");
const speex = needs("libspeex");
const bcg729 = needs("libbcg729");
const spandsp = needs("libspandsp");

/** Codecs that are there whatever the machine has. */
const ALWAYS: readonly CodecName[] = ["OPUS", "PCMU", "PCMA", "G722"];

Deno.test("without FFI: G.711, G.722 and Opus by WebAssembly; why not the others is said", async () => {
  const { codecs, availability } = await openCatalogue({ ffi: false });
  assert.deepEqual([...codecs.keys()].sort(), [...ALWAYS].sort());
  assert.deepEqual(availability.map(({ codec }) => codec), CODEC_NAMES);
  for (const { codec, available, library, why } of availability) {
    assert.equal(available, ALWAYS.includes(codec));
    if (!available) assert.match(why ?? "", /FFI/);
    if (available) assert.ok(library !== null);
  }
  const opus = availability.find(({ codec }) => codec === "OPUS");
  assert.match(opus?.library ?? "", /libopus .*WebAssembly/);
});

Deno.test({
  name: "without the permission for FFI, nothing asks and nothing crashes",
  permissions: { read: true, env: true, ffi: false },
  fn: async () => {
    const { codecs, availability } = await openCatalogue();
    assert.deepEqual([...codecs.keys()].sort(), [...ALWAYS].sort());
    assert.match(availability.find(({ codec }) => codec === "G729")?.why ?? "", /permission/);
  },
});

Deno.test({
  name: "with all libraries, all codecs are there by them",
  ignore: opus.ignore || speex.ignore || bcg729.ignore,
  fn: async () => {
    const { availability } = await openCatalogue();
    assert.deepEqual(availability.filter(({ why }) => why !== null), []);
    const libraries = availability.map(({ library }) => library).join();
    assert.match(libraries, /libopus 1\.\d.*built in.*libbcg729.*libspeex/);
    assert.doesNotMatch(libraries, /WebAssembly/);
  },
});

Deno.test({
  name: "G.722 equals SpanDSP's bit by bit, except where that overflows",
  ignore: spandsp.ignore,
  fn: () => {
    const { symbols, close } = openSpandsp(spandsp.path);
    const encode = symbols.g722_encode_init(null, 64000, 0);
    const decode = symbols.g722_decode_init(null, 64000, 0);
    const encoder = G722.encoder({ sampleRate: 16000, packetMs: 20, dtx: false });
    const decoder = G722.decoder({ sampleRate: 16000 });
    const chance = new SeededEntropy(722);
    const [wanted, got] = [new Uint8Array(160), new Uint8Array(1500)];
    const [heardThere, heardHere] = [new Int16Array(320), new Int16Array(1920)];
    let overflows = 0;
    for (let frame = 0; frame < 1000; frame++) {
      const loudness = [30, 1000, 12_000, 32_767][frame >> 4 & 3]!;
      const pitch = 0.01 + 0.002 * (frame % 97);
      const pcm = Int16Array.from({ length: 320 }, (_, i) => {
        const noise = (chance.fraction() - 0.5) * loudness;
        return Math.round(loudness / 2 * Math.sin(i * pitch * Math.PI) + noise);
      });
      symbols.g722_encode(encode, wanted, pcm, 320);
      encoder.encode(pcm, got);
      assert.deepEqual(got.subarray(0, 160), wanted, `frame ${frame} encoded`);
      // Any bytes, not only those that an encoder makes of this voice.
      const bytes = frame % 10 === 9 ? chance.bytes(160) : wanted;
      symbols.g722_decode(decode, heardThere, bytes, 160);
      decoder.decode(bytes, heardHere);
      for (let i = 0; i < 320; i++) {
        if (heardHere[i] === heardThere[i]) continue;
        assert.equal(Math.abs(heardHere[i]! + 0.5), 32767.5, `frame ${frame} sample ${i}`);
        overflows++;
      }
    }
    assert.ok(overflows < 32_000, `${overflows} of 320,000 samples overflow`);
    symbols.g722_encode_free(encode);
    symbols.g722_decode_free(decode);
    close();
  },
});

function openSpandsp(path: string) {
  const library = Deno.dlopen(path, {
    g722_encode_init: { parameters: ["pointer", "i32", "i32"], result: "pointer" },
    g722_encode: { parameters: ["pointer", "buffer", "buffer", "i32"], result: "i32" },
    g722_encode_free: { parameters: ["pointer"], result: "i32" },
    g722_decode_init: { parameters: ["pointer", "i32", "i32"], result: "pointer" },
    g722_decode: { parameters: ["pointer", "buffer", "buffer", "i32"], result: "i32" },
    g722_decode_free: { parameters: ["pointer"], result: "i32" },
  });
  return { symbols: library.symbols, close: () => library.close() };
}

async function eachCatalogue(): Promise<readonly [string, Catalogue][]> {
  return [["libraries", await openCatalogue()], [
    "WebAssembly",
    await openCatalogue({ ffi: false }),
  ]];
}

/** A moment for codecs whose states are made by promises. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("every codec: concealment sounds, garbage is refused or decoded, close is final", async () => {
  const chance = new SeededEntropy(1);
  for (const [which, { codecs }] of await eachCatalogue()) {
    for (const codec of codecs.values()) {
      const rate = codec.sampleRates[0]!;
      const encoder = codec.encoder({ sampleRate: rate, packetMs: 20, dtx: false });
      const decoder = codec.decoder({ sampleRate: rate });
      await settle();
      const pcm = vowel(rate, 400, 0);
      const size = rate / 50;
      const payload = new Uint8Array(1500);
      const heard = new Int16Array(6 * size);
      for (let at = 0; at < pcm.length; at += size) {
        const length = encoder.encode(pcm.subarray(at, at + size), payload);
        assert.equal(decoder.decode(payload.subarray(0, length), heard), size);
      }
      const level = rms(heard, size);
      heard.fill(0);
      decoder.conceal(size / 2, heard);
      const made = rms(heard, size / 2) / level;
      const name = `${codec.name} by ${which}`;
      assert.ok(
        made > 0.3 && made < 2.5,
        `${name}: concealment at ${made.toFixed(2)} of the level`,
      );
      assert.equal(rms(heard.subarray(size / 2), size), 0, `${name}: and no more than asked for`);
      for (let i = 0; i < 300; i++) {
        const bytes = chance.bytes(chance.below(90));
        const duration = codec.duration(bytes) * rate / codec.clockRate;
        const count = duration === 0 ? -1 : decoder.decode(bytes, heard);
        assert.ok(count === -1 || count === duration, `${name}: ${count} of ${duration} samples`);
      }
      encoder.close();
      encoder.close();
      decoder.close();
      decoder.close();
    }
  }
});

Deno.test("Opus: forward error correction brings lost frames back", async () => {
  for (const [which, { codecs }] of await eachCatalogue()) {
    const codec = codecs.get("OPUS")!;
    const pcm = vowel(16000, 8000);
    const results = [];
    for (const fec of [true, false]) {
      const encoded = await lateEncode(codec, pcm, fec);
      const arrived = arrivals(encoded.length, 20, { seed: 3, loss: 0.1 });
      const made = new Transcoder({
        from: side("OPUS"),
        to: side("G722"),
        fromCodec: codec,
        toCodec: codecs.get("G722")!,
        minDelayMs: 40,
        maxDelayMs: 200,
      });
      await settle();
      const packets = arrived.map(({ at, index }) => ({ at, bytes: encoded[index]!.bytes }));
      const out = drive(made, packets, arrived.at(-1)!.at);
      const heard = decodeStream(codecs.get("G722")!, out, 16000);
      const { recovered, concealedMs, lost } = made.statistics();
      assert.ok(rms(heard, heard.length) > 0.5 * rms(pcm, pcm.length), `${which}: level`);
      results.push({ recovered, concealedMs, lost });
      made.close();
    }
    const [withFec, without] = results;
    // Which frames get a second coding is the encoder's choice: more than half of a vowel's.
    assert.ok(
      withFec!.recovered > withFec!.lost * 0.4,
      `${which}: ${withFec!.recovered} recovered`,
    );
    assert.equal(without!.recovered, 0);
    assert.ok(withFec!.concealedMs < without!.concealedMs * 0.7);
  }
});

Deno.test("Opus: a frame that FEC brings back is the one that was lost", async () => {
  for (const [which, { codecs }] of await eachCatalogue()) {
    const codec = codecs.get("OPUS")!;
    const encoded = (await lateEncode(codec, vowel(16000, 8000, 60), true))
      .map(({ bytes }) => parseRtp(bytes)!.payload);
    const decoders = [1, 2, 3].map(() => codec.decoder({ sampleRate: 16000 }));
    await settle();
    const [whole, recovering, concealing] = decoders as [Decoder, Decoder, Decoder];
    const [truth, recovered, concealed] = [1, 2, 3].map(() => new Int16Array(1920)) as [
      Int16Array,
      Int16Array,
      Int16Array,
    ];
    let [count, byFec, byConcealment] = [0, 0, 0];
    encoded.forEach((payload, i) => {
      whole.decode(payload, truth);
      const next = encoded[i + 1];
      if (i % 8 !== 7 || next === undefined || !hasOpusFec(next)) {
        recovering.decode(payload, recovered);
        concealing.decode(payload, concealed);
        return;
      }
      assert.equal(recovering.recover?.(next, 320, recovered), 320);
      concealing.conceal(320, concealed);
      count++;
      byFec += likeness(truth, 0, recovered, 0, 320);
      byConcealment += likeness(truth, 0, concealed, 0, 320);
    });
    assert.ok(count > 15, `${which}: ${count} frames`);
    assert.ok(byFec / count > 0.85, `${which}: likeness ${byFec / count}`);
    assert.ok(byFec > byConcealment, `${which}: ${byFec} against ${byConcealment}`);
    for (const decoder of decoders) decoder.close();
  }
});

/** As `encodeStream`, by an encoder that may need a moment. */
async function lateEncode(codec: Codec, pcm: Int16Array, fec: boolean) {
  const encoder = codec.encoder({ sampleRate: 16000, packetMs: 20, dtx: false, fec });
  await settle();
  return encodeStream({ ...codec, encoder: () => encoder }, pcm, 16000, { fec });
}

for (const name of ["OPUS", "G729", "SPEEX/8000", "SPEEX/16000"] as const) {
  Deno.test({
    name: `${name}: silence is left out, filled with noise and not taken for loss`,
    ignore: name === "G729" ? bcg729.ignore : name === "OPUS" ? opus.ignore : speex.ignore,
    fn: async () => {
      const { codecs } = await openCatalogue();
      const codec = codecs.get(name)!;
      const rate = codec.sampleRates.at(-1)!;
      const pcm = new Int16Array(rate * 6);
      const white = new SeededEntropy(4);
      for (let i = 0; i < pcm.length; i++) pcm[i] = Math.round((white.fraction() - 0.5) * 60);
      for (const from of [0, 5]) pcm.set(vowel(rate, 1000), from * rate);
      const sent = encodeStream(codec, pcm, rate, { dtx: true });
      assert.ok(sent.length < 200, `${sent.length} packets of 300 are sent`);
      const made = new Transcoder({
        from: side(name, { dtx: true }),
        to: side("PCMU"),
        fromCodec: codec,
        toCodec: codecs.get("PCMU")!,
        minDelayMs: 20,
        maxDelayMs: 200,
      });
      const out = drive(made, sent, 6000);
      const { lost, late, concealedMs } = made.statistics();
      assert.deepEqual([lost, late], [0, 0]);
      assert.ok(concealedMs <= 40, `${concealedMs} ms concealed`);
      assert.ok(Math.abs(out.length - 298) < 5, `${out.length} packets of G.711 without a hole`);
      const heard = decodeStream(codecs.get("PCMU")!, out, 8000);
      const noise = rms(heard.subarray(3 * 8000), 8000);
      assert.ok(noise < 120, `silence at ${noise.toFixed(1)} RMS, 17 was sent`);
      const voice = rms(heard.subarray(Math.round(5.3 * 8000)), 3000);
      assert.ok(voice > 1500, `the voice after it at ${voice.toFixed(0)} RMS`);
      made.close();
    },
  });
}

Deno.test({
  name: "PCMU to G.729 with annex B: descriptors of silence end packets, timestamps are right",
  ignore: bcg729.ignore,
  fn: async () => {
    const { codecs } = await openCatalogue();
    const [pcmu, g729] = [codecs.get("PCMU")!, codecs.get("G729")!];
    const pcm = new Int16Array(8000 * 4);
    pcm.set(vowel(8000, 1000));
    pcm.set(vowel(8000, 1000), 8000 * 3);
    const made = new Transcoder({
      from: side("PCMU"),
      to: side("G729", { dtx: true }),
      fromCodec: pcmu,
      toCodec: g729,
      minDelayMs: 20,
      maxDelayMs: 200,
    });
    const out = drive(made, encodeStream(pcmu, pcm, 8000), 4000);
    assert.ok(out.some(({ payload }) => payload.length % 10 === 2), "a descriptor");
    assert.ok(out.length < 150, `${out.length} packets of 200`);
    out.forEach((packet, i) => {
      const former = out[i - 1];
      if (former === undefined) return;
      assert.equal(packet.sequence, (former.sequence + 1) & 0xffff);
      const ahead = (packet.timestamp - former.timestamp) | 0;
      assert.ok(ahead >= g729.duration(former.payload), `packet ${i} overlaps the one before`);
    });
    const heard = decodeStream(g729, out, 8000);
    const found = compare(pcm, heard, 8000, 60).likeness;
    assert.ok(found > 0.5, `likeness ${found.toFixed(2)}`);
  },
});

Deno.test({
  name: "Opus: libopus and the WebAssembly build understand each other",
  ignore: opus.ignore,
  fn: async () => {
    const [here, there] = (await eachCatalogue()).map(([, { codecs }]) => codecs.get("OPUS")!);
    const pcm = vowel(16000, 2000);
    for (const [from, to] of [[here!, there!], [there!, here!]] as const) {
      const packets = (await lateEncode(from, pcm, false)).map(({ bytes }) => parseRtp(bytes)!);
      const decoder = to.decoder({ sampleRate: 16000 });
      await settle();
      const heard = decodeStream({ ...to, decoder: () => decoder }, packets, 16000);
      const { likeness, levelDb } = compare(pcm, heard, 16000, 20);
      assert.ok(likeness > 0.9 && Math.abs(levelDb) < 1, `likeness ${likeness}, ${levelDb} dB`);
    }
  },
});

Deno.test("payload parsing: what an encoder makes is understood", async () => {
  const { codecs } = await openCatalogue();
  for (const codec of codecs.values()) {
    for (const packetMs of codec.packetMs) {
      const rate = codec.sampleRates[0]!;
      for (const { bytes } of encodeStream(codec, vowel(rate, 300), rate, { packetMs })) {
        const units = codec.duration(parseRtp(bytes)!.payload);
        assert.equal(units * 1000 / codec.clockRate, packetMs, `${codec.name} of ${packetMs} ms`);
      }
    }
  }
});

Deno.test("nonsense to transcoders of every codec: refused or played, nothing throws", async () => {
  for (const [, { codecs }] of await eachCatalogue()) {
    for (const codec of codecs.values()) {
      const from = side(codec.name, {
        comfortNoise: 13,
        telephoneEvent: { payloadType: 101, clockRate: 8000 },
      });
      const made = new Transcoder({
        from,
        to: side("PCMA"),
        fromCodec: codec,
        toCodec: codecs.get("PCMA")!,
        minDelayMs: 20,
        maxDelayMs: 300,
      });
      const rate = codec.sampleRates[0]!;
      const real = encodeStream(codec, vowel(rate, 500), rate);
      await settle();
      const out = real.length === 0 ? [] : drive(made, nonsense(from, real, 5, 500));
      out.forEach(({ sequence }, i) => assert.equal(sequence, (65_500 + i) & 0xffff));
      assert.equal(made.deadline(), undefined);
      made.close();
    }
  }
});

Deno.test("what is closed is freed: 1,000 encoders and decoders of each codec", async () => {
  const { codecs } = await openCatalogue();
  const openAndClose = (count: number) => {
    for (let i = 0; i < count; i++) {
      for (const codec of codecs.values()) {
        const sampleRate = codec.sampleRates[0]!;
        const encoder = codec.encoder({ sampleRate, packetMs: 20, dtx: true });
        const decoder = codec.decoder({ sampleRate });
        encoder.close();
        decoder.close();
      }
    }
  };
  openAndClose(100);
  const before = Deno.memoryUsage().rss;
  openAndClose(1000);
  const grown = (Deno.memoryUsage().rss - before) / 1e6;
  // Unfreed they would be some 150 MB.
  assert.ok(grown < 40, `${grown.toFixed(1)} MB more`);
});
