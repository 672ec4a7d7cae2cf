import type { SeededEntropy } from "../../src/core/entropy.ts";

/** Changes messages at random, but the same way for the same seed. */

/** What parsers stumble over. */
const TOKENS = [
  "\r\n",
  "\r\n\r\n",
  "\n",
  "\0",
  "\t ",
  "%00",
  "%",
  '"',
  "\\",
  "<",
  ">",
  ";",
  ",",
  "?",
  "@",
  ":",
  "[",
  "]",
  "*",
  "=",
  "-1",
  "0",
  "65536",
  "2147483648",
  "4294967296",
  "99999999999999999999",
  "1e9",
  "NaN",
  ";lr",
  ";tag=x",
  ";transport=tls",
  ";received=::1",
  ";rport",
  ";branch=z9hG4bK",
  "sips:",
  "tel:",
  "sip:@",
  "[::1]",
  "SIP/2.0",
  "SIP/3.0",
  "\u00e9\ufffd\u{1f600}",
  "__proto__",
  "constructor",
  "a=x-pz-endpoint:00000000000000000000000000000000",
  "m=audio 0 RTP/SAVPF 0",
  "c=IN IP6 ::",
] as const;

const MOST_CHANGES = 6;
const LONG = 3_000;

type Change = (text: string, random: Random, seeds: readonly string[]) => string;

export class Random {
  readonly #entropy: SeededEntropy;

  constructor(entropy: SeededEntropy) {
    this.#entropy = entropy;
  }

  /** From 0 to `below` - 1. */
  below(below: number): number {
    return below <= 0 ? 0 : this.#entropy.next() % below;
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
}

const splice = (text: string, at: number, gone: number, put: string) =>
  text.slice(0, at) + put + text.slice(at + gone);

const changeLines = (text: string, change: (lines: string[]) => void) => {
  const lines = text.split("\r\n");
  change(lines);
  return lines.join("\r\n");
};

const CHANGES: readonly Change[] = [
  // A token in, or in place of some characters.
  (text, random) =>
    splice(text, random.below(text.length), random.pick([0, 0, 1, 4]), random.pick(TOKENS)),
  // A character turned into another.
  (text, random) =>
    splice(text, random.below(text.length), 1, String.fromCharCode(random.below(256))),
  // A piece gone, or twice.
  (text, random) => splice(text, random.below(text.length), random.below(40), ""),
  (text, random) => {
    const at = random.below(text.length);
    const piece = text.slice(at, at + random.below(60));
    return splice(text, at, 0, piece.repeat(1 + random.below(4)));
  },
  // Lines gone, twice, or in another order.
  (text, random) => changeLines(text, (lines) => lines.splice(random.below(lines.length), 1)),
  (text, random) =>
    changeLines(text, (lines) => {
      lines.splice(random.below(lines.length), 0, random.pick(lines));
    }),
  (text, random) =>
    changeLines(text, (lines) => {
      const [line = ""] = lines.splice(random.below(lines.length), 1);
      lines.splice(random.below(lines.length), 0, line);
    }),
  // A line of another message.
  (text, random, seeds) =>
    changeLines(text, (lines) => {
      lines.splice(random.below(lines.length), 0, random.pick(random.pick(seeds).split("\r\n")));
    }),
  // A number turned into another.
  (text, random) => {
    const numbers = [...text.matchAll(/\d+/g)];
    if (numbers.length === 0) return text;
    const found = random.pick(numbers);
    const other = random.pick(["0", "-1", "1", "255", "65536", "4294967296", "9".repeat(40)]);
    return splice(text, found.index, found[0].length, other);
  },
  // Something long.
  (text, random) =>
    splice(
      text,
      random.below(text.length),
      0,
      random.pick(["x", ";a", ",", " ", "%41"]).repeat(LONG),
    ),
  // The end missing.
  (text, random) => text.slice(0, random.below(text.length)),
];

/** @param seeds whole messages with placeholders */
export function mutate(random: Random, seeds: readonly string[]): string {
  let text = random.pick(seeds);
  for (let left = random.below(MOST_CHANGES); left >= 0; left--) {
    // Each kind of change as often as another, but for what leaves little of the message.
    const at = random.below(CHANGES.length * 4);
    text = CHANGES[at < CHANGES.length ? at : at % (CHANGES.length - 2)]!(text, random, seeds);
  }
  return text;
}
