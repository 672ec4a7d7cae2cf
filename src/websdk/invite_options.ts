import type { Result } from "../core/result.ts";
import { isOwnHeader } from "../actors/client_headers.ts";
import { ok } from "../core/result.ts";
import type { FieldFault } from "./validation.ts";
import { fault, isOneLine } from "./validation.ts";

/** What a client may add to its INVITE: headers and SDP lines, neither of which make the call. */

const MAX_PARAMETERS = 32;
const MAX_SDP_LINES = 16;
const MAX_LINE = 512;

/** RFC 3261 25.1 `token`. */
const TOKEN = /^[A-Za-z0-9\-.!%*_+`'~]{1,64}$/;

/** SDP lines that may be added; the rest of the description is negotiated. */
const SDP_LINE = /^(?:[bi]=|a=[A-Za-z0-9!#$%&'*+\-.^_`{|}~]+(?::|$)).*$/;
/** Attributes by which media are negotiated, secured or routed. Lower case. */
const OWN_ATTRIBUTES: ReadonlySet<string> = new Set([
  ...["rtpmap", "fmtp", "rtcp-fb", "rtcp", "rtcp-mux", "rtcp-mux-only", "rtcp-rsize", "extmap"],
  ...["extmap-allow-mixed", "mid", "group", "bundle-only", "msid", "msid-semantic", "ssrc"],
  ...["ssrc-group", "rid", "simulcast", "setup", "connection", "fingerprint", "tls-id", "crypto"],
  ...["key-mgmt", "identity", "candidate", "remote-candidates", "end-of-candidates", "ice-ufrag"],
  ...["ice-pwd", "ice-lite", "ice-options", "ice-pacing", "ice-mismatch"],
  ...["sendrecv", "sendonly", "recvonly", "inactive", "ptime", "maxptime", "acap", "pcfg", "acfg"],
]);

/** `inviteParameters` of mobile and legacy clients, as header names and values. */
export function checkInviteParameters(
  value: unknown,
): Result<Readonly<Record<string, string>>, FieldFault> {
  const field = "inviteParameters";
  if (value === undefined || value === null || value === "") return ok({});
  if (typeof value !== "object" || Array.isArray(value)) {
    return fault(field, "must be an object of header names and values");
  }
  const entries = Object.entries(value).filter(([, content]) => content !== null);
  if (entries.length > MAX_PARAMETERS) {
    return fault(field, `has ${entries.length} entries, and ${MAX_PARAMETERS} are allowed`);
  }
  const headers: Record<string, string> = {};
  for (const [name, content] of entries) {
    if (!TOKEN.test(name)) {
      return fault(field, `${quote(name)} is no header name: it must be a token (RFC 3261 25.1)`);
    }
    if (isOwnHeader(name)) {
      return fault(field, `the header ${quote(name)} is set by the server and by nobody else`);
    }
    if (!["string", "number", "boolean"].includes(typeof content)) {
      return fault(field, `the value of ${quote(name)} must be text`);
    }
    const line = String(content);
    if (!isOneLine(line, MAX_LINE)) {
      return fault(
        field,
        `the value of ${quote(name)} must be one line of at most ${MAX_LINE} characters ` +
          "without control characters",
      );
    }
    // Defined, not assigned: a parameter named __proto__ is a name like any other.
    Object.defineProperty(headers, name, { value: line, enumerable: true });
  }
  return ok(headers);
}

/** `sipSDP`: extra lines for the SIP leg's description, such as `b=AS:64`. */
export function checkSipSdp(value: unknown): Result<readonly string[], FieldFault> {
  const field = "sipSDP";
  if (value === undefined || value === null || value === "") return ok([]);
  const lines: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (lines.length > MAX_SDP_LINES) {
    return fault(field, `has ${lines.length} lines, and ${MAX_SDP_LINES} are allowed`);
  }
  const checked: string[] = [];
  for (const line of lines) {
    if (typeof line !== "string") return fault(field, "must be a list of lines of text");
    if (!isOneLine(line, MAX_LINE)) {
      return fault(
        field,
        `${quote(line)} must be one line of at most ${MAX_LINE} characters ` +
          "without control characters",
      );
    }
    if (!SDP_LINE.test(line)) {
      return fault(field, `${quote(line)} is not allowed: lines may begin with b=, i= or a=`);
    }
    const attribute = /^a=([^:]+)/.exec(line)?.[1]?.toLowerCase();
    if (attribute !== undefined && isOwnAttribute(attribute)) {
      return fault(field, `the attribute ${quote(attribute)} is negotiated by the server`);
    }
    checked.push(line);
  }
  return ok(checked);
}

function isOwnAttribute(name: string): boolean {
  return OWN_ATTRIBUTES.has(name) || name.startsWith("x-pz-");
}

/** What a client wrote, short and in ASCII, for a sentence about it. */
function quote(text: string): string {
  const short = text.length > 40 ? `${text.slice(0, 40)}...` : text;
  return JSON.stringify(short).replace(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
