import type { Codec, EncoderOptions } from "../../../src/rtp/codec/codec.ts";
import { Resampler } from "../../../src/rtp/codec/resampler.ts";
import { changeCodecs } from "../../../src/rtp/io/codec_worker.ts";
import { OPUS_EQUAL } from "./opus_settings.ts";

/** The codec worker of the product, with an encoder of Opus that is set as rtpengine's. */

/** Takes PCM of the rate that the other side has, and codes it at the bandwidth of rtpengine. */
function encoderOf(opus: Codec, options: EncoderOptions) {
  const inner = opus.encoder({ ...options, ...OPUS_EQUAL });
  const resampler = new Resampler(options.sampleRate, OPUS_EQUAL.sampleRate);
  const wide = new Int16Array(options.packetMs * OPUS_EQUAL.sampleRate / 1000);
  return {
    encode: (pcm: Int16Array, payload: Uint8Array) => {
      resampler.process(pcm, pcm.length, wide);
      return inner.encode(wide, payload);
    },
    setLoss: (percent: number) => inner.setLoss?.(percent),
    close: () => inner.close(),
  };
}

changeCodecs((codecs) => {
  const opus = codecs.get("OPUS");
  if (opus === undefined) return codecs;
  return new Map(codecs).set("OPUS", {
    ...opus,
    encoder: (options) => encoderOf(opus, options),
  });
});
