import type { Clock, Timer } from "../../core/clock.ts";
import type { Flow } from "../flow.ts";
import type { SipRequest, SipResponse } from "../message/mod.ts";
import type { Way } from "./outside_way.ts";
import type { ClientEvent, ClientTransaction } from "./user_agent.ts";

export interface OutsideRequestPort {
  readonly clock: Clock;
  readonly way: Way;
  /** False once the user agent is closed. */
  isOpen(): boolean;
  /** A transaction on this flow. */
  send(
    request: SipRequest,
    flow: Flow,
    listener: (event: ClientEvent) => void,
  ): ClientTransaction;
  /** A place that was given up has answered an INVITE by 2xx after all. */
  refuse(request: SipRequest, response: SipResponse): void;
}

/** A place that says nothing for so long is given up where there is another one, ms. */
const SILENT_MS = 2_000;

interface Attempt {
  readonly request: SipRequest;
  readonly flow: Flow;
  transaction: ClientTransaction | undefined;
}

/**
 * A request to a server of others: to one of its places after the other where one can't be reached,
 * does not answer, or says 503 (RFC 3263 4.3). Who sent it hears of one request. Inside a dialog
 * there is one place only.
 */
export class OutsideRequest implements ClientTransaction {
  readonly #request: SipRequest;
  readonly #port: OutsideRequestPort;
  readonly #listener: (event: ClientEvent) => void;
  readonly #tried: Flow[] = [];
  #attempt: Attempt | undefined;
  /** What the place tried last has come to. */
  #last: ClientEvent | undefined;
  #timer: Timer | undefined;
  #isCancelled = false;

  constructor(
    request: SipRequest,
    port: OutsideRequestPort,
    listener: (event: ClientEvent) => void,
  ) {
    this.#request = request;
    this.#port = port;
    this.#listener = listener;
    this.#next();
  }

  cancel(reason?: string): void {
    this.#isCancelled = true;
    this.#stopWaiting();
    this.#attempt?.transaction?.cancel(reason);
  }

  #next(): void {
    const { way } = this.#port;
    way.connect(this.#request, (connected, hasMore) => {
      if (connected.ok && !this.#isCancelled && this.#port.isOpen()) {
        return this.#send(connected.value, hasMore);
      }
      const text = connected.ok ? "It was cancelled before it was sent" : connected.error;
      this.#listener(this.#last ?? { type: "failed", reason: "transport", text });
    }, this.#tried);
  }

  #send(flow: Flow, hasMore: boolean): void {
    this.#tried.push(flow);
    const request = this.#request.clone();
    const mayLeave = hasMore && request.to.tag === undefined;
    const attempt: Attempt = { request, flow, transaction: undefined };
    this.#attempt = attempt;
    if (mayLeave) this.#waitFor(attempt);
    // What it comes to may be known before this returns.
    attempt.transaction = this.#port.send(
      request,
      flow,
      (event) => this.#hear(attempt, mayLeave, event),
    );
  }

  #waitFor(attempt: Attempt): void {
    this.#timer = this.#port.clock.setTimeout(() => {
      this.#timer = undefined;
      this.#leave(attempt, { type: "failed", reason: "timeout" });
      // Not before it says anything (RFC 3261 9.1); then it is told that nobody waits.
      if (attempt.request.method === "INVITE") attempt.transaction?.cancel();
    }, SILENT_MS);
  }

  #hear(attempt: Attempt, mayLeave: boolean, event: ClientEvent): void {
    if (attempt !== this.#attempt) return this.#hearLate(attempt, event);
    this.#stopWaiting();
    const isGone = event.type === "failed" || event.response.status === 503;
    const told = this.#worded(event);
    if (isGone && mayLeave && !this.#isCancelled) return this.#leave(attempt, told);
    if (isGone) this.#port.way.avoid(attempt.flow);
    this.#listener(told);
  }

  #leave({ flow }: Attempt, event: ClientEvent): void {
    this.#port.way.avoid(flow);
    this.#attempt = undefined;
    this.#last = this.#worded(event);
    this.#next();
  }

  #hearLate({ request }: Attempt, event: ClientEvent): void {
    if (event.type !== "response" || request.method !== "INVITE") return;
    const { status } = event.response;
    if (status >= 200 && status < 300) this.#port.refuse(request, event.response);
  }

  #worded(event: ClientEvent): ClientEvent {
    if (event.type === "response" || event.text !== undefined) return event;
    const { remote } = this.#port.way;
    const text = event.reason === "timeout"
      ? `${remote} does not answer`
      : `The connection to ${remote} broke`;
    return { ...event, text };
  }

  #stopWaiting(): void {
    if (this.#timer !== undefined) this.#port.clock.clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
