import type { Codec, PcmRate } from "../../codec/codec.ts";
import { isOpusSilence, OPUS_CLOCK_RATE, opusDuration } from "../../codec/opus_packet.ts";

/** What is the same for Opus whichever library does the work. */

/** Half the work of 10 for speech that few tell apart. */
export const OPUS_COMPLEXITY = 5;
/** Loss that redundancy is made for until the far side reports, percent. */
export const OPUS_LOSS = 5;
export const OPUS_FACTS: Omit<Codec, "encoder" | "decoder"> = {
  name: "OPUS",
  clockRate: OPUS_CLOCK_RATE,
  channels: 2,
  frameMs: 10,
  packetMs: [10, 20, 40, 60],
  sampleRates: [48000, 16000, 8000],
  ownComfortNoise: true,
  duration: opusDuration,
  isSilence: isOpusSilence,
};

/** Bits per second that speech of this bandwidth wants (RFC 7587 3.1.1). */
export function bitrateFor(sampleRate: PcmRate): number {
  return sampleRate === 8000 ? 16000 : sampleRate === 16000 ? 24000 : 32000;
}

/** What an encoder is told, percent: never less than what it has to expect of any network. */
export function expectedLoss(percent: number): number {
  return Math.max(OPUS_LOSS, Math.min(100, Math.round(percent)));
}

/** Of so many samples, those that Opus makes up: whole pieces of 2.5 ms (RFC 6716 4.4). */
export function concealable(samples: number, sampleRate: PcmRate): number {
  return samples - samples % (sampleRate / 400);
}
