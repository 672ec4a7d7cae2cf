import type { Clock } from "../../core/clock.ts";
import type { Dialog } from "../dialog/dialog.ts";
import { createResponse, type SipRequest, type SipResponse } from "../message/mod.ts";
import type { ServerTransactionId } from "../stack.ts";
import { allowOf } from "./allow.ts";
import { SDP, sdpBody, type UsageEvent, type UsageHooks } from "./usage_events.ts";
import type { UsageOptions } from "./usage_options.ts";
import type { UserAgent } from "./user_agent.ts";

/** The four words that a dialog begins with (RFC 3261 12.1), as far as they are ours to give. */
export interface UsageNames {
  readonly callId: string;
  readonly localTag: string;
  readonly localUri: string;
  readonly remoteUri: string;
}

/** What the parts of one INVITE usage share: its names, its dialog, and how it answers. */
export class UsageCore {
  readonly agent: UserAgent;
  readonly clock: Clock;
  readonly hooks: UsageHooks;
  readonly names: UsageNames;
  readonly emit: (event: UsageEvent) => void;
  /** UAC: from the 2xx on; UAS: from the first response on that makes one. */
  dialog: Dialog | undefined;
  remoteTag: string | null = null;
  /** A BYE has gone or come, or nobody cares any more. */
  isEnded = false;

  constructor(options: UsageOptions, names: UsageNames, emit: (event: UsageEvent) => void) {
    this.agent = options.agent;
    this.clock = options.clock;
    this.hooks = options.hooks ?? {};
    this.names = names;
    this.emit = emit;
  }

  /** The dialog, where requests may still be sent in it. */
  get confirmed(): Dialog | undefined {
    return this.isEnded || this.dialog?.state !== "confirmed" ? undefined : this.dialog;
  }

  /** A response with all that this user agent has to say in one of its kind (RFC 3261 12.1.1). */
  response(request: SipRequest, status: number, body: string | null): SipResponse {
    const response = createResponse(request, status, undefined, {
      toTag: this.names.localTag,
      recordRoute: status < 300,
    });
    if (status > 100 && status < 300) {
      response.headers.set("Contact", `<${this.agent.contact}>`);
      if (request.method === "INVITE" || request.method === "UPDATE") {
        response.headers.set("Allow", allowOf(this.hooks).join(", "));
        response.headers.set("Supported", this.agent.extensions);
      }
    }
    if (body !== null) {
      response.headers.set("Content-Type", SDP);
      response.body = sdpBody(body).bytes;
    }
    return response;
  }

  /** Answers without a description. */
  respond(
    id: ServerTransactionId,
    request: SipRequest,
    status: number,
    headers: Iterable<readonly [string, string]> = [],
  ): void {
    const response = this.response(request, status, null);
    for (const [name, value] of headers) response.headers.set(name, value);
    this.agent.respond(id, response);
  }
}
