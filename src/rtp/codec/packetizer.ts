import { type Codec, type Encoder, MAX_PAYLOAD, nearestPacketMs, type PcmRate } from "./codec.ts";
import { describeNoise, VoiceDetector } from "./comfort_noise.ts";
import type { TranscoderSide } from "./contract.ts";
import { writeRtp } from "./rtp_packet.ts";

/** In silence the noise is described anew so often, ms. */
const NOISE_INTERVAL_MS = 400;

/**
 * The sending half: an even stream of PCM in, RTP packets of one codec out, with sequence numbers
 * and timestamps that run on whatever happens on the other side.
 */
export class Packetizer {
  readonly packetMs: number;
  readonly #side: TranscoderSide;
  readonly #codec: Codec;
  readonly #encoder: Encoder;
  readonly #perMs: number;
  readonly #pcm: Int16Array;
  readonly #payload = new Uint8Array(MAX_PAYLOAD);
  readonly #voice: VoiceDetector | undefined;
  #filled = 0;
  #sequence: number;
  #timestamp: number;
  /** The next packet is the first after silence (RFC 3551 4.1). */
  #isFirst = true;
  /** Since noise was described last, ms; -1: there is voice. */
  #quietMs = -1;

  sent = 0;

  constructor(side: TranscoderSide, codec: Codec, sampleRate: PcmRate) {
    this.#side = side;
    this.#codec = codec;
    this.packetMs = nearestPacketMs(codec, side.packetMs);
    this.#encoder = codec.encoder({
      sampleRate,
      packetMs: this.packetMs,
      dtx: side.dtx,
      fec: side.fec,
      ...(side.bitrate === null ? {} : { bitrate: side.bitrate }),
    });
    this.#perMs = sampleRate / 1000;
    this.#pcm = new Int16Array(this.packetMs * this.#perMs);
    this.#sequence = side.firstSequence;
    this.#timestamp = side.firstTimestamp;
    const describesNoise = side.dtx && side.comfortNoise !== null && !codec.ownComfortNoise;
    this.#voice = describesNoise ? new VoiceDetector() : undefined;
  }

  /** Timestamp of the sample that comes next. */
  get timestamp(): number {
    const ahead = this.#filled / this.#perMs * this.#codec.clockRate / 1000;
    return (this.#timestamp + ahead) >>> 0;
  }

  setLoss(percent: number): void {
    this.#encoder.setLoss?.(percent);
  }

  /**
   * Takes a tick of PCM, a divisor of the packet's duration.
   * @param isMuted count it, send nothing: a telephone event is being sent
   */
  push(pcm: Int16Array, samples: number, isMuted: boolean): Uint8Array | undefined {
    this.#pcm.set(pcm.subarray(0, samples), this.#filled);
    this.#filled += samples;
    if (this.#filled < this.#pcm.length) return undefined;
    this.#filled = 0;
    const packet = isMuted ? undefined : this.#send();
    if (packet === undefined) this.#isFirst = true;
    this.#timestamp = (this.#timestamp + this.packetMs * this.#codec.clockRate / 1000) >>> 0;
    return packet;
  }

  /** Nobody speaks: time goes on without packets, and a packet that was begun is given up. */
  pass(ms: number): void {
    this.#timestamp = (this.#timestamp + ms * this.#codec.clockRate / 1000) >>> 0;
    this.#isFirst = true;
    this.#quietMs = -1;
  }

  /** Drops what was begun and moves the timestamp over it. */
  cut(): void {
    if (this.#filled === 0) return;
    this.#timestamp = this.timestamp;
    this.#filled = 0;
  }

  /** A packet of another payload type in the same stream. */
  wrap(payloadType: number, marker: boolean, timestamp: number, payload: Uint8Array): Uint8Array {
    const sequence = this.#sequence;
    this.#sequence = (sequence + 1) & 0xffff;
    this.sent++;
    return writeRtp({
      payloadType,
      marker,
      sequence,
      timestamp,
      ssrc: this.#side.ssrc,
      payload,
    });
  }

  close(): void {
    this.#encoder.close();
  }

  #send(): Uint8Array | undefined {
    const side = this.#side;
    // The encoder hears silence too, or its state would not fit when voice returns.
    const length = this.#encoder.encode(this.#pcm, this.#payload);
    if (this.#voice !== undefined && side.comfortNoise !== null) {
      if (!this.#voice.isVoice(this.#pcm, this.#pcm.length, this.packetMs)) {
        return this.#describe(side.comfortNoise);
      }
      this.#quietMs = -1;
    }
    if (length === 0) return undefined;
    const payload = this.#payload.subarray(0, length);
    const skipped = (this.#encoder.skipped ?? 0) / this.#perMs * this.#codec.clockRate / 1000;
    const timestamp = (this.#timestamp + skipped) >>> 0;
    const packet = this.wrap(side.payloadType, this.#isFirst, timestamp, payload);
    // What announces silence is no voice: the marker stays for what follows.
    this.#isFirst = this.#codec.isSilence(payload);
    return packet;
  }

  #describe(payloadType: number): Uint8Array | undefined {
    const isDue = this.#quietMs < 0 || this.#quietMs >= NOISE_INTERVAL_MS;
    this.#quietMs = isDue ? this.packetMs : this.#quietMs + this.packetMs;
    this.#isFirst = true;
    if (!isDue) return undefined;
    const length = describeNoise(this.#pcm, this.#pcm.length, this.#payload);
    const noise = this.#payload.subarray(0, length);
    return this.wrap(payloadType, false, this.#timestamp, noise);
  }
}
