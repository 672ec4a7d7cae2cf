import { SeededEntropy } from "../../src/core/entropy.ts";
import type { Codec } from "../../src/rtp/codec/codec.ts";
import type { TranscoderSide } from "../../src/rtp/codec/contract.ts";
import { parseRtp, type RtpPacket, writeRtp } from "../../src/rtp/codec/rtp_packet.ts";
import type { Transcoder } from "../../src/rtp/codec/transcoder.ts";

/** Sides and packets for tests of the transcoder, and the clock that drives it. */

export const PAYLOAD_TYPES: Readonly<Record<Codec["name"], number>> = {
  OPUS: 111,
  PCMU: 0,
  PCMA: 8,
  G722: 9,
  G729: 18,
  "SPEEX/8000": 97,
  "SPEEX/16000": 98,
};

export function side(codec: Codec["name"], more: Partial<TranscoderSide> = {}): TranscoderSide {
  return {
    codec,
    payloadType: PAYLOAD_TYPES[codec],
    packetMs: 20,
    telephoneEvent: null,
    comfortNoise: null,
    dtx: false,
    fec: false,
    bitrate: null,
    ssrc: 0x1234_5678,
    firstSequence: 65_500,
    firstTimestamp: 0xffff_ff00,
    ...more,
  };
}

/**
 * The codec with an encoder and a decoder that are made already: some need a moment to be ready.
 * Each is good for one stream.
 */
export async function readied(
  codec: Codec,
  options: Parameters<Codec["encoder"]>[0],
): Promise<Codec> {
  const [encoder, decoder] = [codec.encoder(options), codec.decoder(options)];
  await new Promise((resolve) => setTimeout(resolve, 0));
  return { ...codec, encoder: () => encoder, decoder: () => decoder };
}

export interface TimedPacket {
  readonly at: number;
  readonly bytes: Uint8Array;
}

export interface TimedRtp extends RtpPacket {
  readonly at: number;
}

/** Runs packets through on virtual time; ends when the transcoder rests, or at `until`. */
export function drive(
  transcoder: Transcoder,
  packets: readonly TimedPacket[],
  until = Infinity,
): TimedRtp[] {
  const out: TimedRtp[] = [];
  const drain = (at: number) => {
    for (let bytes = transcoder.poll(); bytes !== undefined; bytes = transcoder.poll()) {
      const parsed = parseRtp(bytes);
      if (parsed === undefined) throw new Error("the transcoder made what is no RTP packet");
      out.push({ ...parsed, at });
    }
  };
  let next = 0;
  for (;;) {
    const packetAt = packets[next]?.at ?? Infinity;
    const wakeAt = transcoder.deadline()?.at ?? Infinity;
    const now = Math.min(packetAt, wakeAt);
    if (now === Infinity || now > until) return out;
    if (packetAt <= wakeAt) transcoder.handle(packets[next++]!.bytes, now);
    else transcoder.wake(now);
    drain(now);
  }
}

/**
 * Encodes PCM into packets as a far side sends them, without a network; `at` is when each is whole.
 */
export function encodeStream(
  codec: Codec,
  pcm: Int16Array,
  sampleRate: 8000 | 16000 | 48000,
  more: { packetMs?: number; dtx?: boolean; fec?: boolean; ssrc?: number; timestamp?: number } = {},
): TimedPacket[] {
  const { packetMs = 20, dtx = false, fec = false, ssrc = 7, timestamp = 0xffff_f000 } = more;
  const encoder = codec.encoder({ sampleRate, packetMs, dtx, fec });
  encoder.setLoss?.(fec ? 20 : 0);
  const size = packetMs * sampleRate / 1000;
  const payload = new Uint8Array(1500);
  const packets: TimedPacket[] = [];
  let sequence = 65_530;
  for (let i = 0; (i + 1) * size <= pcm.length; i++) {
    const length = encoder.encode(pcm.subarray(i * size, (i + 1) * size), payload);
    if (length === 0) continue;
    const skipped = (encoder.skipped ?? 0) * codec.clockRate / sampleRate;
    const bytes = writeRtp({
      payloadType: PAYLOAD_TYPES[codec.name],
      marker: i === 0,
      sequence: sequence++ & 0xffff,
      timestamp: (timestamp + i * packetMs * codec.clockRate / 1000 + skipped) >>> 0,
      ssrc,
      payload: payload.subarray(0, length),
    });
    packets.push({ at: (i + 1) * packetMs, bytes });
  }
  encoder.close();
  return packets;
}

/**
 * Packets that no sane sender makes: any numbers, times and payloads, of the types that the side
 * has negotiated, in bursts; now and then real ones.
 */
export function nonsense(
  from: TranscoderSide,
  real: readonly TimedPacket[],
  seed: number,
  count: number,
): TimedPacket[] {
  const chance = new SeededEntropy(seed);
  const types = [from.payloadType, from.comfortNoise, from.telephoneEvent?.payloadType]
    .filter((type) => type !== null && type !== undefined);
  let [at, timestamp, sequence] = [0, 0, 0];
  return Array.from({ length: count }, (_, i) => {
    if (chance.fraction() < 0.3) at += chance.below(chance.fraction() < 0.02 ? 8000 : 60);
    const leaps = chance.fraction() < 0.1;
    timestamp = leaps ? chance.next() : (timestamp + chance.below(2000) - 200) >>> 0;
    sequence = leaps ? chance.below(65_536) : (sequence + chance.below(4)) & 0xffff;
    const payload = chance.fraction() < 0.5
      ? parseRtp(real[i % real.length]!.bytes)!.payload
      : chance.bytes(chance.below(400));
    const bytes = writeRtp({
      payloadType: types[chance.below(types.length)]!,
      marker: chance.fraction() < 0.1,
      sequence,
      timestamp,
      ssrc: chance.fraction() < 0.01 ? chance.next() : 7,
      payload,
    });
    return { at, bytes };
  });
}

/** Decodes packets in order, silence where none was sent, into PCM. */
export function decodeStream(
  codec: Codec,
  packets: readonly RtpPacket[],
  sampleRate: 8000 | 16000 | 48000,
): Int16Array {
  const decoder = codec.decoder({ sampleRate });
  const scratch = new Int16Array(120 * sampleRate / 1000);
  const pieces: Int16Array[] = [];
  let expected: number | undefined;
  for (const packet of packets) {
    if (packet.payloadType !== PAYLOAD_TYPES[codec.name]) continue;
    const gap = expected === undefined ? 0 : (packet.timestamp - expected) | 0;
    for (let left = gap * sampleRate / codec.clockRate; left > 0;) {
      const count = Math.min(left, sampleRate / 100);
      decoder.conceal(count, scratch);
      pieces.push(scratch.slice(0, count));
      left -= count;
    }
    const count = decoder.decode(packet.payload, scratch);
    if (count < 0) throw new Error(`${codec.name}: a payload of our own is refused`);
    pieces.push(scratch.slice(0, count));
    expected = (packet.timestamp + count * codec.clockRate / sampleRate) >>> 0;
  }
  decoder.close();
  const pcm = new Int16Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    pcm.set(piece, at);
    at += piece.length;
  }
  return pcm;
}
