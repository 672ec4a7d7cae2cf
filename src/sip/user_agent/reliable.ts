import type { Clock, Timer } from "../../core/clock.ts";
import type { Dialog } from "../dialog/dialog.ts";
import type { SipRequest, SipResponse } from "../message/mod.ts";
import { DEFAULT_TIMERS, transactionTimeout } from "../transaction/timers.ts";

/** Reliable provisional responses (RFC 3262), one class a side. */

export const RELIABLE = "100rel";

/** Whether a request knows, or demands, an extension. */
export function knows(request: SipRequest, extension: string): "demands" | "knows" | "no" {
  const has = (name: string) =>
    request.headers.getAll(name).some((tag) => tag.toLowerCase() === extension);
  return has("Require") ? "demands" : has("Supported") ? "knows" : "no";
}

/** The caller's side: in what order reliable provisionals of one early dialog count (4). */
export class ReliableReceiver {
  #last: number | undefined;

  /**
   * RAck of the PRACK to send. `null`: not reliable, take it as it is; undefined: a repetition, or
   * one that came before its predecessor, which is dropped and will come again.
   */
  receive(response: SipResponse): string | null | undefined {
    const demands = response.headers.getAll("Require").some((t) => t.toLowerCase() === RELIABLE);
    const text = response.headers.get("RSeq") ?? "";
    if (!demands || !/^\d{1,10}$/.test(text)) return null;
    const sequence = Number(text);
    if (this.#last !== undefined && sequence !== this.#last + 1) return undefined;
    this.#last = sequence;
    return `${sequence} ${response.cseq.sequence} ${response.cseq.method}`;
  }
}

interface Pending {
  readonly response: SipResponse;
  readonly hasSession: boolean;
}

export interface ReliableSenderPort {
  readonly clock: Clock;
  send(response: SipResponse): void;
  /** No PRACK in 64*T1: the INVITE is to be refused (3). */
  unacknowledged(): void;
  /** First RSeq, 1 to 2^31 - 1. */
  readonly firstSequence: number;
}

/** The callee's side: one at a time, repeated until its PRACK (3). */
export class ReliableSender {
  readonly #port: ReliableSenderPort;
  readonly #waiting: Pending[] = [];
  #sequence: number;
  #pending: (Pending & { readonly rack: string }) | undefined;
  #interval = 0;
  #timer: Timer | undefined;
  #elapsed = 0;
  #then: (() => void) | undefined;

  constructor(port: ReliableSenderPort) {
    this.#port = port;
    this.#sequence = port.firstSequence;
  }

  send(response: SipResponse, hasSession: boolean): void {
    this.#waiting.push({ response, hasSession });
    this.#next();
  }

  /** A 2xx must wait while a session description is under way. */
  whenSettled(then: () => void): void {
    const hasSession = this.#pending?.hasSession || this.#waiting.some((p) => p.hasSession);
    if (hasSession) this.#then = then;
    else then();
  }

  /** Whether the RAck of a PRACK names what was sent; else 481. */
  acknowledge(prack: SipRequest): boolean {
    const rack = (prack.headers.get("RAck") ?? "").trim().replace(/\s+/g, " ");
    if (rack !== this.#pending?.rack) return false;
    this.#stop();
    this.#next();
    const then = this.#pending ? undefined : this.#then;
    if (then) {
      this.#then = undefined;
      then();
    }
    return true;
  }

  /** A final response went out: nothing is repeated any more. */
  dispose(): void {
    this.#waiting.length = 0;
    this.#then = undefined;
    this.#stop();
  }

  #next(): void {
    if (this.#pending) return;
    const next = this.#waiting.shift();
    if (!next) return;
    const { response } = next;
    const { sequence, method } = response.cseq;
    response.headers.set("Require", RELIABLE);
    response.headers.set("RSeq", String(this.#sequence));
    this.#pending = { ...next, rack: `${this.#sequence++} ${sequence} ${method}` };
    this.#interval = DEFAULT_TIMERS.t1;
    this.#elapsed = 0;
    this.#transmit();
  }

  #transmit(): void {
    if (!this.#pending) return;
    this.#port.send(this.#pending.response);
    this.#timer = this.#port.clock.setTimeout(() => {
      this.#elapsed += this.#interval;
      this.#interval *= 2;
      if (this.#elapsed < transactionTimeout(DEFAULT_TIMERS)) return this.#transmit();
      this.dispose();
      this.#port.unacknowledged();
    }, this.#interval);
  }

  #stop(): void {
    if (this.#timer !== undefined) this.#port.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pending = undefined;
  }
}

/** One callee that has been heard of before the final response. */
export interface EarlyBranch {
  readonly dialog: Dialog;
  readonly receiver: ReliableReceiver;
}
