import { compilePattern } from "../core/number_pattern.ts";

/** Who may dial what, over which trunks, and whom a call from a trunk is for. */

/** A rule for calls that leave by a trunk; the first that matches and allows decides. */
export interface OutboundRule {
  /** A pattern (`compilePattern`) of the whole number as it was dialled. */
  readonly match: string;
  /** Digits taken off the front. */
  readonly strip: number;
  /** Put in front, after `strip`. */
  readonly prefix: string;
  /** Country code by which the number becomes `+...`, "" to leave it as it is. */
  readonly e164: string;
  /** Names of trunks, tried by their priority. */
  readonly trunks: readonly string[];
  /** Rights of which a caller has one, or names of accounts. */
  readonly allow: readonly string[];
}

/** A rule for calls that a trunk brings. */
export interface InboundRule {
  readonly match: string;
  /** The account, or guest, that is called. */
  readonly to: string;
  /** Trunks from which it counts; empty: all. */
  readonly trunks: readonly string[];
}

/** Who calls, as far as a dial plan asks. */
export interface Dialler {
  readonly account: string;
  readonly rights: ReadonlySet<string>;
}

export type Dialled =
  | { readonly kind: "trunks"; readonly number: string; readonly trunks: readonly string[] }
  /** The plan knows the number, and this caller may not dial it. */
  | { readonly kind: "forbidden" };

/** What E.164 allows, with the plus (ITU-T E.164 6). */
const E164 = /^\+[1-9]\d{1,14}$/;
const NUMBER = /^\+?[0-9*#]{1,32}$/;
/** What people write between digits (RFC 3966 5.1.1). */
const SEPARATORS = /[-.()\s]/g;

/** The digits of what was dialled; undefined for what is no number. */
export function numberOf(user: string): string | undefined {
  const bare = user.replace(/;.*$/s, "").replace(SEPARATORS, "");
  return NUMBER.test(bare) ? bare : undefined;
}

/**
 * A number with country code: `00` stands for `+`, a leading `0` for the country. What is no E.164
 * number then (an emergency call, a service number) is left as it is.
 */
export function toE164(number: string, country: string): string {
  const full = number.startsWith("+")
    ? number
    : number.startsWith("00")
    ? `+${number.slice(2)}`
    : number.startsWith("0")
    ? `+${country}${number.slice(1)}`
    : number;
  return E164.test(full) ? full : number;
}

interface Compiled<R> {
  readonly rule: R;
  readonly pattern: RegExp;
}

export class DialPlan {
  readonly #outbound: readonly Compiled<OutboundRule>[];
  readonly #inbound: readonly Compiled<InboundRule>[];

  /** Rules with checked patterns. */
  constructor(rules: {
    readonly outbound: readonly OutboundRule[];
    readonly inbound: readonly InboundRule[];
  }) {
    this.#outbound = rules.outbound.map(compiled);
    this.#inbound = rules.inbound.map(compiled);
  }

  /** Undefined: the plan does not know this number. */
  dial(number: string, dialler: Dialler | null): Dialled | undefined {
    let isKnown = false;
    for (const { rule, pattern } of this.#outbound) {
      if (!pattern.test(number)) continue;
      isKnown = true;
      if (!isAllowed(rule, dialler)) continue;
      const rewritten = rule.prefix + number.slice(rule.strip);
      const full = rule.e164 === "" ? rewritten : toE164(rewritten, rule.e164);
      return { kind: "trunks", number: full, trunks: rule.trunks };
    }
    return isKnown ? { kind: "forbidden" } : undefined;
  }

  /** User part that a call to `number` from this trunk is for; undefined: nobody. */
  receive(number: string, trunk: string): string | undefined {
    return this.#inbound.find(({ rule, pattern }) =>
      (rule.trunks.length === 0 || rule.trunks.includes(trunk)) && pattern.test(number)
    )?.rule.to;
  }
}

function isAllowed(rule: OutboundRule, dialler: Dialler | null): boolean {
  if (!dialler) return false;
  return rule.allow.some((word) => word === dialler.account || dialler.rights.has(word));
}

function compiled<R extends { readonly match: string }>(rule: R): Compiled<R> {
  const pattern = compilePattern(rule.match);
  if (!pattern.ok) throw new Error(pattern.error);
  return { rule, pattern: pattern.value };
}
