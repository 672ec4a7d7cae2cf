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

export type Framed = Extract<WireInput, { type: "receive-framed" }>;

/** Reads a datagram. */
export function frame({ flow, bytes }: Extract<WireInput, { type: "receive" }>): Framed {
  const parsed = parseMessage(bytes);
  const event = parsed.ok
    ? { type: "message", message: parsed.value } as const
    : { type: "fault", fault: parsed.error } as const;
  return { type: "receive-framed", flow, event, bytes };
}

/**
 * Looks at a message no closer than needed: registrations, by far the most of what comes, by their
 * first bytes alone.
 * @param read reads it, once and for all
 */
export function peek(
  input: Exclude<WireInput, { type: "flow-closed" }>,
  read: () => Framed,
): Peek {
  if (input.type === "receive") {
    if (startsWith(input.bytes, RESPONSE)) return { kind: "standing" };
    if (startsWith(input.bytes, REGISTER)) {
      const request = () => {
        const { event } = read();
        const isRequest = event.type === "message" && event.message.kind === "request";
        return isRequest ? event.message : undefined;
      };
      return { kind: "new", method: "REGISTER", request };
    }
  }
  const { event } = read();
  if (event.type === "message") return judge(event.message);
  // A keep-alive is no fault.
  return event.fault.kind === "empty" ? { kind: "standing" } : { kind: "malformed" };
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

const CSEQ_METHOD = /^\s*\d+[ \t]+([^ \t\r\n]+)/;
const CALL_ID = /^\s*([^ \t\r\n]+)/;
/** No header of interest stands behind this many bytes in what we write. */
const HEAD_BYTES = 8192;
/** Nor is its value longer than this. */
const VALUE_BYTES = 512;

export function peekSent(bytes: Uint8Array): Sent {
  const callId = () => CALL_ID.exec(valueOf(bytes, "call-id", "i"))?.[1] ?? "";
  if (startsWith(bytes, RESPONSE)) {
    const digit = (at: number) => (bytes[RESPONSE.length + at] ?? 0x30) - 0x30;
    const status = digit(0) * 100 + digit(1) * 10 + digit(2);
    return {
      kind: "response",
      status,
      method: () => CSEQ_METHOD.exec(valueOf(bytes, "cseq"))?.[1] ?? "",
      callId,
    };
  }
  return startsWith(bytes, "BYE ") ? { kind: "bye", callId } : { kind: "other" };
}

const CR = 0x0d;
const LF = 0x0a;
const COLON = 0x3a;

/** The first lines of the value of the first header field of these names, which are lower case. */
function valueOf(bytes: Uint8Array, ...names: readonly string[]): string {
  const end = Math.min(bytes.length, HEAD_BYTES);
  for (let at = bytes.indexOf(LF) + 1; at > 0 && at < end && bytes[at] !== CR;) {
    for (const name of names) {
      const after = afterName(bytes, at, name);
      if (after > 0) {
        return decodeText(bytes.subarray(after, Math.min(after + VALUE_BYTES, bytes.length)));
      }
    }
    at = bytes.indexOf(LF, at) + 1;
  }
  return "";
}

/** Index after the colon where a field of this name begins at `at`, else 0. */
function afterName(bytes: Uint8Array, at: number, name: string): number {
  for (let i = 0; i < name.length; i++) {
    const byte = bytes[at + i]!;
    const lower = byte >= 0x41 && byte <= 0x5a ? byte + 0x20 : byte;
    if (lower !== name.charCodeAt(i)) return 0;
  }
  let colon = at + name.length;
  while (bytes[colon] === 0x20 || bytes[colon] === 0x09) colon++;
  return bytes[colon] === COLON ? colon + 1 : 0;
}

function startsWith(bytes: Uint8Array, text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    if (bytes[at] !== text.charCodeAt(at)) return false;
  }
  return true;
}
