import type { Instant } from "../../core/clock.ts";
import type { FlowId } from "../../core/ids.ts";
import { type TimerEntry, TimerQueue } from "../../core/timer_queue.ts";
import type { Flow } from "../flow.ts";
import type { SipMessage, SipRequest, SipResponse } from "../message/mod.ts";
import type { ServerTransactionId } from "../transaction/ids.ts";
import { coarse } from "../transaction/table.ts";

/** Dialogs that a proxy follows at a time; beyond, the one that was made first is forgotten. */
export const MAX_TRACKED_DIALOGS = 200_000;
/** How long an ended dialog is still known: repeated ACKs and crossing BYEs belong to it, ms. */
const LINGER_MS = 32_000;
/** Beyond what its own refresh promises (RFC 4028 8.3, RFC 6665 4.1.2.2), ms. */
const GRACE_MS = 32_000;

export type Party = "caller" | "callee";

/** What made it; a subscription's dialog ends with its last NOTIFY. */
type Usage = "invite" | "subscription";

interface TrackedDialog {
  readonly key: string;
  readonly usage: Usage;
  readonly flows: Record<Party, Flow | null>;
  /** Whence each party spoke last, which outlives its flow; null: from inside the process. */
  readonly addresses: Record<Party, string | null>;
  /** Of the INVITE while early; undefined once confirmed. */
  early: ServerTransactionId | undefined;
  ended: boolean;
  timer: TimerEntry<TrackedDialog> | undefined;
}

/** A SUBSCRIBE or REFER under way: its NOTIFY may come before its 2xx (RFC 6665 4.4.1). */
interface Expected {
  readonly key: string;
  readonly caller: Flow;
  readonly callees: ReadonlySet<FlowId>;
}

/** A request's place in a dialog that passed here. */
export interface DialogMatch {
  /** It came on the flow that this party has used all along. */
  readonly isFamiliar: boolean;
  /** It came from this party's IP address, if from another port. */
  readonly isNear: boolean;
  /** The flow of the party that sent it, as known so far; null where that is gone. */
  readonly own: Flow | null;
  /** The other party's flow; null where that is gone. */
  readonly peer: Flow | null;
}

const MAKES_DIALOG: Readonly<Record<string, Usage>> = {
  INVITE: "invite",
  SUBSCRIBE: "subscription",
  REFER: "subscription",
};

/**
 * The dialogs that were made through a proxy, by Call-ID and both tags: a request inside a dialog
 * is trusted, and finds its way, by them alone.
 */
export class DialogTable {
  readonly #limit: number;
  readonly #dialogs = new Map<string, TrackedDialog>();
  readonly #early = new Map<ServerTransactionId, TrackedDialog[]>();
  readonly #expected = new Map<ServerTransactionId, Expected>();
  readonly #expectedByKey = new Map<string, Expected>();
  readonly #flows = new Map<FlowId, Set<TrackedDialog>>();
  readonly #queue = new TimerQueue<TrackedDialog>();
  #lingering = 0;

  constructor(limit: number = MAX_TRACKED_DIALOGS) {
    this.#limit = limit;
  }

  /** Dialogs that have not ended. */
  get size(): number {
    return this.#dialogs.size - this.#lingering;
  }

  /** When `wake` has something to do, or a little later: nobody waits for it. */
  get nextTimer(): Instant | undefined {
    const first = this.#queue.first;
    return first && coarse(first.at);
  }

  /** A request that may make a dialog goes out on these flows. */
  expect(id: ServerTransactionId, request: SipRequest, caller: Flow, callees: Iterable<Flow>) {
    if (request.to.tag !== undefined || MAKES_DIALOG[request.method] !== "subscription") return;
    const key = keyOf(request.callId, request.from.tag ?? "", "");
    const expected = { key, caller, callees: new Set([...callees].map((flow) => flow.id)) };
    this.#expected.set(id, expected);
    this.#expectedByKey.set(key, expected);
  }

