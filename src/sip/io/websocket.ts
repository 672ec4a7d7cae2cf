import type { FlowId } from "../../core/ids.ts";
import type { Flow } from "../flow.ts";
import type { WireInput, WireSocket, WireSocketHandler } from "./contract.ts";
import type { TransportLimits } from "./limits.ts";

export interface WebSocketHost {
  readonly limits: TransportLimits;
  onInput(input: WireInput): void;
  /** Once, and last. */
  onClosed(flow: FlowId): void;
}

/** RFC 6455 7.4.1. */
const CLOSE = { tooLarge: 1009, tooSlow: 1008 } as const;

const PING = "\r\n\r\n";
const PONG = "\r\n";

/** One WebSocket that carries SIP: each of its messages is one of ours (RFC 7118 4). */
export class SipWebSocket implements WireSocketHandler {
  readonly flow: Flow;
  readonly #socket: WireSocket;
  readonly #host: WebSocketHost;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #isClosed = false;

  constructor(socket: WireSocket, flow: Flow, host: WebSocketHost) {
    this.#socket = socket;
    this.flow = flow;
    this.#host = host;
  }

  receive(text: string): void {
    // Some clients keep alive like on TCP, beside WebSocket's own pings.
    if (text === PING) return this.#socket.send(PONG);
    this.receiveBytes(new TextEncoder().encode(text));
  }

  receiveBytes(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    const most = this.#host.limits.messageBytes;
    if (bytes.length > most) {
      return this.close(CLOSE.tooLarge, `Messages are limited to ${most} bytes`);
    }
    this.#host.onInput({ type: "receive", flow: this.flow, bytes });
  }

  send(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    const { backlogBytes } = this.#host.limits;
    if (this.#socket.bufferedAmount + bytes.length > backlogBytes) {
      return this.close(CLOSE.tooSlow, "The far end reads too slowly");
    }
    this.#socket.send(this.#frame(bytes));
  }

  close(code?: number, reason?: string): void {
    this.#socket.close(code, reason);
    this.closed();
  }

  closed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#host.onClosed(this.flow.id);
  }

  /** Text where it is text: not all clients take binary frames (RFC 7118 4.2). */
  #frame(bytes: Uint8Array): string | Uint8Array<ArrayBuffer> {
    try {
      return this.#decoder.decode(bytes);
    } catch {
      return new Uint8Array(bytes);
    }
  }
}
