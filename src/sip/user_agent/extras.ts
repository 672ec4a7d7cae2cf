import type { Dialog } from "../dialog/dialog.ts";
import type { SipRequest } from "../message/mod.ts";
import type { ServerTransactionId } from "../stack.ts";
import { allowOf } from "./allow.ts";
import { IncomingRefer, readReferTo, sipfragStatus } from "./refer.ts";
import type { UsageCore } from "./usage_core.ts";
import { bodyOf } from "./usage_events.ts";

/** What may go on inside a call beside its session: INFO, and transfers both ways (RFC 3515). */
export class Extras {
  readonly #core: UsageCore;
  /** Transfers that nobody may have answered yet. */
  readonly #refers = new Set<IncomingRefer>();

  constructor(core: UsageCore) {
    this.#core = core;
  }

  /** A request that is no one else's. */
  receive(id: ServerTransactionId, request: SipRequest): void {
    const { info, refer, referProgress } = this.#core.hooks;
    const answer = (status: number, headers: Iterable<readonly [string, string]> = []) =>
      this.#core.respond(id, request, status, headers);
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
    const dialog = this.#core.confirmed;
    if (request.method === "REFER" && refer && dialog) {
      return this.#receiveRefer(request, dialog, refer, answer);
    }
    answer(405, [["Allow", allowOf(this.#core.hooks).join(", ")]]);
  }

  refer(target: string): void {
    const dialog = this.#core.confirmed;
    if (!dialog) return;
    const { agent, names } = this.#core;
    const request = dialog.request("REFER", {
      contact: `<${agent.contact}>`,
      headers: [["Refer-To", `<${target}>`], ["Referred-By", `<${names.localUri}>`]],
    });
    agent.request(request, (event) => {
      const status = event.type === "failed" ? 408 : event.response.status;
      if (status >= 300) this.#core.hooks.referProgress?.(status);
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
      agent: this.#core.agent,
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
