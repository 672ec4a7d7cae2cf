import {
  decodeText,
  parseMessage,
  type SipMessage,
  type SipRequest,
  validate,
} from "../message/mod.ts";
import type { WireInput } from "../stack_io.ts";

/** What the guard wants to know of what comes in. */
export type Peek =
  /** Cannot be read; perhaps of no SIP at all. */
  | { readonly kind: "malformed" }
  /** Answers, ACK, and requests inside dialogs. */
  | { readonly kind: "standing" }
  /** Begins something; `request` to answer it, not to act on. */
  | {
    readonly kind: "new";
    readonly method: string;
    readonly request: () => SipRequest | undefined;
  };

const RESPONSE = "SIP/2.0 ";
const REGISTER = "REGISTER ";

/**
 * Looks at a message no closer than needed: registrations, by far the most of what comes, by their
 * first bytes alone.
 */
export function peek(input: Exclude<WireInput, { type: "flow-closed" }>): Peek {
  if (input.type === "receive-framed") {
    return input.event.type === "message" ? judge(input.event.message) : { kind: "malformed" };
  }
  const { bytes } = input;
  if (startsWith(bytes, RESPONSE)) return { kind: "standing" };
  if (startsWith(bytes, REGISTER)) {
    const request = () => {
      const parsed = parseMessage(bytes);
      return parsed.ok && parsed.value.kind === "request" ? parsed.value : undefined;
    };
    return { kind: "new", method: "REGISTER", request };
  }
  const parsed = parseMessage(bytes);
  if (parsed.ok) return judge(parsed.value);
  // A keep-alive is no fault.
  return parsed.error.kind === "empty" ? { kind: "standing" } : { kind: "malformed" };
}

function judge(message: SipMessage): Peek {
  if (message.kind === "response") return { kind: "standing" };
  const { method } = message;
  if (method === "ACK" || method === "CANCEL") return { kind: "standing" };
  if (!validate(message).ok) return { kind: "malformed" };
  if (message.to.tag !== undefined) return { kind: "standing" };
  return { kind: "new", method, request: () => message };
}

/** What the guard wants to know of what goes out. */
export type Sent =
  | { readonly kind: "response"; readonly status: number; method(): string; callId(): string }
  | { readonly kind: "bye"; callId(): string }
  | { readonly kind: "other" };

const CSEQ_METHOD = /^CSeq[ \t]*:[ \t]*\d+[ \t]+([^ \t\r\n]+)/im;
const CALL_ID = /^(?:Call-ID|i)[ \t]*:[ \t]*([^ \t\r\n]+)/im;
/** No header of interest stands behind this many bytes in what we write. */
const HEAD_BYTES = 8192;

export function peekSent(bytes: Uint8Array): Sent {
  let text: string | undefined;
  const find = (pattern: RegExp) => {
    text ??= decodeText(bytes.subarray(0, HEAD_BYTES));
    return pattern.exec(text)?.[1] ?? "";
  };
  const callId = () => find(CALL_ID);
  if (startsWith(bytes, RESPONSE)) {
    const digit = (at: number) => (bytes[RESPONSE.length + at] ?? 0x30) - 0x30;
    const status = digit(0) * 100 + digit(1) * 10 + digit(2);
    return { kind: "response", status, method: () => find(CSEQ_METHOD), callId };
  }
  return startsWith(bytes, "BYE ") ? { kind: "bye", callId } : { kind: "other" };
}

function startsWith(bytes: Uint8Array, text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    if (bytes[at] !== text.charCodeAt(at)) return false;
  }
  return true;
}
