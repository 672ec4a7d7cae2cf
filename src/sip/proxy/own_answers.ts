import { type Entropy, randomHex } from "../../core/entropy.ts";
import { createResponse, type SipRequest, type SipResponse } from "../message/mod.ts";
import type { StackInput } from "../stack_io.ts";
import type { ServerTransactionId } from "../transaction/ids.ts";
import { statelessTag } from "../transaction/matching.ts";
import type { Refusal } from "./proxy_io.ts";

/** Answers that the proxy gives as a user agent server (RFC 3261 8.2.6, 16.3). */
export class OwnAnswers {
  readonly #entropy: Entropy;
  readonly #product: string | undefined;
  readonly #tell: (input: StackInput) => void;

  constructor(
    entropy: Entropy,
    product: string | undefined,
    tell: (input: StackInput) => void,
  ) {
    this.#entropy = entropy;
    this.#product = product;
    this.#tell = tell;
  }

  newTag(): string {
    return randomHex(this.#entropy, 64);
  }

  refuse(id: ServerTransactionId, request: SipRequest, refusal: Refusal): void {
    const { status, reason, headers = [] } = refusal;
    // Whoever has proven nothing yet costs no memory, and no repetitions (RFC 3261 26.3.2.4).
    const isStateless = status === 401 || status === 407;
    const toTag = isStateless ? statelessTag(request) : this.newTag();
    this.respond(id, createResponse(request, status, reason, { toTag, headers }), isStateless);
  }

  /** What is passed on, and does not come this way, keeps the headers that it has. */
  respond(id: ServerTransactionId, response: SipResponse, isStateless = false): void {
    if (this.#product !== undefined) response.headers.set("Server", this.#product);
    this.#tell({ type: "respond", id, response, isStateless });
  }
}
