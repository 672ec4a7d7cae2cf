import type { CallId, SessionId } from "../core/ids.ts";
import { Groups } from "../core/groups.ts";
import type { CallActor } from "./call.ts";
import type { CallInput, CallResources } from "./call_ports.ts";

/** One live call: its actor, and what its will needs. */
export interface CallRecord {
  readonly id: CallId;
  readonly sessionId: SessionId;
  readonly actor: CallActor;
  readonly input: CallInput;
  readonly resources: CallResources;
  /** All that it has had, oldest first. */
  readonly sipCallIds: string[];
  /** Counts up; the cursor of a listing. */
  readonly order: number;
  /** The client has had its `finished`. */
  isTold: boolean;
}

/** The live calls, by all that they are asked for. */
export class CallIndex {
  readonly #live = new Map<CallId, CallRecord>();
  readonly #bySession = new Groups<SessionId, CallRecord>();
  readonly #bySipCall = new Groups<string, CallRecord>();
  /** Calls that go on without their clients, by the session whose agent they need. */
  readonly #bridged = new Groups<SessionId, CallRecord>();

  get size(): number {
    return this.#live.size;
  }

  get(id: CallId): CallRecord | undefined {
    return this.#live.get(id);
  }

  all(): Iterable<CallRecord> {
    return this.#live.values();
  }

  /** Those of its client. */
  ofSession(session: SessionId): readonly CallRecord[] {
    return this.#bySession.valuesOf(session);
  }

  countOf(session: SessionId): number {
    return this.#bySession.countOf(session);
  }

  ofSipCall(sipCallId: string): readonly CallRecord[] {
    return this.#bySipCall.valuesOf(sipCallId);
  }

  hasBridged(session: SessionId): boolean {
    return this.#bridged.has(session);
  }

  bridged(): readonly CallRecord[] {
    return [...this.#live.values()].filter((record) =>
      this.#bridged.valuesOf(record.sessionId).includes(record)
    );
  }

  add(record: CallRecord): void {
    this.#live.set(record.id, record);
    this.#bySession.add(record.sessionId, record);
    for (const sipCallId of record.sipCallIds) this.#bySipCall.add(sipCallId, record);
  }

  /** One more Call-ID of a call; false where it has it already. */
  join(record: CallRecord, sipCallId: string): boolean {
    if (record.sipCallIds.includes(sipCallId)) return false;
    record.sipCallIds.push(sipCallId);
    this.#bySipCall.add(sipCallId, record);
    return true;
  }

  /** From now on the session's end is not the call's. */
  leaveClient(record: CallRecord): void {
    this.#bySession.delete(record.sessionId, record);
    this.#bridged.add(record.sessionId, record);
  }

  /** Whether it was there. */
  remove(record: CallRecord): boolean {
    if (!this.#live.delete(record.id)) return false;
    this.#bySession.delete(record.sessionId, record);
    this.#bridged.delete(record.sessionId, record);
    for (const sipCallId of record.sipCallIds) this.#bySipCall.delete(sipCallId, record);
    return true;
  }
}
