/** Speex frames in an Ogg file (RFC 3533), as other programs read and write them. */

const SERIAL = 0x53706578;
const FIRST = 2;
const LAST = 4;

export interface SpeexStream {
  readonly rate: number;
  /** One frame of 20 ms each. */
  readonly frames: readonly Uint8Array[];
}

export function writeOggSpeex({ rate, frames }: SpeexStream): Uint8Array {
  const comment = new Uint8Array(8 + 4);
  comment.set([4, 0, 0, 0, 0x74, 0x65, 0x73, 0x74]);
  const pages = [page([header(rate)], 0, 0, FIRST), page([comment], 1, 0, 0)];
  const perFrame = rate / 50;
  for (let at = 0; at < frames.length; at += 50) {
    const some = frames.slice(at, at + 50);
    const isLast = at + 50 >= frames.length;
    const samples = (at + some.length) * perFrame;
    pages.push(page(some, pages.length, samples, isLast ? LAST : 0));
  }
  return joined(pages);
}

/** Packets of the first stream, without its two headers. */
export function readOggSpeex(file: Uint8Array): SpeexStream {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const packets: Uint8Array[] = [];
  let open: Uint8Array[] = [];
  for (let at = 0; at + 27 <= file.length;) {
    const segments = file[at + 26]!;
    let from = at + 27 + segments;
    for (let i = 0; i < segments; i++) {
      const length = file[at + 27 + i]!;
      open.push(file.subarray(from, from + length));
      from += length;
      if (length === 255) continue;
      packets.push(joined(open));
      open = [];
    }
    at = from;
  }
  const rate = new DataView(packets[0]!.buffer).getUint32(36, true);
  if (view.getUint32(0) !== 0x4f676753) throw new Error("that is no Ogg file");
  return { rate, frames: packets.slice(2) };
}

/** The header of libspeex's manual, section 7.3: 80 bytes, little-endian. */
function header(rate: number): Uint8Array {
  const bytes = new Uint8Array(80);
  const view = new DataView(bytes.buffer);
  bytes.set(new TextEncoder().encode("Speex   1.2"));
  const mode = rate === 16_000 ? 1 : 0;
  const words = [1, 80, rate, mode, 4, 1, -1, rate / 50, 0, 1, 0];
  words.forEach((word, i) => view.setInt32(28 + 4 * i, word, true));
  return bytes;
}

function page(
  packets: readonly Uint8Array[],
  number: number,
  samples: number,
  flags: number,
): Uint8Array {
  const lacing = packets.flatMap(({ length }) => [
    ...new Array(Math.floor(length / 255)).fill(255),
    length % 255,
  ]);
  const bytes = joined([new Uint8Array(27 + lacing.length), ...packets]);
  const view = new DataView(bytes.buffer);
  bytes.set([0x4f, 0x67, 0x67, 0x53, 0, flags]);
  view.setBigUint64(6, BigInt(samples), true);
  view.setUint32(14, SERIAL, true);
  view.setUint32(18, number, true);
  bytes[26] = lacing.length;
  bytes.set(lacing, 27);
  view.setUint32(22, checksum(bytes), true);
  return bytes;
}

/** RFC 3533 6: polynomial 0x04c11db7, nothing reflected, nothing inverted. */
function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) {
    sum ^= byte << 24;
    for (let i = 0; i < 8; i++) sum = sum < 0 ? (sum << 1) ^ 0x04c11db7 : sum << 1;
  }
  return sum >>> 0;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
