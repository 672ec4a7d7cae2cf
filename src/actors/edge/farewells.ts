import { type Entropy, randomHex } from "../../core/entropy.ts";
import { Driver } from "../../core/sans_io.ts";
import type { Flow } from "../../sip/flow.ts";
import type { SipMessage, SipRequest } from "../../sip/message/mod.ts";
import {
  clientTransactionId,
  SipStack,
  type StackInput,
  type StackOutput,
} from "../../sip/stack.ts";
import type { EdgePorts } from "./contract.ts";
import type { WireDialog } from "./wire_dialog.ts";

/**
 * Requests of the edge's own: BYEs to both wire sides of a call that has lost its media or that an
 * operator ends, since nobody else inside is a party to it; and OPTIONS to find out whether
 * somebody is still there. Their answers go no further.
 */
export class Farewells {
  readonly #entropy: Entropy;
  readonly #sentBy: string;
  readonly #stack: SipStack;
  readonly #driver: Driver<StackInput, StackOutput>;
  /** Branches under way, by transaction. */
  readonly #branches = new Map<string, string>();
  readonly #own = new Set<string>();
  /** Who wants to hear what a request has come to: its status, or undefined for no answer. */
  readonly #listeners = new Map<string, (status: number | undefined) => void>();
  #serial = 0;

  constructor(
    ports: Pick<EdgePorts, "clock" | "entropy" | "sentBy">,
    toWire: (flow: Flow, bytes: Uint8Array, message: SipMessage) => void,
  ) {
    const { entropy, sentBy = "localhost" } = ports;
    this.#entropy = entropy;
    this.#sentBy = sentBy;
    this.#stack = new SipStack({ entropy, sentBy });
    this.#driver = new Driver(this.#stack, ports.clock, (output) => {
      if (output.type === "send") {
        const { branch } = output.message.topVia;
        if (output.message.kind === "request" && branch !== undefined) this.#keep(branch);
        toWire(output.flow, output.bytes, output.message);
      } else if (output.type === "response") {
        if (output.response.status >= 200) this.#tell(output.id, output.response.status);
      } else if (output.type === "failed") this.#tell(output.id, undefined);
      else if (output.type === "terminated") this.#forget(output.id);
    });
  }

  /** Transactions under way. */
  get count(): number {
    return this.#branches.size + this.#stack.transactionCount;
  }

  say(flow: Flow, request: SipRequest, done?: (status: number | undefined) => void): void {
    const id = clientTransactionId(`farewell${++this.#serial}`);
    this.#branches.set(id, "");
    if (done) this.#listeners.set(id, done);
    this.#driver.feed({ type: "request", id, request, flow });
  }

  /** Asks whoever is at the far end whether he is there; `done` hears once, where he can be asked. */
  ask(dialog: WireDialog, done: (isThere: boolean) => void): void {
    const tag = randomHex(this.#entropy, 64);
    const ping = dialog.ping(randomHex(this.#entropy, 128), `<sip:${this.#sentBy}>;tag=${tag}`);
    // Whatever it says, it is there; only a proxy before it says 408 in its place.
    if (ping) this.say(dialog.flow, ping, (status) => done((status ?? 408) !== 408));
  }

  /** Takes an answer to one of ours; false for all other messages. */
  takes(flow: Flow, message: SipMessage): boolean {
    if (this.#own.size === 0 || message.kind === "request") return false;
    if (!this.#own.has(message.topVia.branch ?? "")) return false;
    this.#driver.feed({ type: "receive-framed", flow, event: { type: "message", message } });
    return true;
  }

  stop(): void {
    this.#driver.close();
  }

  #keep(branch: string): void {
    if (this.#own.has(branch)) return;
    this.#own.add(branch);
    for (const [id, known] of this.#branches) if (known === "") this.#branches.set(id, branch);
  }

  #tell(id: string, status: number | undefined): void {
    const listener = this.#listeners.get(id);
    this.#listeners.delete(id);
    listener?.(status);
  }

  #forget(id: string): void {
    this.#listeners.delete(id);
    this.#own.delete(this.#branches.get(id) ?? "");
    this.#branches.delete(id);
  }
}
