import { encodeText } from "../../../src/sip/message/mod.ts";

/** Messages with the traps of RFC 4475, in words of our own. */

export type Lines = Readonly<Record<string, string | null>>;

/** Bytes of these lines, the empty one after the head included. */
export function raw(lines: readonly string[], body: string | Uint8Array = ""): Uint8Array {
  const head = encodeText([...lines, "", ""].join("\r\n"));
  const tail = typeof body === "string" ? encodeText(body) : body;
  const out = new Uint8Array(head.length + tail.length);
  out.set(head);
  out.set(tail, head.length);
  return out;
}

let serial = 0;

/** A sound request; `better` replaces lines by name, null takes one out. */
export function request(
  start: string,
  better: Lines = {},
  body: string | Uint8Array = "",
): Uint8Array {
  const method = start.split(" ")[0]!;
  const size = typeof body === "string" ? encodeText(body).length : body.length;
  const id = ++serial;
  const lines: Record<string, string | null> = {
    "Via": `SIP/2.0/UDP phone.example.org;branch=z9hG4bKtrap${id}`,
    "Max-Forwards": "70",
    "From": `<sip:ann@example.org>;tag=t${id}`,
    "To": "<sip:ben@example.org>",
    "Call-ID": `trap-${id}@phone.example.org`,
    "CSeq": `${id} ${method}`,
    "Contact": "<sip:ann@phone.example.org>",
    "Content-Length": String(size),
    ...better,
  };
  const fields = Object.entries(lines).flatMap(([name, value]) =>
    value === null ? [] : [`${name}: ${value}`]
  );
  return raw([start, ...fields], body);
}

export function response(start: string, better: Lines = {}): Uint8Array {
  return request(start, { "CSeq": "9 INVITE", "To": "<sip:ben@example.org>;tag=x", ...better });
}

export const SDP = [
  "v=0",
  "o=ann 1 1 IN IP4 192.0.2.9",
  "s=-",
  "c=IN IP4 192.0.2.9",
  "t=0 0",
  "m=audio 4000 RTP/AVP 0",
  "",
].join("\r\n");

const SDP_TYPE = { "Content-Type": "application/sdp" };

export function invite(better: Lines = {}, start = "INVITE sip:ben@example.org SIP/2.0") {
  return request(start, { ...SDP_TYPE, ...better }, SDP);
}

export function register(better: Lines = {}, start = "REGISTER sip:example.org SIP/2.0") {
  return request(start, { "To": "<sip:ann@example.org>", ...better });
}

export function options(better: Lines = {}, start = "OPTIONS sip:ben@example.org SIP/2.0") {
  return request(start, better);
}
