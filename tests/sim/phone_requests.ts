import { type Entropy, randomHex } from "../../src/core/entropy.ts";
import type { ManualClock } from "../../src/core/manual_clock.ts";
import { Driver } from "../../src/core/sans_io.ts";
import type { Flow } from "../../src/sip/flow.ts";
import type { SipRequest, SipResponse } from "../../src/sip/message/mod.ts";
import {
  clientTransactionId,
  type ServerTransactionId,
  SipStack,
  type StackInput,
  type StackOutput,
} from "../../src/sip/stack.ts";
import { authorize, type Credentials } from "../../src/sip/user_agent/credentials.ts";

export interface PhoneRequestsPort {
  readonly clock: ManualClock;
  readonly chance: Entropy;
  readonly flow: Flow;
  readonly credentials: Credentials;
  /** What the transaction layer says, responses and failures of requests excepted. */
  readonly hear: (output: StackOutput) => void;
  /** Whether a challenge of this request is to be met. */
  readonly wants: (id: string) => boolean;
  /** A request goes again, with credentials, under another id. */
  readonly again: (id: string, next: string, request: SipRequest) => void;
}

/** A phone's transaction layer: what it asks, with credentials where it is challenged. */
export class PhoneRequests {
  readonly #port: PhoneRequestsPort;
  readonly #stack: SipStack;
  readonly #driver: Driver<StackInput, StackOutput>;
  readonly #pending = new Map<string, (response: SipResponse | undefined) => void>();
  #serial = 0;

  constructor(port: PhoneRequestsPort) {
    this.#port = port;
    this.#stack = new SipStack({
      entropy: port.chance,
      sentBy: port.flow.remote,
      userAgent: true,
    });
    this.#driver = new Driver(this.#stack, port.clock, (output) => this.#hear(output));
  }

  get count(): number {
    return this.#stack.transactionCount;
  }

  receive(bytes: Uint8Array): void {
    this.#driver.feed({ type: "receive", flow: this.#port.flow, bytes });
  }

  stop(): void {
    this.#driver.close();
  }

  /** @param done each response; undefined: none will come */
  request(request: SipRequest, done: (response: SipResponse | undefined) => void): string {
    const id = `${this.#port.credentials.username}${++this.#serial}`;
    let tried = false;
    this.#pending.set(id, (response) => {
      const again = response && !tried && this.#port.wants(id) &&
        this.#authorized(request, response);
      if (!again) return done(response);
      tried = true;
      const next = `${id}a`;
      this.#pending.set(next, done);
      this.#port.again(id, next, again);
      this.#feed(next, again);
    });
    this.#feed(id, request);
    return id;
  }

  cancel(id: string): void {
    this.#driver.feed({ type: "cancel", id: clientTransactionId(id) });
  }

  ack(request: SipRequest): void {
    this.#driver.feed({ type: "ack", request, flow: this.#port.flow });
  }

  respond(id: ServerTransactionId, response: SipResponse): void {
    this.#driver.feed({ type: "respond", id, response });
  }

  /** A fresh tag or Call-ID. */
  token(): string {
    return randomHex(this.#port.chance, 64);
  }

  #hear(output: StackOutput): void {
    if (output.type === "response") return this.#pending.get(output.id)?.(output.response);
    if (output.type === "failed") return this.#pending.get(output.id)?.(undefined);
    this.#port.hear(output);
  }

  #feed(id: string, request: SipRequest): void {
    this.#driver.feed({
      type: "request",
      id: clientTransactionId(id),
      request: request.clone(),
      flow: this.#port.flow,
    });
  }

  #authorized(request: SipRequest, response: SipResponse): SipRequest | undefined {
    const answer = authorize(request, response, this.#port.credentials, this.token());
    if (!answer) return undefined;
    const next = request.clone();
    next.headers.set("CSeq", `${request.cseq.sequence + 1} ${request.method}`);
    next.headers.set(...answer.header);
    return next;
  }
}
