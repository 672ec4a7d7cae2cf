import type { SipRequest } from "../message/mod.ts";
import type { ServerTransactionId } from "../stack.ts";
import type { UserAgent } from "./user_agent.ts";

/**
 * INVITEs that are being answered, by agent, Call-ID, From tag and CSeq: one that reached an agent
 * by two ways is answered once (RFC 3261 8.2.2.2).
 */
export class MergedRequests {
  readonly #byKey = new Map<string, ServerTransactionId>();
  readonly #keys = new Map<ServerTransactionId, string>();

  /** False: the agent has it already, 482 is owed. */
  enter(agent: UserAgent, id: ServerTransactionId, request: SipRequest): boolean {
    const { callId, from, cseq } = request;
    // Two windows of one name each get their own copy: merged is what reaches one of them twice.
    const key = [agent.flow.id, callId, from.tag ?? "", cseq.sequence].join("\n");
    if (this.#byKey.has(key)) return false;
    this.#byKey.set(key, id);
    this.#keys.set(id, key);
    return true;
  }

  /** The transaction is over. */
  leave(id: ServerTransactionId): void {
    const key = this.#keys.get(id);
    if (key === undefined) return;
    this.#keys.delete(id);
    this.#byKey.delete(key);
  }
}
