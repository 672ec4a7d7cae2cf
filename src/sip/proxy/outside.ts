import type { Result } from "../../core/result.ts";
import type { Flow } from "../flow.ts";
import { serialize, type SipRequest, type SipResponse, type SipUri } from "../message/mod.ts";
import { type Target as HopTarget, targetsForSize } from "../resolve/target.ts";
import type { StackInput, StackOutput } from "../stack_io.ts";
import { type ClientTransactionId, clientTransactionId } from "../transaction/ids.ts";

/** What finding the way to a place outside asks of the shell. Each is answered once, by its id. */
export type OutsideEffect =
  | { readonly type: "resolve"; readonly id: number; readonly uri: SipUri }
  | { readonly type: "connect"; readonly id: number; readonly target: HopTarget };

export type OutsideInput =
  | {
    readonly type: "resolved";
    readonly id: number;
    /** Best first; the fault is a sentence. */
    readonly result: Result<readonly HopTarget[], string>;
  }
  | { readonly type: "connected"; readonly id: number; readonly result: Result<Flow, string> };

/** One branch that leads outside. */
export interface OutsideRequest {
  readonly branch: ClientTransactionId;
  /** Whom to look up: topmost route or Request-URI (RFC 3263 4). */
  readonly uri: SipUri;
  /** The copy that goes out on this flow; the stack adds the Via. */
  readonly create: (flow: Flow) => SipRequest;
  /** As it came in, to know how large it is. */
  readonly original: SipRequest;
  readonly branchSuffix: string;
}

export interface OutsideOptions {
  readonly effect: (effect: OutsideEffect) => void;
  readonly tell: (input: StackInput) => void;
  /** The branch ended without a transaction that could say so. */
  readonly failed: (branch: ClientTransactionId) => void;
}

/** What Via, Record-Route and Route of ours add to a request, at most or so, bytes. */
const ADDED_BYTES = 300;

interface Search extends OutsideRequest {
  readonly id: number;
  /** Not tried yet; null before they are known. */
  left: HopTarget[] | null;
  /** The transaction under way. */
  attempt: ClientTransactionId | undefined;
  attempts: number;
  cancelled: boolean;
}

/**
 * Branches to places that are not on a flow of ours: looked up, connected, and where one target
 * does not take the request (no connection, no answer, 503) the next one is tried (RFC 3263 4.3).
 * To the response context all of that is one branch.
 */
export class OutsideBranches {
  readonly #options: OutsideOptions;
  readonly #searches = new Map<number, Search>();
  readonly #byBranch = new Map<ClientTransactionId, Search>();
  /** Also of attempts that were given up, until the stack has done with them. */
  readonly #byAttempt = new Map<ClientTransactionId, Search>();
  #serial = 0;

  constructor(options: OutsideOptions) {
    this.#options = options;
  }

  /** Branches under way. */
  get size(): number {
    return this.#byBranch.size;
  }

  start(request: OutsideRequest): void {
    const search: Search = {
      ...request,
      id: ++this.#serial,
      left: null,
      attempt: undefined,
      attempts: 0,
      cancelled: false,
    };
    this.#searches.set(search.id, search);
    this.#byBranch.set(search.branch, search);
    this.#options.effect({ type: "resolve", id: search.id, uri: search.uri });
  }

  handle(input: OutsideInput): void {
    const search = this.#searches.get(input.id);
    if (!search) return;
    if (input.type === "connected") {
      if (input.result.ok) this.#send(search, input.result.value);
      else this.#next(search);
      return;
    }
    const bytes = serialize(search.original).length + ADDED_BYTES;
    search.left = input.result.ok ? [...targetsForSize(input.result.value, bytes)] : [];
    this.#next(search);
  }

  /** Whether the CANCEL of a branch is dealt with here; else `input` is for the stack. */
  cancel(input: Extract<StackInput, { type: "cancel" }>): boolean {
    const search = this.#byBranch.get(input.id);
    if (!search) return false;
    search.cancelled = true;
    if (search.attempt === undefined) this.#giveUp(search);
    else this.#options.tell({ ...input, id: search.attempt });
    return true;
  }

  /**
   * An output of the stack as the response context is to see it; undefined where it concerns an
   * attempt only.
   */
  translate(output: StackOutput): StackOutput | undefined {
    if (
      output.type !== "response" && output.type !== "failed" && output.type !== "terminated"
    ) return output;
    const search = this.#byAttempt.get(output.id as ClientTransactionId);
    if (!search) return output;
    const isCurrent = search.attempt === output.id;
    if (output.type === "terminated") {
      this.#byAttempt.delete(output.id as ClientTransactionId);
      if (!isCurrent) return undefined;
      this.#forget(search);
      return { ...output, id: search.branch };
    }
    if (!isCurrent) return undefined;
    const isOver = output.type === "failed" || isUnavailable(output.response);
    if (isOver && !search.cancelled && (search.left?.length ?? 0) > 0) {
      search.attempt = undefined;
      this.#next(search);
      return undefined;
    }
    return { ...output, id: search.branch };
  }

  #next(search: Search): void {
    const target = search.left?.shift();
    if (target) this.#options.effect({ type: "connect", id: search.id, target });
    else this.#giveUp(search);
  }

  #send(search: Search, flow: Flow): void {
    const { branch, branchSuffix, create } = search;
    const id = search.attempts++ === 0
      ? branch
      : clientTransactionId(`${branch}.${search.attempts}`);
    search.attempt = id;
    this.#byAttempt.set(id, search);
    this.#options.tell({ type: "request", id, request: create(flow), flow, branchSuffix });
  }

  #giveUp(search: Search): void {
    this.#forget(search);
    this.#options.failed(search.branch);
  }

  #forget(search: Search): void {
    this.#searches.delete(search.id);
    this.#byBranch.delete(search.branch);
  }
}

function isUnavailable({ status }: SipResponse): boolean {
  return status === 503;
}
