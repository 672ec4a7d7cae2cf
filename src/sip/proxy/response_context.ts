import type { Flow } from "../flow.ts";
import { createResponse, HeaderList, SipRequest, SipResponse } from "../message/mod.ts";
import type { FailureReason } from "../transaction/effects.ts";
import type { ClientTransactionId, ServerTransactionId } from "../transaction/ids.ts";
import type { Target, TargetGroups } from "./target.ts";

/** What a response context asks of its proxy. */
export type ContextEffect =
  /** Upstream, on the server transaction. */
  | { readonly type: "forward"; readonly response: SipResponse }
  | {
    readonly type: "cancel";
    readonly branch: ClientTransactionId;
    readonly reason: string | undefined;
  }
  /** Starts or restarts timer C (RFC 3261 16.6 step 11, 16.7 step 2); `ms` where it is shorter. */
  | {
    readonly type: "set-timer-c";
    readonly branch: ClientTransactionId;
    readonly ms?: number;
  }
  | { readonly type: "clear-timer-c"; readonly branch: ClientTransactionId }
  /** Nothing useful to say upstream (RFC 4320 4.2). */
  | { readonly type: "abandon" }
  /** Asks these targets, all at once. */
  | { readonly type: "fork"; readonly targets: readonly Target[] }
  /** A 3xx to follow: `redirected` is owed. */
  | { readonly type: "redirect"; readonly response: SipResponse };

interface Branch {
  readonly id: ClientTransactionId;
  readonly target: Target;
  final: SipResponse | undefined;
  /** Timer C ran out: its 487 means that nobody answered. */
  timedOut: boolean;
  cancelled: boolean;
  /** It has not said that the call goes on, and others would stand in for it. */
  isSilent: boolean;
  /** The stack has nothing more to say of it. */
  terminated: boolean;
}

const ANSWERED_ELSEWHERE = 'SIP;cause=200;text="Call completed elsewhere"';

export interface ContextOptions {
  readonly id: ServerTransactionId;
  readonly request: SipRequest;
  /** Where it came from. */
  readonly flow: Flow;
  /** To tag of responses that the proxy makes itself. */
  readonly localTag: string;
  /** At least one target. */
  readonly groups: TargetGroups;
  /** How long a group rings while others wait behind it, ms. */
  readonly groupRingMs: number;
  /** How many 3xx are followed; 0: they go to the caller. */
  readonly redirections: number;
}

/**
 * One request on its way through a stateful proxy: its server transaction, the branches it was
 * forked to, and which response goes back (RFC 3261 16.7 to 16.10).
 */
export class ResponseContext {
  readonly id: ServerTransactionId;
  /** Where the request came from. */
  readonly flow: Flow;
  #request: SipRequest;
  #isSettled = false;
  readonly #localTag: string;
  readonly #groupRingMs: number;
  readonly #branches = new Map<ClientTransactionId, Branch>();
  /** Groups that are still to be asked. */
  #later: (readonly Target[])[];
  /** Redirections that may still be followed. */
  #redirections: number;
  /** A final response went upstream, or nobody is there to hear one. */
  #answered = false;
  #cancelled = false;
  /** Somebody said no for all places (6xx). */
  #declined = false;
  #serverTerminated = false;

  constructor(options: ContextOptions) {
    this.id = options.id;
    this.#request = options.request;
    this.flow = options.flow;
    this.#localTag = options.localTag;
    this.#groupRingMs = options.groupRingMs;
    this.#later = [...options.groups];
    this.#redirections = options.redirections;
  }

  /** Asks the first group. */
  start(out: ContextEffect[]): void {
    this.#forkNext(out);
  }

  /** Once all is said: no more of it than says what it was, and of which dialog. */
  get request(): SipRequest {
    return this.#request;
  }

