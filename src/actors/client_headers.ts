/** Which headers nobody may add to an INVITE of ours: neither clients nor operators. */

/**
 * Headers that make the dialog, its routing, its body, its credentials or somebody's identity:
 * ours alone to set. Lower case. One letter: a compact form of one of these.
 */
const OWN_HEADERS: ReadonlySet<string> = new Set([
  ...["via", "from", "to", "call-id", "cseq", "contact", "max-forwards", "route", "record-route"],
  ...["require", "supported", "unsupported", "allow", "allow-events", "accept", "accept-encoding"],
  ...["accept-language", "accept-contact", "reject-contact", "request-disposition"],
  ...["expires", "min-expires", "session-expires", "min-se", "rack", "rseq", "event"],
  ...["subscription-state", "mime-version", "authorization", "authentication-info"],
  ...["www-authenticate", "remote-party-id", "identity", "identity-info", "privacy", "diversion"],
  ...["history-info", "replaces", "join", "refer-to", "referred-by", "refer-sub", "target-dialog"],
  ...["path", "service-route", "date", "timestamp", "server", "user-agent", "reason"],
  ...["warning", "retry-after", "error-info", "security-client", "security-server"],
  ...["security-verify", "geolocation", "geolocation-routing", "geolocation-error"],
  ...["answer-mode", "priv-answer-mode", "max-breadth", "flow-timer", "session-id"],
]);
/** Families of such headers; `x-pz-` is our own between proxy and session. */
const OWN_PREFIXES = ["p-", "proxy-", "content-", "security-", "x-pz-"];

export function isOwnHeader(name: string): boolean {
  const lower = name.toLowerCase();
  return lower.length === 1 || OWN_HEADERS.has(lower) ||
    OWN_PREFIXES.some((prefix) => lower.startsWith(prefix));
}
