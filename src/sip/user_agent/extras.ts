import type { Dialog } from "../dialog/dialog.ts";
import { ALLOW } from "../dialog/requests.ts";
import type { SipRequest } from "../message/mod.ts";
import type { ServerTransactionId } from "../stack.ts";
import { IncomingRefer, readReferTo, sipfragStatus } from "./refer.ts";
import { bodyOf, type UsageHooks } from "./usage_events.ts";
import type { UserAgent } from "./user_agents.ts";

export interface ExtrasPort {
  readonly agent: UserAgent;
  readonly localUri: string;
  /** The dialog, where requests may still be sent. */
  dialog(): Dialog | undefined;
  respond(
    id: ServerTransactionId,
    request: SipRequest,
    status: number,
    headers: Iterable<readonly [string, string]>,
  ): void;
}

/** What a call takes. */
export function allowOf({ info, refer, referProgress }: UsageHooks = {}): string[] {
  return [
    ...ALLOW,
    ...(info ? ["INFO"] : []),
    ...(refer ? ["REFER"] : []),
    ...(referProgress ? ["NOTIFY"] : []),
  ];
}

/** What may go on inside a call beside its session: INFO, and transfers both ways (RFC 3515). */
export class Extras {
  readonly #port: ExtrasPort;
  readonly #hooks: UsageHooks;
  /** Transfers that nobody may have answered yet. */
  readonly #refers = new Set<IncomingRefer>();

  constructor(port: ExtrasPort, hooks: UsageHooks) {
    this.#port = port;
    this.#hooks = hooks;
  }

  /** A request that is no one else's. */
  receive(id: ServerTransactionId, request: SipRequest): void {
    const { info, refer, referProgress } = this.#hooks;
    const answer = (status: number, headers: Iterable<readonly [string, string]> = []) =>
      this.#port.respond(id, request, status, headers);
    if (request.method === "INFO" && info) {
      const content = { contentType: request.contentType ?? "", body: bodyOf(request) ?? "" };
      return answer(info(content) ? 200 : 415);
    }
    if (request.method === "NOTIFY" && referProgress) {
      const event = request.headers.get("Event")?.replace(/\s*;.*/s, "").toLowerCase();
      if (event !== "refer") return answer(489, [["Allow-Events", "refer"]]);
      answer(200);
      const status = sipfragStatus(request);
      return status === undefined ? undefined : referProgress(status);
    }
    const dialog = this.#port.dialog();
    if (request.method === "REFER" && refer && dialog) {
      return this.#receiveRefer(request, dialog, refer, answer);
    }
    answer(405, [["Allow", allowOf(this.#hooks).join(", ")]]);
  }

  info(contentType: string, body: string): void {
    const dialog = this.#port.dialog();
    if (!dialog) return;
    const bytes = new TextEncoder().encode(body);
    this.#port.agent.request(dialog.request("INFO", { body: { contentType, bytes } }), () => {});
  }

  refer(target: string): void {
    const dialog = this.#port.dialog();
    if (!dialog) return;
    const { agent, localUri } = this.#port;
    const request = dialog.request("REFER", {
      contact: `<${agent.contact}>`,
      headers: [["Refer-To", `<${target}>`], ["Referred-By", `<${localUri}>`]],
    });
    agent.request(request, (event) => {
      const status = event.type === "failed" ? 408 : event.response.status;
      if (status >= 300) this.#hooks.referProgress?.(status);
    });
  }

  /** Who still waits for an answer gets one (RFC 3261 15.1.2). */
  settle(): void {
    for (const refer of this.#refers) refer.refuse(487);
  }

  #receiveRefer(
    request: SipRequest,
    dialog: Dialog,
    refer: (asked: IncomingRefer) => void,
    answer: (status: number, headers?: Iterable<readonly [string, string]>) => void,
  ): void {
    const target = readReferTo(request);
    if (!target.ok) return answer(400);
    const asked = new IncomingRefer(target.value, {
      agent: this.#port.agent,
      dialog,
      refer: request,
      respond: (status, headers) => {
        this.#refers.delete(asked);
        answer(status, headers);
      },
    });
    this.#refers.add(asked);
    refer(asked);
  }
}
