import type { Instant } from "../../core/clock.ts";
import type { FlowId } from "../../core/ids.ts";
import type { Deadline } from "../../core/sans_io.ts";
import { type TimerEntry, TimerQueue } from "../../core/timer_queue.ts";
import type { Flow } from "../flow.ts";
import type { ClientTransactionId, ServerTransactionId } from "./ids.ts";
import type { InviteClientTransaction } from "./invite_client.ts";
import type { InviteServerTransaction } from "./invite_server.ts";
import type { NonInviteClientTransaction } from "./non_invite_client.ts";
import type { NonInviteServerTransaction } from "./non_invite_server.ts";
import type { TimerName } from "./timers.ts";

interface Common {
  readonly key: string;
  readonly flow: Flow;
  /** The stack's own (CANCEL): its user hears nothing of it. */
  readonly hidden: boolean;
}

interface NewClient extends Common {
  readonly id: ClientTransactionId;
  readonly machine: InviteClientTransaction | NonInviteClientTransaction;
}

interface NewServer extends Common {
  readonly id: ServerTransactionId;
  readonly machine: InviteServerTransaction | NonInviteServerTransaction;
}

interface Timers {
  /** Made with the first: most transactions are over before one is set. */
  timers: Map<TimerName, TimerEntry<DueTimer>> | undefined;
}

export interface ClientEntry extends NewClient, Timers {
  readonly side: "client";
  /** A CANCEL that was asked for; sent once a provisional has come. */
  cancel: { readonly reason: string | undefined; sent: boolean } | undefined;
}

export interface ServerEntry extends NewServer, Timers {
  readonly side: "server";
  /** Keys under which ACKs to 2xx of this transaction are awaited. */
  ackKeys: string[] | undefined;
  /** Whose share it takes up, as `Shares` counts. */
  owner: number;
}

export type Entry = ClientEntry | ServerEntry;

export interface DueTimer {
  readonly entry: Entry;
  readonly timer: TimerName;
}

/** The live transactions of a stack with their timers, by every key they are looked for. */
export class TransactionTable {
  readonly #clients = new Map<string, ClientEntry>();
  readonly #clientIds = new Map<ClientTransactionId, ClientEntry>();
  readonly #servers = new Map<string, ServerEntry>();
  readonly #serverIds = new Map<ServerTransactionId, ServerEntry>();
  readonly #accepted = new Map<string, ServerEntry>();
  readonly #flows = new Map<FlowId, Set<Entry>>();
  readonly #queue = new TimerQueue<DueTimer>();
  /** Those whose only end is that of a transaction which waits for repetitions. */
  readonly #lingering = new TimerQueue<DueTimer>();

  get size(): number {
    return this.#clients.size + this.#servers.size;
  }

  addClient(client: NewClient): ClientEntry {
    if (this.#clientIds.has(client.id)) {
      throw new Error(`client transaction ${client.id} exists already; ids are used once`);
    }
    const { id, key, flow, hidden, machine } = client;
    const entry: ClientEntry = {
      id,
      key,
      flow,
      hidden,
      machine,
      side: "client",
      cancel: undefined,
      timers: undefined,
    };
    this.#clients.set(entry.key, entry);
    this.#clientIds.set(entry.id, entry);
    this.#join(entry);
    return entry;
  }

  /** @param owner as `Shares` counts */
  addServer({ id, key, flow, hidden, machine }: NewServer, owner: number): ServerEntry {
    const entry: ServerEntry = {
      id,
      key,
      flow,
      hidden,
      machine,
      side: "server",
      ackKeys: undefined,
      owner,
      timers: undefined,
    };
    this.#servers.set(entry.key, entry);
    this.#serverIds.set(entry.id, entry);
    this.#join(entry);
    return entry;
  }

  remove(entry: Entry): void {
    if (entry.timers) {
      for (const timer of entry.timers.values()) this.#queueOf(timer.value.timer).remove(timer);
      entry.timers = undefined;
    }
    if (entry.side === "client") {
      this.#clients.delete(entry.key);
      this.#clientIds.delete(entry.id);
    } else {
      this.#servers.delete(entry.key);
      this.#serverIds.delete(entry.id);
      for (const key of entry.ackKeys ?? []) {
        if (this.#accepted.get(key) === entry) this.#accepted.delete(key);
      }
    }
    const onFlow = this.#flows.get(entry.flow.id);
    onFlow?.delete(entry);
    if (onFlow?.size === 0) this.#flows.delete(entry.flow.id);
  }

  clientByKey(key: string): ClientEntry | undefined {
    return this.#clients.get(key);
  }

  clientById(id: ClientTransactionId): ClientEntry | undefined {
    return this.#clientIds.get(id);
  }

  serverByKey(key: string): ServerEntry | undefined {
    return this.#servers.get(key);
  }

  serverById(id: ServerTransactionId): ServerEntry | undefined {
    return this.#serverIds.get(id);
  }

  /** The INVITE whose 2xx waits for an ACK of this key. */
  acceptedBy(key: string): ServerEntry | undefined {
    return this.#accepted.get(key);
  }

  expectAck(entry: ServerEntry, key: string): void {
    if (this.#serverIds.get(entry.id) !== entry || entry.ackKeys?.includes(key)) return;
    (entry.ackKeys ??= []).push(key);
    this.#accepted.set(key, entry);
  }

  /** A copy, since what is done to them may remove them. */
  entriesOf(flow: FlowId): Entry[] {
    return [...this.#flows.get(flow) ?? []];
  }

  setTimer(entry: Entry, name: TimerName, at: Instant): void {
    this.clearTimer(entry, name);
    (entry.timers ??= new Map()).set(name, this.#queueOf(name).add(at, { entry, timer: name }));
  }

  clearTimer(entry: Entry, name: TimerName): void {
    const timer = entry.timers?.get(name);
    if (!timer) return;
    this.#queueOf(name).remove(timer);
    entry.timers?.delete(name);
  }

  takeDue(now: Instant): DueTimer | undefined {
    const due = this.#queue.takeDue(now) ?? this.#lingering.takeDue(now);
    due?.entry.timers?.delete(due.timer);
    return due;
  }

  deadline(): Deadline | undefined {
    const first = this.#queue.first;
    const over = this.#lingering.first;
    const overAt = over === undefined ? Infinity : coarse(over.at);
    const next = first !== undefined && first.at <= overAt ? first : over;
    if (next === undefined) return undefined;
    const at = next === first ? first.at : overAt;
    return { at, reason: `timer ${next.value.timer} of ${next.value.entry.id}` };
  }

  #queueOf(name: TimerName): TimerQueue<DueTimer> {
    return LINGERING.has(name) ? this.#lingering : this.#queue;
  }

  #join(entry: Entry): void {
    const onFlow = this.#flows.get(entry.flow.id);
    if (onFlow) onFlow.add(entry);
    else this.#flows.set(entry.flow.id, new Set([entry]));
  }
}

/** D, I, K, L and M wait for repetitions, after which nothing more is said. */
const LINGERING: ReadonlySet<TimerName> = new Set(["D", "I", "K", "L", "M"]);
/** So many ms at a time: to be woken for the end of each would cost more than the end. */
const COARSE_MS = 128;

/** A time that is no earlier, and the same for many. */
export function coarse(at: Instant): Instant {
  return Math.ceil(at / COARSE_MS) * COARSE_MS;
}
