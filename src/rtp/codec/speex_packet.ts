/**
 * How many frames a Speex payload holds, by walking over them (RFC 5574 4; the sizes are those of
 * the Speex manual's table of sub-modes).
 */

/** Bits of a narrow-band frame by sub-mode, its 5 bits of header included; 0: not in use. */
const NARROW_BITS = [5, 43, 119, 160, 220, 300, 364, 492, 79, 0, 0, 0, 0];
/** Bits of the wide-band layer by sub-mode, its 4 bits of header included. */
const WIDE_BITS = [4, 36, 112, 192, 352, 0, 0, 0];
/** In place of a narrow-band sub-mode: the end. */
const TERMINATOR = 15;
/** In-band messages, which carry no sound; endpoints on RTP do not send them. */
const FIRST_MESSAGE = 13;

function bits(payload: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let i = at; i < at + count; i++) {
    value = value << 1 | ((payload[i >> 3] ?? 0) >> (7 - (i & 7))) & 1;
  }
  return value;
}

/** Frames of 20 ms in the payload; 0 where it is malformed. */
export function speexFrames(payload: Uint8Array): number {
  const end = payload.length * 8;
  let frames = 0;
  let at = 0;
  while (end - at >= 5) {
    if (bits(payload, at, 1) === 1) {
      const size = WIDE_BITS[bits(payload, at + 1, 3)]!;
      if (size === 0 || frames === 0) return 0;
      at += size;
      continue;
    }
    const mode = bits(payload, at + 1, 4);
    if (mode === TERMINATOR) break;
    const size = mode >= FIRST_MESSAGE ? 0 : NARROW_BITS[mode]!;
    if (size === 0) return 0;
    frames++;
    at += size;
  }
  return at <= end ? frames : 0;
}

/** Of sub-mode 1, which codes noise: four bits at its end say that nothing will be sent. */
const NOISE_MODE = 1;
const NO_MORE_AT = 39;

/** The first frame is of sub-mode 0, or of 1 with word that nothing follows: comfort noise. */
export function isSpeexSilence(payload: Uint8Array): boolean {
  const mode = bits(payload, 0, 5);
  if (mode === NOISE_MODE) return bits(payload, NO_MORE_AT, 4) !== 0;
  return mode === 0 && payload.length <= 2;
}
