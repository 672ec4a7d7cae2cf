import { BLOCK, BUSY, Role, StateMemory } from "../../src/rtp/engine/state_memory.ts";

const OWNER = 0;
const ROLE = 1;
/** Of a sender of SRTP: the last SRTCP index drawn, which is one word and whole by itself. */
const RTCP_INDEX = 7;

/** A memory that looks on: whoever writes into a block must have said that it is being changed. */
export class WatchedState extends StateMemory {
  /** Where a block was written to that nobody had marked, as `role/word` and by whom. */
  readonly unmarked = new Map<string, string>();
  /** Writes by role, section and context numbers left out. */
  readonly writes = new Map<number, number>();

  /** @param buffer of a predecessor */
  constructor(blocks: number, buffer = new SharedArrayBuffer(StateMemory.bytes(blocks))) {
    super(buffer);
    const [words, floats] = [this.words, this.floats];
    const look = (at: number) => this.#look(words, at);
    Object.defineProperty(this, "words", { value: watched(words, 1, look) });
    Object.defineProperty(this, "floats", { value: watched(floats, 2, look) });
  }

  /** Blocks that somebody has marked and left so. */
  get busy(): number {
    let count = 0;
    for (let at = BLOCK; at < this.words[0]!; at += BLOCK) {
      if (this.words[at + OWNER] !== 0 && this.words[at + BUSY] !== 0) count++;
    }
    return count;
  }

  #look(words: Int32Array, at: number): void {
    const block = at - at % BLOCK;
    const word = at - block;
    const owner = words[block + OWNER]!;
    if (block === 0 || owner === 0 || word === OWNER || word === BUSY) return;
    const role = words[block + ROLE]!;
    const group = role & ~0xff || role;
    this.writes.set(group, (this.writes.get(group) ?? 0) + 1);
    if (group === Role.send && word === RTCP_INDEX) return;
    for (let other = BLOCK; other < words[0]!; other += BLOCK) {
      if (words[other + OWNER] === owner && words[other + BUSY] !== 0) return;
    }
    const by = new Error().stack?.split("\n").filter((line) => line.includes("/src/"))[0] ?? "";
    this.unmarked.set(`${role.toString(16)}/${word}`, by.trim());
  }
}

/** An array that tells of each write. @param scale words that an element takes */
function watched<T extends Int32Array | Float64Array>(
  array: T,
  scale: number,
  look: (word: number) => void,
): T {
  const range = (from: number, to: number) => {
    for (let i = from; i < to; i++) look(i * scale);
  };
  const methods = {
    fill(value: number, from: number, to: number) {
      range(from, to);
      return array.fill(value, from, to);
    },
    copyWithin(to: number, from: number, end: number) {
      range(to, to + end - from);
      return array.copyWithin(to, from, end);
    },
  };
  return new Proxy(array, {
    get(target, name) {
      if (name === "fill" || name === "copyWithin") return methods[name];
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
    set(target, name, value) {
      if (typeof name === "string") look(Number(name) * scale);
      return Reflect.set(target, name, value, target);
    },
  });
}
