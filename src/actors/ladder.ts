import type { Clock } from "../core/clock.ts";
import type { FlowId } from "../core/ids.ts";
import type { Flow, SipTransport } from "../sip/flow.ts";
import { serialize, type SipMessage } from "../sip/message/mod.ts";

/** Who is at the far end of a flow, seen from our elements. */
export interface LadderParty {
  readonly id: FlowId;
  /** A session of ours, or somebody on the network. */
  readonly kind: "session" | "wire";
  /** Login of the session, address of anybody else. */
  readonly name: string;
  readonly transport: SipTransport;
  /** `host:port`. */
  readonly address: string;
  /** `host:port` of ours on this flow; null: the server's own. */
  readonly localAddress: string | null;
}

export interface LadderEntry {
  /** Counts all recorded messages of this process: the true order. */
  readonly sequence: number;
  /** Wall clock, ms since 1970. */
  readonly at: number;
  /** From our elements to the party, or from it. */
  readonly direction: "send" | "receive";
  readonly party: LadderParty;
  /** As it was on its way, secrets and all: for `maskSecrets` before anybody reads it. */
  readonly bytes: Uint8Array;
}

export interface LadderLimits {
  /** Of one SIP Call-ID; the oldest go first. */
  readonly messages: number;
  readonly bytesPerCall: number;
  /** Of all together. */
  readonly bytes: number;
  /** Call-IDs that no call of a session has asked to be kept: transit calls, refused strangers. */
  readonly unclaimed: number;
}

export const LADDER_LIMITS: LadderLimits = {
  messages: 300,
  bytesPerCall: 256 * 1024,
  bytes: 64 * 1024 * 1024,
  unclaimed: 500,
};

/** A message as it passes: bytes where they are there already. */
export interface Passed {
  readonly flow: Flow;
  readonly direction: "send" | "receive";
  readonly message: SipMessage;
  readonly bytes?: Uint8Array;
}

interface Rungs {
  entries: LadderEntry[];
  bytes: number;
  dropped: number;
  /** Calls that want it. */
  claims: number;
}

/**
 * The SIP messages of calls, by Call-ID, in their true order: those of the hop between user agents
 * and proxy, and those of the wire. A Call-ID is recorded from its first INVITE on, as long as a
 * call claims it; all of it is bounded, and what has to go goes oldest first.
 */
export class Ladder {
  readonly #clock: Clock;
  readonly #limits: LadderLimits;
  readonly #claimed = new Map<string, Rungs>();
  readonly #unclaimed = new Map<string, Rungs>();
  readonly #parties = new Map<FlowId, LadderParty>();
  #sequence = 0;
  #bytes = 0;

  constructor(clock: Clock, limits: LadderLimits = LADDER_LIMITS) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Call-IDs that are held, for leak checks. */
  get size(): number {
    return this.#claimed.size + this.#unclaimed.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** @param name what a person calls the far end of the flow; undefined for its address */
  record({ flow, direction, message, bytes }: Passed, name?: string): void {
    // What came from the network may lack everything.
    const callId = message.headers.get("Call-ID");
    if (callId === undefined) return;
    let rungs = this.#claimed.get(callId) ?? this.#unclaimed.get(callId);
    if (!rungs) {
      if (message.kind !== "request" || message.method !== "INVITE") return;
      rungs = { entries: [], bytes: 0, dropped: 0, claims: 0 };
      this.#unclaimed.set(callId, rungs);
      if (this.#unclaimed.size > this.#limits.unclaimed) this.#dropOldest(this.#unclaimed);
    }
    const entry: LadderEntry = {
      sequence: ++this.#sequence,
      at: this.#clock.epoch(),
      direction,
      party: this.#party(flow, name),
      bytes: bytes ?? serialize(message),
    };
    rungs.entries.push(entry);
    rungs.bytes += entry.bytes.length;
    this.#bytes += entry.bytes.length;
    const { messages, bytesPerCall } = this.#limits;
    while (rungs.entries.length > messages || rungs.bytes > bytesPerCall) this.#shift(rungs);
    while (this.#bytes > this.#limits.bytes) {
      this.#dropOldest(this.#unclaimed.size > 0 ? this.#unclaimed : this.#claimed);
    }
  }

  /** A call wants this Call-ID kept until its `release`. */
  claim(callId: string): void {
    const rungs = this.#claimed.get(callId) ?? this.#unclaimed.get(callId) ??
      { entries: [], bytes: 0, dropped: 0, claims: 0 };
    this.#unclaimed.delete(callId);
    this.#claimed.set(callId, rungs);
    rungs.claims++;
  }

  release(callId: string): void {
    const rungs = this.#claimed.get(callId);
    if (!rungs || --rungs.claims > 0) return;
    this.#claimed.delete(callId);
    this.#bytes -= rungs.bytes;
  }

  /** The flow is gone: its name is of no use any more. What was recorded keeps it. */
  forgetFlow(flow: FlowId): void {
    this.#parties.delete(flow);
  }

  /** All that is left of these Call-IDs, in true order. */
  read(callIds: readonly string[]): { entries: readonly LadderEntry[]; dropped: number } {
    const found = callIds.flatMap((callId) =>
      this.#claimed.get(callId) ?? this.#unclaimed.get(callId) ?? []
    );
    return {
      entries: found.flatMap(({ entries }) => entries).sort((a, b) => a.sequence - b.sequence),
      dropped: found.reduce((sum, { dropped }) => sum + dropped, 0),
    };
  }

  #shift(rungs: Rungs): void {
    const gone = rungs.entries.shift();
    if (!gone) return;
    rungs.bytes -= gone.bytes.length;
    this.#bytes -= gone.bytes.length;
    rungs.dropped++;
  }

  #dropOldest(from: Map<string, Rungs>): void {
    const [oldest] = from;
    if (!oldest) return;
    const [callId, rungs] = oldest;
    from.delete(callId);
    this.#bytes -= rungs.bytes;
    if (rungs.claims === 0) return;
    // The call still wants what comes; it is the youngest now.
    const { claims, entries, dropped } = rungs;
    from.set(callId, { entries: [], bytes: 0, dropped: dropped + entries.length, claims });
  }

  /** One object a flow: thousands of messages name it. */
  #party(flow: Flow, name: string | undefined): LadderParty {
    const known = this.#parties.get(flow.id);
    if (known) return known;
    const address = flow.remote;
    const party: LadderParty = {
      id: flow.id,
      kind: name === undefined ? "wire" : "session",
      name: name ?? address,
      transport: flow.transport,
      address,
      localAddress: flow.local ?? null,
    };
    if (this.#parties.size >= MAX_PARTIES) this.#parties.clear();
    this.#parties.set(flow.id, party);
    return party;
  }
}

/** Flows whose name is remembered; more only cost an object each. */
const MAX_PARTIES = 10_000;
