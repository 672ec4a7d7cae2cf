import { MAX_PACKET_MS } from "./codec.ts";

/** What an Opus packet says of itself before it is decoded (RFC 6716 3). */

/** Opus counts RTP timestamps at 48 kHz whatever it codes (RFC 7587 4.1). */
export const OPUS_CLOCK_RATE = 48000;
const MAX_DURATION = MAX_PACKET_MS * 48;
/** A packet so short says only that silence goes on (DTX). */
const LONGEST_SILENCE = 2;

/** Duration of one frame in units of 48 kHz, by the configuration number (RFC 6716 table 2). */
function frameDuration(config: number): number {
  if (config < 12) return [480, 960, 1920, 2880][config & 3]!;
  if (config < 16) return [480, 960][config & 1]!;
  return [120, 240, 480, 960][config & 3]!;
}

/** Duration in units of 48 kHz; 0 where the packet is malformed or too long. */
export function opusDuration(payload: Uint8Array): number {
  const toc = payload[0];
  if (toc === undefined) return 0;
  const code = toc & 3;
  const frames = code === 0 ? 1 : code < 3 ? 2 : (payload[1] ?? 0) & 0x3f;
  const duration = frames * frameDuration(toc >> 3);
  return duration <= MAX_DURATION ? duration : 0;
}

export function isOpusSilence(payload: Uint8Array): boolean {
  return payload.length <= LONGEST_SILENCE;
}

/**
 * True where the packet carries a second, coarser coding of the frame before it (LBRR). The flags
 * stand at the head of the first SILK frame, one bit each (RFC 6716 4.2.3); looked at in packets of
 * one frame only, as encoders send them.
 */
export function hasOpusFec(payload: Uint8Array): boolean {
  const toc = payload[0];
  const head = payload[1];
  if (toc === undefined || head === undefined) return false;
  const config = toc >> 3;
  if (config >= 16 || (toc & 3) !== 0 || isOpusSilence(payload)) return false;
  const silkFrames = Math.max(1, Math.floor(frameDuration(config) / 960));
  const middle = (head >> (7 - silkFrames)) & 1;
  const isStereo = (toc & 4) !== 0;
  const side = isStereo ? (head >> (6 - 2 * silkFrames)) & 1 : 0;
  return (middle | side) === 1;
}
