import type { SipRequest } from "../message/mod.ts";
import type { ClientEvent } from "./user_agent.ts";

export interface InfoSenderPort {
  /** The INFO, or undefined where the dialog takes none any more. */
  request(contentType: string, body: Uint8Array): SipRequest | undefined;
  send(request: SipRequest, listener: (event: ClientEvent) => void): void;
}

/** INFOs that wait; more are dropped, since nobody presses so many digits. */
const MAX_WAITING = 128;

/**
 * INFOs of a dialog, one at a time: on an unreliable transport two of them could overtake each
 * other, and the later CSeq would make the earlier one invalid (RFC 3261 12.2.2).
 */
export class InfoSender {
  readonly #port: InfoSenderPort;
  readonly #waiting: { readonly contentType: string; readonly body: string }[] = [];
  #isUnderWay = false;

  constructor(port: InfoSenderPort) {
    this.#port = port;
  }

  send(contentType: string, body: string): void {
    if (this.#waiting.length >= MAX_WAITING) return;
    this.#waiting.push({ contentType, body });
    if (!this.#isUnderWay) this.#next();
  }

  #next(): void {
    this.#isUnderWay = false;
    const info = this.#waiting.shift();
    const request = info &&
      this.#port.request(info.contentType, new TextEncoder().encode(info.body));
    if (!request) return void this.#waiting.splice(0);
    this.#isUnderWay = true;
    let isOver = false;
    this.#port.send(request, (event) => {
      if (isOver || event.type === "response" && event.response.status < 200) return;
      isOver = true;
      this.#next();
    });
  }
}
