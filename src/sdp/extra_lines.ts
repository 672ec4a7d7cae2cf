import { err, ok, type Result } from "../core/result.ts";
import { OWN_ATTRIBUTE_PREFIX, type SdpFault } from "./model.ts";

/** Most lines an application may add to the SIP leg, and their length, characters. */
const MAX_EXTRA_LINES = 32;
const MAX_EXTRA_LINE_LENGTH = 1_024;
const BANDWIDTH = /^b=(?:AS|TIAS|CT|RR|RS):\d{1,10}$/;
const ATTRIBUTE = /^a=([A-Za-z0-9!#$%&'*+.^_`{|}~-]+)(?::|$)/;
// deno-lint-ignore no-control-regex -- control characters are what it looks for
const CONTROL = /[\x00-\x1f\x7f\u2028\u2029]/;

/** Attributes that negotiation and transport own; a client that sets them would break its call. */
const RESERVED = new Set([
  "bundle-only",
  "candidate",
  "cryptex",
  "crypto",
  "dtls-id",
  "end-of-candidates",
  "extmap",
  "extmap-allow-mixed",
  "fingerprint",
  "fmtp",
  "group",
  "identity",
  "inactive",
  "key-mgmt",
  "maxptime",
  "mid",
  "msid",
  "msid-semantic",
  "ptime",
  "recvonly",
  "remote-candidates",
  "rid",
  "rtcp",
  "rtcp-fb",
  "rtcp-mux",
  "rtcp-mux-only",
  "rtcp-rsize",
  "rtpmap",
  "sendonly",
  "sendrecv",
  "setup",
  "simulcast",
  "ssrc",
  "ssrc-group",
  "tls-id",
  "zrtp-hash",
]);

/**
 * Checks lines that an application adds to the SDP of the SIP leg (`sipSDP` of the Web SDK): `b=`
 * and session attributes that are not ours to set. All or nothing.
 */
export function checkSipSdp(lines: readonly string[]): Result<readonly string[], SdpFault> {
  if (lines.length > MAX_EXTRA_LINES) {
    return refuse(`sipSDP has ${lines.length} lines; at most ${MAX_EXTRA_LINES} are taken`);
  }
  for (const line of lines) {
    const shown = JSON.stringify(line.slice(0, 60));
    if (line.length > MAX_EXTRA_LINE_LENGTH) {
      return refuse(`sipSDP line ${shown} is longer than ${MAX_EXTRA_LINE_LENGTH} characters`);
    }
    if (CONTROL.test(line)) return refuse(`sipSDP line ${shown} contains control characters`);
    if (BANDWIDTH.test(line)) continue;
    const name = ATTRIBUTE.exec(line)?.[1]?.toLowerCase();
    if (name === undefined) {
      return refuse(`sipSDP line ${shown} is neither "b=<type>:<number>" nor "a=<name>[:<value>]"`);
    }
    if (name.startsWith(OWN_ATTRIBUTE_PREFIX) || name.startsWith("ice-") || RESERVED.has(name)) {
      return refuse(`sipSDP line ${shown} sets "${name}", which the server sets itself`);
    }
  }
  return ok(lines);
}

function refuse(text: string): Result<never, SdpFault> {
  return err({ reason: "unsupported", text });
}
