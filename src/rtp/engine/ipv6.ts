import { parseIpv4 } from "./address_table.ts";

/** The 16 bytes of an IPv6 address text, or null. Scopes (`%eth0`) are not taken. */
export function parseIpv6(text: string): Uint8Array | null {
  if (!/^[0-9a-fA-F:.]+$/.test(text)) return null;
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const head = wordsOf(halves[0]!);
  const tail = wordsOf(halves[1] ?? "");
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return null;
  const all = [...head, ...new Array<number>(halves.length === 2 ? missing : 0).fill(0), ...tail];
  return Uint8Array.from(all.flatMap((word) => [word >>> 8, word & 255]));
}

function wordsOf(half: string): number[] | null {
  if (half === "") return [];
  const parts = half.split(":");
  const words: number[] = [];
  for (const [i, part] of parts.entries()) {
    if (part.includes(".")) {
      const ipv4 = parseIpv4(part);
      if (ipv4 < 0 || i !== parts.length - 1) return null;
      words.push(ipv4 / 0x10000 | 0, ipv4 & 0xffff);
    } else if (/^[0-9a-fA-F]{1,4}$/.test(part)) words.push(parseInt(part, 16));
    else return null;
  }
  return words;
}

/** Shortest form of RFC 5952. */
export function formatIpv6(bytes: Uint8Array): string {
  const words = Array.from({ length: 8 }, (_, i) => (bytes[2 * i]! << 8) | bytes[2 * i + 1]!);
  let [best, length] = [-1, 1];
  for (let i = 0; i < 8; i++) {
    let n = 0;
    while (i + n < 8 && words[i + n] === 0) n++;
    if (n > length) [best, length] = [i, n];
  }
  const hex = (part: number[]) => part.map((word) => word.toString(16)).join(":");
  if (best < 0) return hex(words);
  return `${hex(words.slice(0, best))}::${hex(words.slice(best + length))}`;
}
