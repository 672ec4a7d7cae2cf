import { err, ok, type Result } from "../result.ts";

/**
 * JSON with comments and trailing commas (RFC 8259, and what editors call JSONC). Every member
 * keeps the line that it stands on, so that a fault in a value can be pointed at.
 */
export type JsoncValue = string | number | boolean | null | JsoncValue[] | JsoncObject;

/** Members in the order of the text; a Map, because a key may be `__proto__`. */
export type JsoncObject = Map<string, { readonly value: JsoncValue; readonly line: number }>;

export interface JsoncFault {
  /** From 1. */
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

/** Deeper nesting than any configuration has, and shallow enough for the call stack. */
const MAX_DEPTH = 32;

const NUMBER = /-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y;
const WORD = /[A-Za-z_$][\w$]*/y;
const WORDS = new Map<string, JsoncValue>([["true", true], ["false", false], ["null", null]]);

class SyntaxFault extends Error {
  constructor(readonly at: number, message: string) {
    super(message);
  }
}

class Reader {
  #at = 0;
  #line = 1;
  #counted = 0;

  constructor(readonly text: string) {
    if (text.startsWith("\ufeff")) this.#at = 1;
  }

  /** Line of the present position; positions only ever grow, so each break is counted once. */
  #lineHere(): number {
    for (; this.#counted < this.#at; this.#counted++) {
      if (this.text[this.#counted] === "\n") this.#line++;
    }
    return this.#line;
  }

  document(): JsoncValue {
    const value = this.#value(0);
    this.#skip();
    if (this.#at < this.text.length) this.#fail(`expected the end, found ${this.#found()}`);
    return value;
  }

  #fail(message: string, at = this.#at): never {
    throw new SyntaxFault(at, message);
  }

  #found(): string {
    const character = String.fromCodePoint(this.text.codePointAt(this.#at) ?? 0);
    return this.#at < this.text.length ? JSON.stringify(character) : "the end of the text";
  }

  #skip(): void {
    for (;;) {
      const character = this.text[this.#at];
      if (character === " " || character === "\t" || character === "\r" || character === "\n") {
        this.#at++;
      } else if (this.text.startsWith("//", this.#at)) {
        const end = this.text.indexOf("\n", this.#at);
        this.#at = end < 0 ? this.text.length : end;
      } else if (this.text.startsWith("/*", this.#at)) {
        const end = this.text.indexOf("*/", this.#at + 2);
        if (end < 0) this.#fail("this comment is never closed");
        this.#at = end + 2;
      } else return;
    }
  }

  #value(depth: number): JsoncValue {
    if (depth > MAX_DEPTH) this.#fail(`nested deeper than ${MAX_DEPTH}`);
    this.#skip();
    switch (this.text[this.#at]) {
      case "{":
        return this.#object(depth);
      case "[":
        return this.#array(depth);
      case '"':
        return this.#string();
    }
    NUMBER.lastIndex = this.#at;
    const number = NUMBER.exec(this.text)?.[0];
    if (number !== undefined) {
      this.#at += number.length;
      return Number(number);
    }
    WORD.lastIndex = this.#at;
    const word = WORD.exec(this.text)?.[0];
    const value = word === undefined ? undefined : WORDS.get(word);
    if (word === undefined || value === undefined) {
      this.#fail(`expected a value, found ${word ?? this.#found()}`);
    }
    this.#at += word.length;
    return value;
  }

  #object(depth: number): JsoncObject {
    const members: JsoncObject = new Map();
    this.#at++;
    for (;;) {
      this.#skip();
      if (this.#take("}")) return members;
      if (this.text[this.#at] !== '"') {
        this.#fail(`expected a name in double quotes or "}", found ${this.#found()}`);
      }
      const line = this.#lineHere();
      const start = this.#at;
      const name = this.#string();
      if (members.has(name)) {
        this.#fail(`the name ${JSON.stringify(name)} stands here twice`, start);
      }
      this.#skip();
      if (!this.#take(":")) this.#fail(`expected ":", found ${this.#found()}`);
      members.set(name, { value: this.#value(depth + 1), line });
      this.#skip();
      if (!this.#take(",") && this.text[this.#at] !== "}") {
        this.#fail(`expected "," or "}", found ${this.#found()}`);
      }
    }
  }

  #array(depth: number): JsoncValue[] {
    const elements: JsoncValue[] = [];
    this.#at++;
    for (;;) {
      this.#skip();
      if (this.#take("]")) return elements;
      elements.push(this.#value(depth + 1));
      this.#skip();
      if (!this.#take(",") && this.text[this.#at] !== "]") {
        this.#fail(`expected "," or "]", found ${this.#found()}`);
      }
    }
  }

  #string(): string {
    const start = this.#at;
    let end = start + 1;
    while (end < this.text.length && this.text[end] !== '"' && this.text[end] !== "\n") {
      end += this.text[end] === "\\" ? 2 : 1;
    }
    if (this.text[end] !== '"') this.#fail("this string is not closed on its line", start);
    this.#at = end + 1;
    try {
      return JSON.parse(this.text.slice(start, end + 1));
    } catch {
      return this.#fail("this string holds a control character or an unknown escape", start);
    }
  }

  #take(character: string): boolean {
    if (this.text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }
}

export function parseJsonc(text: string): Result<JsoncValue, JsoncFault> {
  try {
    return ok(new Reader(text).document());
  } catch (fault) {
    if (!(fault instanceof SyntaxFault)) throw fault;
    const before = text.slice(0, fault.at);
    const line = before.split("\n").length;
    return err({ line, column: fault.at - before.lastIndexOf("\n"), text: fault.message });
  }
}

/** The same value in plain objects, as `JSON.parse` would give it. */
export function toPlain(value: JsoncValue): unknown {
  if (Array.isArray(value)) return value.map(toPlain);
  if (!(value instanceof Map)) return value;
  return Object.fromEntries([...value].map(([name, member]) => [name, toPlain(member.value)]));
}
