import type { Result } from "../core/result.ts";
import { err, ok } from "../core/result.ts";

/**
 * What may stand in the names that clients choose. A fault names the wire field, the character and
 * the rule, so that whoever typed it can mend it; the original server left such calls hanging.
 */

/** What is wrong with which field of the wire. */
export interface FieldFault {
  readonly field: string;
  /** A sentence that begins with the field's name. */
  readonly text: string;
}

interface Rule {
  /** Matches one allowed character (code point). */
  readonly allowed: RegExp;
  readonly words: string;
  readonly maxLength: number;
  /** Blanks are allowed. */
  readonly blanks?: true;
}

/** Beyond ASCII: whatever prints, and the two joiners that scripts and emoji need. */
const PRINTABLE = "\\u{80}-\\u{10FFFF}";
const UNPRINTABLE = /^(?![\u200C\u200D])[\p{C}\p{Z}]$/u;

/** RFC 3261 25.1 `user`, escapes written with `%`; beyond ASCII is escaped for the user. */
const USER: Rule = {
  allowed: new RegExp(`^[A-Za-z0-9\\-_.!~*'()&=+$,;?/%${PRINTABLE}]$`, "u"),
  words: "a SIP user name has letters, digits and - _ . ! ~ * ' ( ) & = + $ , ; ? / " +
    "(RFC 3261 25.1)",
  maxLength: 128,
};

const AUTH_NAME: Rule = {
  allowed: new RegExp(`^[\\x21\\x23-\\x3B\\x3D\\x3F-\\x7E${PRINTABLE}]$`, "u"),
  words: "an authentication name has no blanks, control characters, quotes or angle brackets",
  maxLength: 256,
};

const HOST: Rule = {
  allowed: /^[A-Za-z0-9\-_.:[\]]$/,
  words: "a host is a name of letters, digits, - and . or an IP address (RFC 3261 25.1)",
  maxLength: 253,
};

/** What is put into quotes in SIP and shown to people. */
const DISPLAY: Rule = {
  allowed: new RegExp(`^[\\x20-\\x7E${PRINTABLE}]$`, "u"),
  words: "text has no control characters",
  maxLength: 128,
  blanks: true,
};

const GROUPED_NUMBER = /^\+?[0-9()][0-9 ().\/-]*$/;
const HOSTNAME = /^[A-Za-z0-9_](?:[A-Za-z0-9\-_]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9\-_]+)*\.?$/;
const IPV6 = /^(?:\[[0-9A-Fa-f:.]+\]|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$/;

/** User part of an AoR, as the client wrote it. */
export function checkUser(field: string, value: string): Result<string, FieldFault> {
  const checked = check(field, value, USER);
  if (!checked.ok) return checked;
  for (const { index } of value.matchAll(/%/g)) {
    const escape = value.slice(index, index + 3);
    // An escaped control character is legal by the grammar and a line end once decoded.
    if (!/^%(?:[2-6][0-9A-Fa-f]|7[0-9A-Ea-e]|[89A-Fa-f][0-9A-Fa-f])$/.test(escape)) {
      return fault(
        field,
        `character ${spell("%")} at position ${position(value, index)} is not allowed: ` +
          "% stands before two hexadecimal digits of a character that prints (RFC 3261 25.1)",
      );
    }
  }
  return ok(value);
}

export function checkAuthName(field: string, value: string): Result<string, FieldFault> {
  return check(field, value, AUTH_NAME);
}

/** A host name or an address, without a port; IPv6 with or without brackets. */
export function checkHost(field: string, value: string): Result<string, FieldFault> {
  const checked = check(field, value, HOST);
  if (!checked.ok || HOSTNAME.test(value) || IPV6.test(value)) return checked;
  const at = value.search(/[:[\]]/);
  return at < 0
    ? fault(field, `${JSON.stringify(value)} is not allowed: ${HOST.words}`)
    : fault(field, refused(value, at, HOST));
}

export function checkVisibleName(field: string, value: string): Result<string, FieldFault> {
  return check(field, value, DISPLAY);
}

/** Text that goes nowhere but into a comparison or a digest; bounded, no line ends. */
export function checkPlain(
  field: string,
  value: string,
  maxLength: number,
): Result<string, FieldFault> {
  return value === "" ? ok(value) : check(field, value, { ...DISPLAY, maxLength });
}

/**
 * Whom to call: what a person typed, or a SIP URI. Gives `user` or `user@host`, without scheme,
 * name, port and parameters.
 */
export function normaliseCallee(field: string, typed: string): Result<string, FieldFault> {
  const trimmed = typed.trim();
  const bracketed = /^[^<>]*<([^<>]*)>$/.exec(trimmed)?.[1] ?? trimmed;
  const bare = bracketed.replace(/^(?:sips?|tel):/i, "");
  const at = bare.lastIndexOf("@");
  const scheme = bare !== bracketed;
  const written = at >= 0 ? bare.slice(0, at) : scheme ? bare.replace(/;.*$/s, "") : bare;
  // People write numbers in groups.
  const user = GROUPED_NUMBER.test(written) ? written.replaceAll(" ", "") : written;
  const checked = checkUser(field, user);
  if (!checked.ok || at < 0) return checked;
  const host = bare.slice(at + 1).replace(/[;?].*$/s, "").replace(/(?<=[^:]):\d{1,5}$/, "");
  const checkedHost = checkHost(field, host);
  return checkedHost.ok ? ok(`${user}@${host}`) : checkedHost;
}

/** One line without control characters, of bounded length. */
export function isOneLine(value: string, maxLength: number): boolean {
  return value.length <= maxLength && !/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}]/u.test(value);
}

export function fault(field: string, problem: string): Result<never, FieldFault> {
  return err({ field, text: `${field}: ${problem}` });
}

function check(field: string, value: string, rule: Rule): Result<string, FieldFault> {
  if (value === "") return fault(field, `is empty, and ${rule.words}`);
  if (value.length > rule.maxLength) {
    return fault(field, `has ${value.length} characters, and ${rule.maxLength} are allowed`);
  }
  let index = 0;
  for (const character of value) {
    const blank = rule.blanks === true && character === " ";
    if (!rule.allowed.test(character) || (!blank && UNPRINTABLE.test(character))) {
      return fault(field, refused(value, index, rule));
    }
    index += character.length;
  }
  return ok(value);
}

function refused(value: string, index: number, rule: Rule): string {
  const character = String.fromCodePoint(value.codePointAt(index)!);
  return `character ${spell(character)} at position ${position(value, index)} is not allowed: ` +
    rule.words;
}

/** Place of a character as a person counts, from 1. */
function position(value: string, index: number): number {
  return [...value.slice(0, index)].length + 1;
}

/** A character as a person can recognise it, in a text that must not carry it where it is odd. */
function spell(character: string): string {
  const code = character.codePointAt(0)!;
  const point = `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  const name = NAMES[code];
  if (name !== undefined) return `${name} (${point})`;
  return UNPRINTABLE.test(character) ? point : `${JSON.stringify(character)} (${point})`;
}

const NAMES: Readonly<Record<number, string>> = {
  0x00: "NUL",
  0x09: "tab",
  0x0a: "line feed",
  0x0d: "carriage return",
  0x20: "blank",
  0x22: "quote",
  0xa0: "no-break space",
};
