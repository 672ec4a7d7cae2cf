import type { Side, TranscoderOptions, TranscoderSide } from "./contract.ts";

/** What becomes of a packet that a relay worker sends to a transcoder. */
export enum HopWay {
  drop,
  transcode,
  /** Reports on what the transcoder sends, perhaps: for it alone. */
  report,
  /** Other media of the call, to the other side as it is. */
  pass,
}

const FIRST_RTCP = 192;
const LAST_RTCP = 223;
const TRANSPORT_FEEDBACK = 205;
const PAYLOAD_FEEDBACK = 206;

/**
 * Tells the audio that is transcoded from video that passes by the same hop. Reports end here,
 * since both workers make their own (RFC 3550 7.2), and tell the encoder of losses; feedback about
 * video passes.
 */
export class HopFilter {
  readonly #audio: Readonly<Record<Side, ReadonlySet<number>>>;
  /** SSRCs of what passed from each side, which the other side's feedback may name. */
  readonly #passed: Readonly<Record<Side, Set<number>>> = { a: new Set(), b: new Set() };

  readonly #others: ReadonlySet<number>;

  /** @param others payload types of what passes as it is */
  constructor({ a, b }: Pick<TranscoderOptions, Side>, others: readonly number[]) {
    this.#audio = { a: typesOf(a), b: typesOf(b) };
    this.#others = new Set(others);
  }

  way(from: Side, bytes: Uint8Array): HopWay {
    if (bytes.length < 12 || bytes[0]! >> 6 !== 2) return HopWay.drop;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const second = bytes[1]!;
    if (second >= FIRST_RTCP && second <= LAST_RTCP) {
      return this.#isAboutPassed(from, view) ? HopWay.pass : HopWay.report;
    }
    if (this.#audio[from].has(second & 0x7f)) return HopWay.transcode;
    if (!this.#others.has(second & 0x7f)) return HopWay.drop;
    const passed = this.#passed[from];
    // A sender has a few streams, not thousands.
    if (passed.size < 64) passed.add(view.getUint32(8));
    return HopWay.pass;
  }

  /** Whether each packet of the compound speaks of what passes, and at least one is feedback. */
  #isAboutPassed(from: Side, view: DataView): boolean {
    const theirs = this.#passed[from === "a" ? "b" : "a"];
    let isFeedback = false;
    for (let at = 0; at + 8 <= view.byteLength;) {
      const type = view.getUint8(at + 1);
      const size = 4 + 4 * view.getUint16(at + 2);
      if (type === TRANSPORT_FEEDBACK || type === PAYLOAD_FEEDBACK) {
        if (at + 12 > view.byteLength || !theirs.has(mediaOf(view, at, type))) return false;
        isFeedback = true;
      }
      at += size;
    }
    return isFeedback;
  }
}

/**
 * The stream that feedback is about; full intra requests name it in their entry (RFC 5104 4.3.1.1).
 */
function mediaOf(view: DataView, at: number, type: number): number {
  const media = view.getUint32(at + 8);
  const isInEntry = type === PAYLOAD_FEEDBACK && media === 0 && at + 16 <= view.byteLength;
  return isInEntry ? view.getUint32(at + 12) : media;
}

function typesOf({ payloadType, telephoneEvent, comfortNoise }: TranscoderSide): Set<number> {
  const types = new Set([payloadType]);
  if (telephoneEvent) types.add(telephoneEvent.payloadType);
  if (comfortNoise !== null) types.add(comfortNoise);
  return types;
}
