/**
 * What every audio codec of the transcoder looks like: frames of linear PCM (16 bits, mono) in, the
 * payload of an RTP packet out, and back. Implementations in TypeScript stand beside this file,
 * those that call a library in `../io/codec/`.
 */

/** Names as in SDP (`a=rtpmap`), upper case; Speex by its band, since both are called `speex`. */
export type CodecName = "OPUS" | "PCMU" | "PCMA" | "G722" | "G729" | "SPEEX/8000" | "SPEEX/16000";

export const CODEC_NAMES: readonly CodecName[] = [
  "OPUS",
  "PCMU",
  "PCMA",
  "G722",
  "G729",
  "SPEEX/8000",
  "SPEEX/16000",
];

/** Rates of linear PCM in the transcoder, Hz. */
export type PcmRate = 8000 | 16000 | 48000;

/** Longest packet that is understood, ms of audio. */
export const MAX_PACKET_MS = 120;
/** Longest payload that any encoder writes, bytes. */
export const MAX_PAYLOAD = 1500;

export interface EncoderOptions {
  readonly sampleRate: PcmRate;
  /** Duration of what `encode` gets, ms; one of `Codec.packetMs`. */
  readonly packetMs: number;
  /** Send nothing, or next to nothing, in silence. */
  readonly dtx: boolean;
  /** Opus: in-band forward error correction. */
  readonly fec?: boolean;
  /** Opus: bits per second; default by rate. */
  readonly bitrate?: number;
  /** Opus 0-10, Speex 1-10: quality against CPU; default 5 and 2. */
  readonly complexity?: number;
}

export interface DecoderOptions {
  readonly sampleRate: PcmRate;
}

/** Holds state from frame to frame; must be closed, because memory of a library may hang on it. */
export interface Encoder {
  /**
   * @param pcm exactly one packet's worth: `packetMs * sampleRate / 1000` samples
   * @param payload room for `MAX_PAYLOAD` bytes
   * @returns bytes written; 0: silence, nothing is to be sent
   * @throws RangeError where `pcm` is not as long as that, or `payload` has no room
   */
  encode(pcm: Int16Array, payload: Uint8Array): number;
  /**
   * Samples at the beginning of what `encode` got last that the payload leaves out, because silence
   * lasted into it (G.729, whose packets have no holes); undefined: none ever.
   */
  readonly skipped?: number;
  /** Opus: how much loss the far side reports, percent; more loss, more redundancy. */
  setLoss?(percent: number): void;
  close(): void;
}

export interface Decoder {
  /**
   * @param pcm room for `MAX_PACKET_MS`
   * @returns samples written; -1 where the payload is not of this codec
   */
  decode(payload: Uint8Array, pcm: Int16Array): number;
  /**
   * What a lost packet, the last one before `next`, would have held, where `next` carries it (Opus
   * FEC); -1 where it does not, or `pcm` has no room.
   */
  recover?(next: Uint8Array, samples: number, pcm: Int16Array): number;
  /**
   * Goes on without a packet: packet-loss concealment, or the codec's own comfort noise after a
   * packet that announced silence. Writes exactly `samples`, a multiple of 10 ms.
   * @throws RangeError where `pcm` has no room for them
   */
  conceal(samples: number, pcm: Int16Array): void;
  close(): void;
}

/**
 * A library would not give a state, and it is known only when that is used. The message is for the
 * call: no fault of ours, as one that throws anything else.
 */
export class CodecRefusal extends Error {}

/** A codec that works on this machine. */
export interface Codec {
  readonly name: CodecName;
  /** Of RTP timestamps, Hz; G.722 says 8000 although it carries 16 kHz (RFC 3551 4.5.2). */
  readonly clockRate: number;
  /** As in `a=rtpmap`; what is coded is always one channel. */
  readonly channels: 1 | 2;
  /** Shortest frame, ms. */
  readonly frameMs: number;
  /** Packet durations that `encoder` takes, ms, ascending. */
  readonly packetMs: readonly number[];
  /** Rates of PCM that it takes and gives itself, best first, Hz. */
  readonly sampleRates: readonly PcmRate[];
  /** Comfort noise is part of the codec; else RFC 3389 packets stand in. */
  readonly ownComfortNoise: boolean;
  /** @throws Error in words where the library refuses; then or, as `CodecRefusal`, in use */
  encoder(options: EncoderOptions): Encoder;
  decoder(options: DecoderOptions): Decoder;
  /** Duration of a payload in units of `clockRate`; 0 where it makes no sense. */
  duration(payload: Uint8Array): number;
  /** This payload announces silence: until the next packet, nothing is lost. */
  isSilence(payload: Uint8Array): boolean;
}

/**
 * What is handed to a library as a bare address must have the room that the library will use.
 * @throws RangeError where it has not
 */
export function mustHaveRoom(room: { readonly length: number }, wanted: number): void {
  if (wanted >= 0 && wanted <= room.length) return;
  throw new RangeError(`room for ${room.length}, ${wanted} wanted`);
}

/** @throws RangeError where an encoder gets more or less than a packet's samples */
export function mustBe(samples: number, expected: number): void {
  if (samples !== expected) throw new RangeError(`${samples} samples, ${expected} expected`);
}

/** For the startup line, the log and `/api/health`. */
export interface CodecAvailability {
  readonly codec: CodecName;
  readonly available: boolean;
  /** `built in`, `libopus 1.3.1`, ... ; null where there is none. */
  readonly library: string | null;
  /** Why it is not available, or why not by the library of first choice; null where all is well. */
  readonly why: string | null;
}

/** The packet duration of `codec` that comes nearest to `wanted`, ms; the shorter of two. */
export function nearestPacketMs(codec: Codec, wanted: number): number {
  let best = codec.packetMs[0] ?? codec.frameMs;
  for (const ms of codec.packetMs) {
    if (Math.abs(ms - wanted) < Math.abs(best - wanted)) best = ms;
  }
  return best;
}

/**
 * The PCM rate on which two codecs meet: the lower of their best, and the one of `codec` that is
 * nearest to it. Opus works at the other's rate itself; G.722 with G.729 needs a resampler.
 */
export function commonRate(a: Codec, b: Codec): PcmRate {
  const [bestA = 8000, bestB = 8000] = [a.sampleRates[0], b.sampleRates[0]];
  return bestA < bestB ? bestA : bestB;
}

/** The rate of `codec` nearest to `wanted`. */
export function nearestRate(codec: Codec, wanted: PcmRate): PcmRate {
  return codec.sampleRates.includes(wanted) ? wanted : codec.sampleRates[0] ?? 8000;
}
