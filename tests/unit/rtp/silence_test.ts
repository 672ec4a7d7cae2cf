import assert from "node:assert/strict";
import { PCMA, PCMU } from "../../../src/rtp/codec/g711.ts";
import { G722 } from "../../../src/rtp/codec/g722.ts";
import { silenceOf } from "../../../src/rtp/engine/silence.ts";
import { openOpusWasm } from "../../../src/rtp/io/codec/opus_wasm.ts";

const kind = "audio" as const;

Deno.test("silence is silence in each codec that it is known for", async () => {
  const { codec: opus } = await openOpusWasm();
  for (const codec of [PCMU, PCMA, G722, opus]) {
    const payload = silenceOf({ payloadType: 0, kind, codec: codec.name, clockRate: 8000 });
    assert.ok(payload, codec.name);
    const decoder = codec.decoder({ sampleRate: codec.sampleRates[0]! });
    const pcm = new Int16Array(5760);
    // The WebAssembly decoder is made in a moment; a decoder at rest stays there.
    let samples = -1;
    for (let i = 0, decoded = 0; decoded < 10 && i < 500; i++) {
      samples = decoder.decode(payload, pcm);
      if (samples > 0) decoded++;
      else await new Promise((resolve) => setTimeout(resolve, 10));
    }
    const peak = pcm.subarray(0, samples).reduce((most, x) => Math.max(most, Math.abs(x)), 0);
    assert.ok(peak <= 16, `${codec.name}: peak of ${peak}`);
    assert.ok(samples > 0, codec.name);
    decoder.close();
  }
  assert.equal(silenceOf({ payloadType: 18, kind, codec: "G729", clockRate: 8000 }), null);
  assert.equal(silenceOf(null), null);
});