  /** Nothing more can happen here. */
  get isOver(): boolean {
    if (!this.#serverTerminated) return false;
    for (const branch of this.#branches.values()) if (!branch.terminated) return false;
    return true;
  }

  /** To be called for all branches before the first response arrives. */
  addBranch(id: ClientTransactionId, target: Target, out: ContextEffect[]): void {
    const { failover, alternates = [] } = target;
    const isSilent = this.#isInvite && failover !== undefined && alternates.length > 0;
    this.#branches.set(id, {
      id,
      target,
      final: undefined,
      timedOut: false,
      cancelled: false,
      isSilent,
      terminated: false,
    });
    if (!this.#isInvite) return;
    if (isSilent) return void out.push({ type: "set-timer-c", branch: id, ms: failover.silentMs });
    const ms = this.#later.length > 0 ? this.#groupRingMs : undefined;
    out.push({ type: "set-timer-c", branch: id, ...(ms === undefined ? {} : { ms }) });
  }

  response(id: ClientTransactionId, response: SipResponse, out: ContextEffect[]): void {
    const branch = this.#branches.get(id);
    if (!branch) return;
    const { status } = response;
    const { failover } = branch.target;
    if (branch.isSilent && failover) {
      branch.isSilent = status === 100;
      const limit = branch.isSilent ? { ms: failover.progressMs } : {};
      out.push({ type: "set-timer-c", branch: id, ...limit });
    }
    if (status < 200) {
      if (status === 100 || branch.final) return;
      // While others wait, ringing does not buy more time.
      const restarts = this.#isInvite && this.#later.length === 0 && !branch.cancelled;
      if (restarts) out.push({ type: "set-timer-c", branch: id });
      if (!this.#answered) out.push({ type: "forward", response: withoutTopVia(response) });
      return;
    }
    out.push({ type: "clear-timer-c", branch: id });
    branch.final ??= response;
    if (status < 300) {
      // Each 2xx to an INVITE goes up, also after the first: the caller must know (16.7 step 5).
      if (!this.#answered || this.#isInvite) {
        this.#answered = true;
        out.push({ type: "forward", response: withoutTopVia(response) });
      }
      this.#cancelOthers(id, ANSWERED_ELSEWHERE, out);
      return this.#settle();
    }
    if (branch.timedOut && status === 487) branch.final = this.#own(408);
    if (status >= 600) {
      this.#declined = true;
      this.#cancelOthers(id, `SIP;cause=${status}`, out);
    }
    // 430: this flow of the device is gone, not the device (RFC 5626 11.5).
    if (status === 430 && this.#tryAlternate(branch, out)) return;
    const isBroken = status === 408 || (status >= 500 && status < 600);
    if (isBroken && failover && this.#tryAlternate(branch, out)) return;
    if (status < 400 && this.#redirections > 0 && !this.#isDone) {
      this.#redirections--;
      out.push({ type: "redirect", response });
      return;
    }
    this.#answerIfAllDone(out);
  }

  /**
   * Where a `redirect` leads: asked next, before those that wait; none: the 3xx counts as it is.
   */
  redirected(targets: readonly Target[], out: ContextEffect[]): void {
    if (targets.length > 0 && !this.#isDone) this.#later.unshift(targets);
    this.#answerIfAllDone(out);
  }

  /** A branch ended without a final response. */
  failed(id: ClientTransactionId, reason: FailureReason, out: ContextEffect[]): void {
    const branch = this.#branches.get(id);
    if (!branch || branch.final) return;
    out.push({ type: "clear-timer-c", branch: id });
    // A flow that is gone is a person who is not there, not a fault of ours (RFC 5626 5.3).
    const status = this.#cancelled ? 487 : reason === "timeout" ? 408 : 480;
    branch.final = this.#own(status);
    if (this.#tryAlternate(branch, out)) return;
    this.#answerIfAllDone(out);
  }

  /** The caller cancelled, or is gone. */
  cancel(reason: string | undefined, out: ContextEffect[]): void {
    this.#cancelled = true;
    this.#cancelOthers(undefined, reason, out);
  }

  /** The server transaction failed: nobody listens any more. */
  abandoned(out: ContextEffect[]): void {
    const wasAnswered = this.#answered;
    this.#answered = true;
    if (!wasAnswered) this.cancel(undefined, out);
  }

  timerC(id: ClientTransactionId, out: ContextEffect[]): void {
    const branch = this.#branches.get(id);
    if (!branch || branch.final) return;
    branch.timedOut = true;
    this.#cancelBranch(branch, undefined, out);
    if (!branch.isSilent || this.#cancelled) return;
    // Whatever it says later: another stands in for it now.
    branch.isSilent = false;
    branch.final = this.#own(408);
    if (!this.#tryAlternate(branch, out)) this.#answerIfAllDone(out);
  }

  branchTerminated(id: ClientTransactionId): void {
    const branch = this.#branches.get(id);
    if (branch) branch.terminated = true;
  }

  serverTerminated(): void {
    this.#serverTerminated = true;
  }

  get #isInvite(): boolean {
    return this.request.method === "INVITE";
  }

  /** Nothing more is to be tried. */
  get #isDone(): boolean {
    return this.#answered || this.#cancelled || this.#declined;
  }

  #forkNext(out: ContextEffect[]): boolean {
    const targets = this.#isDone ? undefined : this.#later.shift();
    if (targets) out.push({ type: "fork", targets });
    return targets !== undefined;
  }

  /** The next flow of the same device, where it has one (RFC 5626 7). */
  #tryAlternate(branch: Branch, out: ContextEffect[]): boolean {
    const [next, ...alternates] = branch.target.alternates ?? [];
    if (!next || this.#isDone) return false;
    out.push({ type: "fork", targets: [{ ...next, alternates }] });
    return true;
  }

  #cancelOthers(
    except: ClientTransactionId | undefined,
    reason: string | undefined,
    out: ContextEffect[],
  ): void {
    if (!this.#isInvite) return;
    for (const branch of this.#branches.values()) {
      if (branch.id !== except) this.#cancelBranch(branch, reason, out);
    }
  }

  #cancelBranch(branch: Branch, reason: string | undefined, out: ContextEffect[]): void {
    if (branch.final || branch.cancelled) return;
    branch.cancelled = true;
    out.push({ type: "clear-timer-c", branch: branch.id });
    out.push({ type: "cancel", branch: branch.id, reason });
  }

  #answerIfAllDone(out: ContextEffect[]): void {
    if (this.#answered) return this.#settle();
    const finals: SipResponse[] = [];
    for (const { final } of this.#branches.values()) {
      if (!final) return;
      finals.push(final);
    }
    if (this.#forkNext(out)) return;
    this.#answered = true;
    const best = chooseBest(finals);
    if (best.status === 408 && !this.#isInvite) out.push({ type: "abandon" });
    else out.push({ type: "forward", response: this.#outgoing(best, finals) });
    this.#settle();
  }

  /** Transactions linger; what was read of their messages need not. */
  #settle(): void {
    if (this.#isSettled || !this.#answered) return;
    for (const { final } of this.#branches.values()) if (!final) return;
    this.#isSettled = true;
    for (const branch of this.#branches.values()) branch.final = SETTLED;
    // What the last NOTIFY says is looked at when it is through.
    if (this.#request.method !== "NOTIFY") this.#request = bare(this.#request);
  }

  /** The best response as it goes upstream: steps 6 (503), 7 (challenges) and 3 (Via) of 16.7. */
  #outgoing(best: SipResponse, finals: readonly SipResponse[]): SipResponse {
    if (best.status === 503) return this.#own(500);
    const isOwn = best.topVia.toString() === this.request.topVia.toString();
    const response = isOwn ? best : withoutTopVia(best);
    if (best.status !== 401 && best.status !== 407) return response;
    for (const other of finals) {
      if (other === best || (other.status !== 401 && other.status !== 407)) continue;
      for (const name of ["WWW-Authenticate", "Proxy-Authenticate"]) {
        for (const value of other.headers.getAll(name)) response.headers.append(name, value);
      }
    }
    return response;
  }

  #own(status: number): SipResponse {
    return createResponse(this.request, status, undefined, { toTag: this.#localTag });
  }
}

/** Stands for any final response once none of them matters any more. */
const SETTLED = new SipResponse(200);
const NAMES = ["From", "To", "Call-ID", "CSeq"];
const NO_BODY = new Uint8Array(0);

function bare({ method, uri, headers }: SipRequest): SipRequest {
  const kept = new HeaderList(NAMES.flatMap((name) => headers.field(name) ?? []));
  return new SipRequest(method, uri, kept, NO_BODY);
}

/** Statuses that tell the caller how to try again: first among the 4xx (16.7 step 6). */
const HELPFUL = new Set([401, 407, 415, 420, 484]);

/**
 * The response that a forked request gets (16.7 step 6): a 6xx if there is one, else of the lowest
 * class, the helpful ones first, and what somebody said before what nobody did.
 */
export function chooseBest(finals: readonly SipResponse[]): SipResponse {
  const rank = ({ status }: SipResponse): number => {
    if (status >= 600) return 0;
    const silent = status === 408 || status === 480 || status === 503 ? 2 : 1;
    return Math.floor(status / 100) * 10 + (HELPFUL.has(status) ? 0 : silent);
  };
  return finals.reduce((best, other) => rank(other) < rank(best) ? other : best);
}

function withoutTopVia(response: SipResponse): SipResponse {
  const copy = response.clone();
  copy.headers.removeFirstValue("Via");
  return copy;
}
