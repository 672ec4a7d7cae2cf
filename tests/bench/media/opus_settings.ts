import type { EncoderOptions } from "../../../src/rtp/codec/codec.ts";

/**
 * What rtpengine codes by, where ours is to do the same: the bit rate is told to both; bandwidth
 * and complexity are what its library makes of a leg of 8 kHz (ffmpeg's libopus at its default of
 * 10), which cannot be told to it. It makes no redundancy.
 */
export const OPUS_EQUAL = {
  sampleRate: 16_000,
  bitrate: 16_000,
  complexity: 10,
  fec: false,
} as const satisfies Partial<EncoderOptions>;
