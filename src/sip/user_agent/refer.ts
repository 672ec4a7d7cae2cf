import { err, ok, type Result } from "../../core/result.ts";
import type { Dialog } from "../dialog/dialog.ts";
import { NameAddr, type SipRequest } from "../message/mod.ts";
import { reasonPhrase } from "../message/mod.ts";
import type { UserAgent } from "./user_agent.ts";

/** Where a REFER points (RFC 3515 2.1). */
export interface ReferTarget {
  /** Without the headers part. */
  readonly uri: string;
  /** `Replaces` of an attended transfer among them, unescaped. */
  readonly headers: readonly (readonly [string, string])[];
  readonly referredBy: string | null;
}

export function readReferTo(refer: SipRequest): Result<ReferTarget, string> {
  const fields = refer.headers.fields("Refer-To");
  if (fields.length !== 1) return err("REFER wants one Refer-To");
  const parsed = NameAddr.parse(fields[0]!.value);
  if (!parsed.ok) return parsed;
  const { uri } = parsed.value;
  if (!uri.isSip && uri.scheme !== "tel") return err("Refer-To of an unknown scheme");
  const referredBy = refer.headers.get("Referred-By") ?? null;
  return ok({ uri: uri.withoutHeaders().toString(), headers: uri.headers, referredBy });
}

export interface IncomingReferPort {
  readonly agent: UserAgent;
  readonly dialog: Dialog;
  readonly refer: SipRequest;
  respond(status: number, headers?: readonly (readonly [string, string])[]): void;
}

/** A transfer that the far side asks for: one answer, then progress until a final status. */
export class IncomingRefer {
  readonly target: ReferTarget;
  readonly #port: IncomingReferPort;
  #state: "asked" | "accepted" | "over" = "asked";

  constructor(target: ReferTarget, port: IncomingReferPort) {
    this.target = target;
    this.#port = port;
  }

  /** 202, and the first NOTIFY as RFC 3515 2.4.4 wants it. */
  accept(): void {
    if (this.#state !== "asked") return;
    const { refer } = this.#port;
    const wantsNone = refer.headers.get("Refer-Sub")?.toLowerCase().startsWith("false") ?? false;
    this.#port.respond(202, wantsNone ? [["Refer-Sub", "false"]] : []);
    this.#state = wantsNone ? "over" : "accepted";
    this.progress(100);
  }

  refuse(status: number): void {
    if (this.#state !== "asked") return;
    this.#state = "over";
    this.#port.respond(status);
  }

  /** Status of the new call; a final one ends it, and later ones are dropped. */
  progress(status: number): void {
    if (this.#state !== "accepted") return;
    const isFinal = status >= 200;
    if (isFinal) this.#state = "over";
    const { agent, dialog, refer } = this.#port;
    if (dialog.state === "terminated") return;
    const notify = dialog.request("NOTIFY", {
      contact: `<${agent.contact}>`,
      headers: [
        ["Event", `refer;id=${refer.cseq.sequence}`],
        ["Subscription-State", isFinal ? "terminated;reason=noresource" : "active;expires=60"],
      ],
      body: {
        contentType: "message/sipfrag;version=2.0",
        bytes: new TextEncoder().encode(`SIP/2.0 ${status} ${reasonPhrase(status)}\r\n`),
      },
    });
    agent.request(notify, () => {});
  }
}

/** Status in the body of a NOTIFY about a REFER of ours; undefined for none. */
export function sipfragStatus(notify: SipRequest): number | undefined {
  const text = new TextDecoder().decode(notify.body);
  const status = /^SIP\/2\.0 ([1-6]\d\d)/i.exec(text)?.[1];
  return status === undefined ? undefined : Number(status);
}
