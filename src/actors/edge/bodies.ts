import type { SipMessage } from "../../sip/message/mod.ts";
import { encodeText } from "../../sip/message/text.ts";
import { stripEndpointTokens } from "../../sdp/mod.ts";

/** Bodies of SIP messages as the edge looks at them. */

const SDP = "application/sdp";
const FAST_UPDATE = "application/media_control+xml";
/** Methods whose bodies elements of ours read as descriptions. */
const DESCRIBING = new Set(["INVITE", "ACK", "PRACK", "UPDATE"]);
const OWN_MARK = /x-pz-/i;
const BOUNDARY = /;\s*boundary=(?:"([^"]{1,70})"|([^\s;"]{1,70}))/i;
const MAX_PARTS = 20;
const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Whether a description in this message is about the media of a dialog; of valid messages only. */
export function describes(message: SipMessage): boolean {
  return message.body.length > 0 && DESCRIBING.has(message.cseq.method);
}

/** The description that a message carries, alone or as a part of several (RFC 5621). */
export function sdpOf(message: SipMessage): string | undefined {
  if (message.body.length === 0) return undefined;
  const type = message.contentType;
  if (type === SDP) return decoder.decode(message.body);
  if (type?.startsWith("multipart/")) return partOf(message);
  // RFC 3261 20.15 wants a type; some phones forget it.
  if (type === undefined && DESCRIBING.has(message.cseq.method)) {
    return decoder.decode(message.body);
  }
  return undefined;
}

/** A copy of the message with this description as its whole body. */
export function withSdp<M extends SipMessage>(message: M, text: string): M {
  const copy = message.clone() as M;
  copy.headers.set("Content-Type", SDP);
  copy.headers.remove("Content-Encoding");
  copy.headers.remove("MIME-Version");
  copy.body = encodeText(text);
  return copy;
}

export function withoutBody<M extends SipMessage>(message: M): M {
  const copy = message.clone() as M;
  for (const name of ["Content-Type", "Content-Encoding", "Content-Disposition", "MIME-Version"]) {
    copy.headers.remove(name);
  }
  copy.body = new Uint8Array(0);
  return copy;
}

/**
 * The message without attributes that mean something inside the process only. What carries none,
 * and text that merely speaks of them in a method that is not about media, stays byte for byte.
 */
export function cleaned<M extends SipMessage>(message: M): M {
  if (message.body.length === 0 || !DESCRIBING.has(message.cseq.method)) return message;
  const text = decoder.decode(message.body);
  if (!OWN_MARK.test(text)) return message;
  const description = sdpOf(message);
  return description === undefined
    ? withoutBody(message)
    : withSdp(message, stripEndpointTokens(description));
}

/** Whether an INFO asks for a key frame (RFC 5168). */
export function asksForKeyFrame(message: SipMessage): boolean {
  return message.kind === "request" && message.method === "INFO" &&
    message.contentType === FAST_UPDATE &&
    decoder.decode(message.body).includes("picture_fast_update");
}

/** Type and body of an INFO that asks a phone for a key frame (RFC 5168 7.1). */
export function keyFrameRequest(): { contentType: string; bytes: Uint8Array } {
  const text = '<?xml version="1.0" encoding="utf-8"?>\r\n' +
    "<media_control><vc_primitive><to_encoder><picture_fast_update/></to_encoder>" +
    "</vc_primitive></media_control>\r\n";
  return { contentType: FAST_UPDATE, bytes: encoder.encode(text) };
}

/** The first description among the parts of a multipart body (RFC 2046 5.1). */
function partOf(message: SipMessage): string | undefined {
  const boundary = BOUNDARY.exec(message.headers.get("Content-Type") ?? "");
  const mark = boundary?.[1] ?? boundary?.[2];
  if (mark === undefined) return undefined;
  const parts = `\r\n${decoder.decode(message.body)}`.split(`\r\n--${mark}`);
  for (const part of parts.slice(1, MAX_PARTS)) {
    const blank = part.indexOf("\r\n\r\n");
    if (blank < 0) continue;
    const head = part.slice(0, blank);
    if (/^content-type:\s*application\/sdp\b/im.test(head)) return `${part.slice(blank + 4)}\r\n`;
  }
  return undefined;
}
