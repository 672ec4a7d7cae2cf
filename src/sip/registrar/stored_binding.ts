import type { Instant } from "../../core/clock.ts";
import type { TimerEntry } from "../../core/timer_queue.ts";
import type { Flow } from "../flow.ts";
import { copyText } from "../message/mod.ts";
import type { Binding, NewBinding } from "./location.ts";

/** Between the texts of a binding; cannot stand in a header's value. */
const SEPARATOR = "\n";
/** Kinds of user agents whose names are kept once; those of many more are kept each. */
const MAX_NAMES = 1_000;
const names = new Map<string, string>();

/**
 * A binding as it is held by the hundred thousand: its texts are one string of their own, because a
 * piece of a message would keep the whole message alive.
 */
export class StoredBinding implements Binding {
  readonly aor: string;
  readonly flow: Flow;
  readonly sequence: number;
  readonly expiresAt: Instant;
  readonly q: number;
  readonly regId: number | null;
  readonly refreshedAt: Instant;
  readonly userAgent: string | null;
  readonly sequenceNumber: number;
  /** Key, contact, Contact value, Call-ID, instance, paths. */
  readonly #text: string;
  /** Of its expiry; the location's business. */
  timer: TimerEntry<StoredBinding> | undefined;

  /**
   * @param aor a text that belongs to no message
   * @param key as `bindingKey` makes it
   */
  constructor(made: NewBinding, aor: string, key: string, sequenceNumber: number) {
    this.aor = aor;
    this.flow = made.flow;
    this.sequence = made.sequence;
    // Whole milliseconds fit into the object; others are objects of their own.
    this.expiresAt = Math.ceil(made.expiresAt);
    this.q = made.q;
    this.regId = made.regId;
    this.refreshedAt = Math.floor(made.refreshedAt);
    this.userAgent = made.userAgent === null ? null : nameOf(made.userAgent);
    this.sequenceNumber = sequenceNumber;
    const { contact, contactValue, callId, instance, path } = made;
    const plain = contactValue === `<${contact}>` ? "" : contactValue;
    this.#text = [key, contact, plain, callId, instance ?? "", ...path].join(SEPARATOR);
  }

  hasKey(key: string): boolean {
    return this.#text.startsWith(key) && this.#text[key.length] === SEPARATOR;
  }

  get key(): string {
    return this.#part(0);
  }

  get contact(): string {
    return this.#part(1);
  }

  get contactValue(): string {
    return this.#part(2) || `<${this.contact}>`;
  }

  get callId(): string {
    return this.#part(3);
  }

  get instance(): string | null {
    return this.#part(4) || null;
  }

  get path(): readonly string[] {
    return this.#text.split(SEPARATOR).slice(5);
  }

  #part(index: number): string {
    let at = 0;
    for (let i = 0; i < index; i++) at = this.#text.indexOf(SEPARATOR, at) + 1;
    const end = this.#text.indexOf(SEPARATOR, at);
    return end < 0 ? this.#text.slice(at) : this.#text.slice(at, end);
  }
}

function nameOf(userAgent: string): string {
  const known = names.get(userAgent);
  if (known !== undefined) return known;
  const name = copyText(userAgent);
  if (names.size < MAX_NAMES) names.set(name, name);
  return name;
}
