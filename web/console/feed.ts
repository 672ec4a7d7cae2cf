/// <reference lib="dom" />
import { ApiRefusal, fetchOverview, type Overview } from "./api.ts";

export type FeedState =
  | { readonly kind: "loading" }
  /** `isPushed`: the server tells of changes by itself; else it is asked every few seconds. */
  | { readonly kind: "live"; readonly isPushed: boolean }
  /** The server can't be reached; what is shown is of `since`, ms since the epoch. */
  | { readonly kind: "lost"; readonly since: number }
  | { readonly kind: "signed-out" };

const EVENTS = [
  "session.opened",
  "session.registered",
  "session.detached",
  "session.ended",
  "call.started",
  "call.ringing",
  "call.connected",
  "call.held",
  "call.unheld",
  "call.dtmf",
  "call.transfer",
  "call.ended",
  "trunk.up",
  "trunk.down",
  "worker.started",
  "worker.adopted",
  "worker.replaced",
  "worker.died",
] as const;

/** Changes come in bunches: one look for all of them. */
const GATHER_MS = 120;
/** Loss and packets change without an event. */
const BUSY_POLL_MS = 2_000;
const IDLE_POLL_MS = 10_000;
/** From so many rows on, each look costs the server something: fewer looks. */
const MANY_ROWS = 200;
const MANY_PAUSE_MS = 4_000;

/** Keeps an overview fresh: the event stream says when to look, a slow poll covers the rest. */
export class Feed {
  overview: Overview | undefined;
  state: FeedState = { kind: "loading" };
  /** Counts completed looks, so that details can follow. */
  looks = 0;
  readonly #listeners = new Set<() => void>();
  #source: EventSource | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the timer fires, ms since the epoch. */
  #dueAt = 0;
  #isLooking = false;
  #isStale = false;

  start(): () => void {
    this.#source = new EventSource("/api/events");
    for (const type of EVENTS) {
      this.#source.addEventListener(type, () => this.#lookIn(this.#gatherMs()));
    }
    // Also after a loss: what happened in between is seen by looking.
    this.#source.onopen = () => this.#lookIn(0);
    this.#source.onerror = () => this.#lookIn(GATHER_MS);
    const wake = () => {
      if (!document.hidden) this.#lookIn(0);
    };
    document.addEventListener("visibilitychange", wake);
    this.#lookIn(0);
    return () => {
      this.#source?.close();
      clearTimeout(this.#timer);
      document.removeEventListener("visibilitychange", wake);
    };
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Looks now, for whoever has just changed something. */
  refresh(): void {
    this.#lookIn(0);
  }

  /** In so long at the latest: a steady stream of events must not put the look off for ever. */
  #lookIn(ms: number): void {
    if (this.#isLooking) {
      this.#isStale = true;
      return;
    }
    const dueAt = Date.now() + ms;
    if (this.#timer !== undefined && this.#dueAt <= dueAt) return;
    clearTimeout(this.#timer);
    this.#dueAt = dueAt;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#look();
    }, ms);
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    this.#isStale = false;
    try {
      this.overview = await fetchOverview();
      this.state = { kind: "live", isPushed: this.#isPushed() };
    } catch (fault) {
      this.state = fault instanceof ApiRefusal && fault.status === 401
        ? { kind: "signed-out" }
        : this.state.kind === "lost"
        ? this.state
        : { kind: "lost", since: Date.now() };
    }
    this.looks++;
    this.#isLooking = false;
    for (const listener of this.#listeners) listener();
    this.#lookIn(this.#isStale ? this.#gatherMs() : this.#pause());
  }

  #pause(): number {
    // Nobody looks at a hidden page; events still bring it up to date.
    if (document.hidden) return IDLE_POLL_MS;
    const isQuiet = this.#isPushed() && this.overview?.calls.length === 0;
    if (this.state.kind === "live" && isQuiet) return IDLE_POLL_MS;
    return this.#hasMany() ? MANY_PAUSE_MS : BUSY_POLL_MS;
  }

  #gatherMs(): number {
    return this.#hasMany() ? MANY_PAUSE_MS : GATHER_MS;
  }

  #hasMany(): boolean {
    const { calls = [], sessions = [] } = this.overview ?? {};
    return calls.length + sessions.length > MANY_ROWS;
  }

  #isPushed(): boolean {
    return this.#source?.readyState === EventSource.OPEN;
  }
}
