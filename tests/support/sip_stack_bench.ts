import assert from "node:assert/strict";
import { SeededEntropy } from "../../src/core/entropy.ts";
import { ManualClock } from "../../src/core/manual_clock.ts";
import { Driver } from "../../src/core/sans_io.ts";
import type { Flow, SipTransport } from "../../src/sip/flow.ts";
import { serialize, type SipMessage, type SipResponse } from "../../src/sip/message/mod.ts";
import { clientTransactionId, SipStack, type StackOutput } from "../../src/sip/stack.ts";
import type { StackInput } from "../../src/sip/stack_io.ts";
import { bytesOf, flow, request, response } from "./sip_fixtures.ts";

/** One stack, one flow, a clock; what was sent as `+ms WHAT`. */
export class Bench {
  readonly clock = new ManualClock();
  readonly stack: SipStack;
  readonly flow: Flow;
  readonly ladder: string[] = [];
  readonly sent: SipMessage[] = [];
  readonly heard: Exclude<StackOutput, { type: "send" }>[] = [];
  readonly #driver: Driver<StackInput, StackOutput>;

  constructor(
    transport: SipTransport = "UDP",
    userAgent = false,
    maxTransactions = 1000,
    share = 500,
  ) {
    this.flow = flow("f", transport);
    const entropy = new SeededEntropy(1);
    const sentBy = "us.test:5060";
    this.stack = new SipStack({
      entropy,
      sentBy,
      userAgent,
      maxTransactions,
      shares: { most: share, sourceOf: ({ id }) => id },
    });
    this.#driver = new Driver(this.stack, this.clock, (output) => this.#take(output));
  }

  feed(input: StackInput): void {
    this.#driver.feed(input);
  }

  receive(message: string | SipResponse): void {
    const bytes = typeof message === "string" ? bytesOf(message) : serialize(message);
    this.feed({ type: "receive", flow: this.flow, bytes });
  }

  /** What was heard of one type, and only those. */
  of<T extends StackOutput["type"]>(type: T): Extract<StackOutput, { type: T }>[] {
    return this.heard.filter((o): o is never => o.type === type);
  }

  last(): SipMessage {
    const last = this.sent.at(-1);
    assert.ok(last, "something was sent");
    return last;
  }

  #take(output: StackOutput): void {
    if (output.type !== "send") {
      this.heard.push(output);
      return;
    }
    const { message } = output;
    this.sent.push(message);
    const what = message.kind === "request" ? message.method : String(message.status);
    this.ladder.push(`+${this.clock.now()} ${what}`);
  }
}

export const ID = clientTransactionId("c1");

export function sendInvite(bench: Bench): void {
  bench.feed({ type: "request", id: ID, request: request("INVITE"), flow: bench.flow });
}

/** The answer to what the stack sent last under this method. */
export function answer(bench: Bench, method: string, status: number): SipResponse {
  const sent = bench.sent.findLast((m) => m.kind === "request" && m.method === method);
  assert.ok(sent?.kind === "request", `a ${method} was sent`);
  return response(sent, status);
}

/** By so much later, at most, the end of what lingers comes. */
export const MOMENT_MS = 128;
