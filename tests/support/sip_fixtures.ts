import {
  createResponse,
  parseMessage,
  SipRequest,
  type SipResponse,
} from "../../src/sip/message/mod.ts";
import type { Flow, SipTransport } from "../../src/sip/flow.ts";
import type { FlowId } from "../../src/core/ids.ts";

/** Messages and flows for tests of the SIP room. */

export function flow(id: string, transport: SipTransport = "UDP"): Flow {
  return { id: id as FlowId, transport, remote: `test:${id}` };
}

export interface RequestOptions {
  readonly uri?: string;
  readonly branch?: string;
  readonly from?: string;
  readonly to?: string;
  readonly callId?: string;
  readonly sequence?: number;
  /** Whole header lines. */
  readonly extra?: readonly string[];
  readonly via?: string;
  readonly maxForwards?: number | null;
  readonly body?: string;
}

/** A request as text, line ends and all. */
export function requestText(method: string, options: RequestOptions = {}): string {
  const body = options.body ?? "";
  const maxForwards = options.maxForwards === undefined ? 70 : options.maxForwards;
  return [
    `${method} ${options.uri ?? "sip:bob@example.com"} SIP/2.0`,
    options.via ?? `Via: SIP/2.0/UDP alice.test:5060;branch=${options.branch ?? "z9hG4bK1"}`,
    ...(maxForwards === null ? [] : [`Max-Forwards: ${maxForwards}`]),
    `From: ${options.from ?? "<sip:alice@example.com>;tag=a"}`,
    `To: ${options.to ?? "<sip:bob@example.com>"}`,
    `Call-ID: ${options.callId ?? "call-1"}`,
    `CSeq: ${options.sequence ?? 1} ${method}`,
    ...options.extra ?? [],
    `Content-Length: ${new TextEncoder().encode(body).length}`,
    "",
    body,
  ].join("\r\n");
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

export function request(method: string, options: RequestOptions = {}): SipRequest {
  const parsed = parseMessage(bytesOf(requestText(method, options)));
  if (!parsed.ok) throw new Error(`fixture does not parse: ${parsed.error.text}`);
  if (!(parsed.value instanceof SipRequest)) throw new Error("fixture is no request");
  return parsed.value;
}

export function response(
  to: SipRequest,
  status: number,
  toTag = "b",
  headers: [string, string][] = [],
): SipResponse {
  return createResponse(to, status, undefined, { toTag, headers });
}
