import type { Flow } from "../../sip/flow.ts";
import { serialize, type SipMessage, type SipResponse } from "../../sip/message/mod.ts";
import type { EdgePorts } from "./contract.ts";
import type { Side } from "./exchange.ts";

/** A message on its way over the edge. `bytes`: as it stands, where that is known. */
export interface Passing {
  readonly side: Side;
  readonly flow: Flow;
  readonly message: SipMessage;
  readonly bytes?: Uint8Array;
}

/** The two ways out of the edge: to the far end of a flow, and to the element inside. */
export class Crossing {
  readonly #ports: Pick<EdgePorts, "toElement" | "toWire">;

  constructor(ports: Pick<EdgePorts, "toElement" | "toWire">) {
    this.#ports = ports;
  }

  /** On to the other side; `passing` is what has become of the item's message. */
  send({ side, flow, message, bytes }: Passing, passing: SipMessage): void {
    if (side === "wire") return this.toElement(flow, passing);
    const isUntouched = passing === message && bytes !== undefined;
    this.#ports.toWire(flow, isUntouched ? bytes : serialize(passing), passing);
  }

  /** Back to where the request came from. The element gets its own: ours may be said again. */
  answer(side: Side, flow: Flow, response: SipResponse): void {
    if (side === "wire") this.#ports.toWire(flow, serialize(response), response);
    else this.toElement(flow, response.clone());
  }

  toElement(flow: Flow, message: SipMessage): void {
    this.#ports.toElement({ type: "receive-framed", flow, event: { type: "message", message } });
  }
}
