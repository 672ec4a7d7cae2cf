import assert from "node:assert/strict";
import type { Result } from "../../../src/core/result.ts";
import { encodeText, parseMessage, type SipRequest } from "../../../src/sip/message/mod.ts";

/** The value of a result that must be one. */
export function value<T, E>(result: Result<T, E>): T {
  assert.ok(result.ok, result.ok ? "" : `unexpected fault: ${JSON.stringify(result.error)}`);
  return result.value;
}

/** The fault of a result that must be one. */
export function fault<T, E>(result: Result<T, E>): E {
  assert.ok(!result.ok, "expected a fault");
  return result.error;
}

/** Bytes of a message given as lines, the empty line after the head included. */
export function wire(lines: readonly string[], body = ""): Uint8Array {
  return encodeText([...lines, "", body].join("\r\n"));
}

/** A sound INVITE's header lines; `better` replaces lines by name, null takes one out. */
export function lines(
  better: Readonly<Record<string, string | null>> = {},
  startLine = "INVITE sip:bob@example.net SIP/2.0",
): string[] {
  const headers: Record<string, string | null> = {
    "Via": "SIP/2.0/UDP client.example.org:5061;branch=z9hG4bK74bf9;rport",
    "Max-Forwards": "70",
    "From": '"Alice" <sip:alice@example.org>;tag=9fxced76sl',
    "To": "<sip:bob@example.net>",
    "Call-ID": "3848276298220188511@client.example.org",
    "CSeq": "2 INVITE",
    "Contact": "<sip:alice@client.example.org:5061;transport=udp>",
    ...better,
  };
  const out = [startLine];
  for (const [name, text] of Object.entries(headers)) {
    if (text !== null) out.push(`${name}: ${text}`);
  }
  return out;
}

/** The request that these lines make. */
export function request(
  better: Readonly<Record<string, string | null>> = {},
  startLine?: string,
): SipRequest {
  const message = value(parseMessage(wire(lines(better, startLine))));
  assert.equal(message.kind, "request");
  return message as SipRequest;
}