  /** The dialog that a request belongs to. */
  find(request: SipRequest, flow: Flow): DialogMatch | undefined {
    const found = this.#lookup(request);
    if (found) {
      const { dialog, sender } = found;
      const own = dialog.flows[sender];
      const isFamiliar = own?.id === flow.id;
      const isNear = flow.peer !== undefined && dialog.addresses[sender] === flow.peer.address;
      return { isFamiliar, isNear, own, peer: dialog.flows[other(sender)] };
    }
    if (request.method !== "NOTIFY") return undefined;
    const key = keyOf(request.callId, request.to.tag ?? "", "");
    const expected = this.#expectedByKey.get(key);
    if (!expected) return undefined;
    const isFamiliar = expected.callees.has(flow.id);
    return { isFamiliar, isNear: false, own: null, peer: expected.caller };
  }

  /** A request of this dialog was let through on this flow: answers and requests now go there. */
  moved(request: SipRequest, flow: Flow): void {
    const found = this.#lookup(request);
    if (!found || found.dialog.flows[found.sender]?.id === flow.id) return;
    const { dialog, sender } = found;
    this.#leave(dialog, sender);
    this.#join(dialog, sender, flow);
  }

  /** A response on its way back to whoever sent `request`. */
  answered(
    id: ServerTransactionId,
    request: SipRequest,
    response: SipResponse,
    requester: Flow,
    answerer: Flow,
    now: Instant,
  ): void {
    const { status } = response;
    if (status > 100 && status < 300 && response.to.tag !== undefined) {
      const dialog = this.#lookup(response)?.dialog ??
        this.#make(id, request, response, requester, answerer);
      if (dialog && status >= 200) this.#confirm(dialog, request, response, now);
    }
    if (endsDialog(request, status)) this.end(request, now);
  }

  /** A request whose final answer says, or whose silence means, that its dialog is over. */
  end(request: SipRequest, now: Instant): void {
    const dialog = this.#lookup(request)?.dialog;
    if (!dialog || dialog.ended) return;
    dialog.ended = true;
    this.#lingering++;
    this.#setTimer(dialog, now + LINGER_MS);
  }

  /** The last NOTIFY of a subscription. */
  notified(request: SipRequest, now: Instant): void {
    const state = request.headers.get("Subscription-State") ?? "";
    if (!/^terminated\b/i.test(state)) return;
    if (this.#lookup(request)?.dialog.usage === "subscription") this.end(request, now);
  }

  /** A request is through: dialogs that only it kept early are none. */
  transactionOver(id: ServerTransactionId): void {
    for (const dialog of this.#early.get(id) ?? []) {
      if (dialog.early === id) this.#remove(dialog);
    }
    this.#early.delete(id);
    const expected = this.#expected.get(id);
    this.#expected.delete(id);
    if (expected && this.#expectedByKey.get(expected.key) === expected) {
      this.#expectedByKey.delete(expected.key);
    }
  }

  closeFlow(id: FlowId): void {
    for (const dialog of [...this.#flows.get(id) ?? []]) {
      for (const party of ["caller", "callee"] as const) {
        if (dialog.flows[party]?.id === id) this.#leave(dialog, party);
      }
      if (!dialog.flows.caller && !dialog.flows.callee) this.#remove(dialog);
    }
  }

  wake(now: Instant): void {
    for (let due = this.#queue.takeDue(now); due; due = this.#queue.takeDue(now)) {
      due.timer = undefined;
      this.#remove(due);
    }
  }

  #lookup(message: SipMessage): { dialog: TrackedDialog; sender: Party } | undefined {
    const from = message.from.tag ?? "";
    const to = message.to.tag ?? "";
    const asCaller = this.#dialogs.get(keyOf(message.callId, from, to));
    if (asCaller) return { dialog: asCaller, sender: "caller" };
    const asCallee = this.#dialogs.get(keyOf(message.callId, to, from));
    return asCallee && { dialog: asCallee, sender: "callee" };
  }

  #make(
    id: ServerTransactionId,
    request: SipRequest,
    response: SipResponse,
    caller: Flow,
    callee: Flow,
  ): TrackedDialog | undefined {
    const usage = MAKES_DIALOG[request.method];
    if (usage === undefined || request.to.tag !== undefined) return undefined;
    const dialog: TrackedDialog = {
      key: keyOf(response.callId, response.from.tag ?? "", response.to.tag ?? ""),
      usage,
      flows: { caller: null, callee: null },
      addresses: { caller: null, callee: null },
      early: id,
      ended: false,
      timer: undefined,
    };
    this.#dialogs.set(dialog.key, dialog);
    this.#join(dialog, "caller", caller);
    this.#join(dialog, "callee", callee);
    const early = this.#early.get(id);
    if (early) early.push(dialog);
    else this.#early.set(id, [dialog]);
    if (this.#dialogs.size > this.#limit) this.#removeOldest();
    return dialog;
  }

  #confirm(
    dialog: TrackedDialog,
    request: SipRequest,
    response: SipResponse,
    now: Instant,
  ): void {
    if (dialog.ended) return;
    dialog.early = undefined;
    const seconds = lifetimeOf(request, response);
    if (seconds !== undefined) return this.#setTimer(dialog, now + seconds * 1000 + GRACE_MS);
    // A session that was refreshed without a time expires no more (RFC 4028 7.2).
    if (dialog.timer && (request.method === "INVITE" || request.method === "UPDATE")) {
      this.#queue.remove(dialog.timer);
      dialog.timer = undefined;
    }
  }

