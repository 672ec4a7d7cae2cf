import type { Clock, Timer } from "../../core/clock.ts";
import type { SipRequest, SipResponse } from "../message/mod.ts";

/** The shortest session interval anybody may ask for (RFC 4028 4), s. */
export const MIN_SESSION_SECONDS = 90;

/** What a user agent asks for of its own accord. */
export interface SessionTimerWish {
  /** At least 90 s; 1800 is the RFC's advice. */
  readonly seconds: number;
}

export interface SessionTimerEvents {
  /** A refresh is due: UPDATE, or re-INVITE. */
  readonly refresh: () => void;
  /** The other side is silent: the dialog is to be ended. */
  readonly expire: () => void;
}

type Headers = readonly (readonly [string, string])[];
type Side = "uac" | "uas";

/**
 * Keep-alive of one session (RFC 4028): who refreshes, when, and when the other is given up. The
 * sides `uac` and `uas` are those of the last refresh, not of the call.
 */
export class SessionTimer {
  readonly #clock: Clock;
  readonly #wish: SessionTimerWish | null;
  readonly #events: SessionTimerEvents;
  #seconds: number | undefined;
  #minimum = MIN_SESSION_SECONDS;
  #timer: Timer | undefined;
  #stopped = false;

  constructor(clock: Clock, wish: SessionTimerWish | null, events: SessionTimerEvents) {
    this.#clock = clock;
    this.#wish = wish;
    this.#events = events;
  }

  /** The interval in force, s; undefined where the session never expires. */
  get seconds(): number | undefined {
    return this.#seconds;
  }

  /** Of an INVITE or UPDATE of ours; `Supported: timer` is the caller's matter. */
  requestHeaders(): Headers {
    const wished = this.#seconds ?? this.#wish?.seconds;
    if (wished === undefined) return [];
    const seconds = Math.max(wished, this.#minimum);
    // Whoever sends a refresh goes on refreshing (RFC 4028 7.4).
    const refresher = this.#seconds === undefined ? "" : ";refresher=uac";
    const headers: [string, string][] = [["Session-Expires", `${seconds}${refresher}`]];
    if (this.#minimum > MIN_SESSION_SECONDS) headers.push(["Min-SE", String(this.#minimum)]);
    return headers;
  }

  /** Takes a 422's minimum over; whether trying again makes sense (RFC 4028 7.4). */
  raise(response: SipResponse): boolean {
    const minimum = deltaSeconds(response.headers.get("Min-SE"));
    if (minimum === undefined || minimum <= this.#minimum || minimum > MAX_MINIMUM) return false;
    this.#minimum = minimum;
    return true;
  }

  /**
   * A 2xx to our INVITE or UPDATE. Who knows no timer has none: but where one is wished, refreshes
   * of ours still tell whether he is there.
   */
  answered(response: SipResponse): void {
    const interval = sessionExpires(response);
    if (!interval && this.#wish) {
      return this.#start(Math.max(this.#wish.seconds, this.#minimum), true);
    }
    if (!interval) return this.#clear();
    this.#start(interval.seconds, interval.refresher !== "uas");
  }

  /** What our 2xx to an INVITE or UPDATE says, and starts the clock by it (RFC 4028 9). */
  accept(request: SipRequest): Headers {
    const asked = sessionExpires(request);
    const knows = request.headers.getAll("Supported").some((tag) => tag.toLowerCase() === "timer");
    const wished = asked?.seconds ?? this.#seconds ?? this.#wish?.seconds;
    if (wished === undefined) {
      this.#clear();
      return [];
    }
    const minimum = deltaSeconds(request.headers.get("Min-SE")) ?? MIN_SESSION_SECONDS;
    const seconds = Math.max(wished, minimum, MIN_SESSION_SECONDS);
    const refresher: Side = knows ? asked?.refresher ?? "uac" : "uas";
    this.#start(seconds, refresher === "uas");
    const headers: [string, string][] = [["Session-Expires", `${seconds};refresher=${refresher}`]];
    if (refresher === "uac") headers.push(["Require", "timer"]);
    return headers;
  }

  stop(): void {
    this.#stopped = true;
    this.#clear();
  }

  #start(seconds: number, weRefresh: boolean): void {
    this.#clear();
    if (this.#stopped) return;
    this.#seconds = seconds;
    const wait = weRefresh ? seconds / 2 : seconds - Math.min(32, seconds / 3);
    this.#timer = this.#clock.setTimeout(() => {
      this.#timer = undefined;
      if (weRefresh) this.#events.refresh();
      else this.#events.expire();
    }, wait * 1000);
  }

  #clear(): void {
    if (this.#timer !== undefined) this.#clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#seconds = undefined;
  }
}

/** A far side that asks for more than a day is not keeping anything alive, s. */
const MAX_MINIMUM = 86_400;

/**
 * The least that a request must ask for, where it asks for too little and would understand a 422
 * (RFC 4028 9); undefined: it may go on.
 */
export function tooSmall(request: SipRequest): number | undefined {
  const asked = sessionExpires(request);
  const knows = request.headers.getAll("Supported").some((tag) => tag.toLowerCase() === "timer");
  return asked && knows && asked.seconds < MIN_SESSION_SECONDS ? MIN_SESSION_SECONDS : undefined;
}

function sessionExpires(
  message: SipRequest | SipResponse,
): { seconds: number; refresher: Side | undefined } | undefined {
  const text = message.headers.get("Session-Expires");
  const seconds = deltaSeconds(text);
  if (text === undefined || seconds === undefined || seconds === 0) return undefined;
  const refresher = /;\s*refresher\s*=\s*(uac|uas)\b/i.exec(text)?.[1]?.toLowerCase();
  return { seconds, refresher: refresher as Side | undefined };
}

function deltaSeconds(text: string | undefined): number | undefined {
  const digits = /^\s*(\d{1,9})\s*(;|$)/.exec(text ?? "")?.[1];
  return digits === undefined ? undefined : Number(digits);
}