  #join(dialog: TrackedDialog, party: Party, flow: Flow): void {
    dialog.flows[party] = flow;
    dialog.addresses[party] = flow.peer?.address ?? null;
    let onFlow = this.#flows.get(flow.id);
    if (!onFlow) this.#flows.set(flow.id, onFlow = new Set());
    onFlow.add(dialog);
  }

  #leave(dialog: TrackedDialog, party: Party): void {
    const flow = dialog.flows[party];
    if (!flow) return;
    dialog.flows[party] = null;
    // Who calls himself has both sides on one flow.
    if (dialog.flows[other(party)]?.id === flow.id) return;
    const onFlow = this.#flows.get(flow.id);
    onFlow?.delete(dialog);
    if (onFlow?.size === 0) this.#flows.delete(flow.id);
  }

  #remove(dialog: TrackedDialog): void {
    if (this.#dialogs.get(dialog.key) !== dialog) return;
    this.#dialogs.delete(dialog.key);
    if (dialog.ended) this.#lingering--;
    if (dialog.timer) this.#queue.remove(dialog.timer);
    this.#leave(dialog, "caller");
    this.#leave(dialog, "callee");
  }

  #removeOldest(): void {
    for (const oldest of this.#dialogs.values()) return this.#remove(oldest);
  }

  #setTimer(dialog: TrackedDialog, at: Instant): void {
    if (dialog.timer) this.#queue.remove(dialog.timer);
    dialog.timer = this.#queue.add(at, dialog);
  }
}

function other(party: Party): Party {
  return party === "caller" ? "callee" : "caller";
}

function keyOf(callId: string, callerTag: string, calleeTag: string): string {
  return `${callId}\n${callerTag}\n${calleeTag}`;
}

/** BYE that was not merely challenged; 481 to anything (RFC 3261 12.2.1.2). */
function endsDialog(request: SipRequest, status: number): boolean {
  if (status < 200 || request.to.tag === undefined) return false;
  if (status === 481) return true;
  return request.method === "BYE" && status !== 401 && status !== 407;
}

/** For how long a 2xx promises the dialog to live without a refresh, s. */
function lifetimeOf(request: SipRequest, response: SipResponse): number | undefined {
  if (request.method === "INVITE" || request.method === "UPDATE") {
    const seconds = parseInt(response.headers.get("Session-Expires") ?? "", 10);
    return seconds > 0 ? seconds : undefined;
  }
  return request.method === "SUBSCRIBE" ? response.expires ?? request.expires : undefined;
}
