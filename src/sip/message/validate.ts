import { err, ok, type Result } from "../../core/result.ts";
import type { HeaderField } from "./header_list.ts";
import {
  readCSeq,
  readNameAddr,
  readNameAddrs,
  readNumber,
  readVias,
  SIP_VERSION,
  type SipMessage,
  type SipRequest,
} from "./message.ts";
import type { NameAddr } from "./name_addr.ts";
import { BRANCH_COOKIE } from "./via.ts";

/** What is wrong, as a hint for the answer to a request; a response with a fault is dropped. */
export interface Fault {
  readonly status: 400 | 416 | 505;
  /** Reason phrase: one line that names the header, the value and what was expected. */
  readonly text: string;
}

const MANDATORY = ["via", "from", "to", "call-id", "cseq"] as const;
const SINGLE = ["from", "to", "call-id", "cseq", "max-forwards", "content-type"] as const;
type Counted = (typeof MANDATORY | typeof SINGLE)[number];
const SPELLING = {
  "via": "Via",
  "from": "From",
  "to": "To",
  "call-id": "Call-ID",
  "cseq": "CSeq",
  "max-forwards": "Max-Forwards",
  "content-type": "Content-Type",
};

/**
 * Everything that the typed getters of a message rely on (RFC 3261 8.1.1, 8.2, 16.3). Absent
 * Max-Forwards, branch and From tag pass: RFC 2543 has none.
 */
export function validate(message: SipMessage): Result<void, Fault> {
  if (isChecked(message)) return GOOD;
  const fault = findFault(message);
  if (fault !== undefined) return err(fault);
  const { headers } = message;
  const { method, uri } = startOf(message);
  message.checked = { headers, revision: headers.revision, method, uri };
  return GOOD;
}

const GOOD = ok(undefined);
const RESPONSE = { method: "", uri: "" };

function startOf(message: SipMessage): { readonly method: string; readonly uri: string } {
  return message.kind === "request" ? message : RESPONSE;
}

/** Whether nothing has changed since it was found good. */
function isChecked(message: SipMessage): boolean {
  const { checked, headers } = message;
  if (checked === undefined || checked.headers !== headers) return false;
  const { method, uri } = startOf(message);
  return checked.revision === headers.revision && checked.method === method && checked.uri === uri;
}

function findFault(message: SipMessage): Fault | undefined {
  if (message.version !== SIP_VERSION) return { status: 505, text: "Version Not Supported" };
  return fieldFault(message) ?? (message.kind === "request" ? requestFault(message) : undefined);
}

function bad(text: string): Fault {
  return { status: 400, text };
}

/** One pass over the fields: each is counted, and parsed once and for all. */
function fieldFault(message: SipMessage): Fault | undefined {
  let seen = 0;
  let twice = 0;
  let valueFault: Fault | undefined;
  for (const field of message.headers.entries()) {
    const known = KNOWN.get(field.key);
    if (known === undefined) continue;
    twice |= seen & known.bit;
    seen |= known.bit;
    const fault = known.check?.(field);
    if (fault !== undefined) valueFault ??= bad(`Bad ${field.name}: ${fault}`);
  }
  // What is missing or doubled comes first: then the values mean little.
  if ((seen & MANDATORY_BITS) !== MANDATORY_BITS) {
    const missing = MANDATORY.filter((key) => (seen & BITS[key]) === 0);
    return bad(`Missing ${missing.map((key) => SPELLING[key]).join(", ")}`);
  }
  const double = twice === 0 ? undefined : SINGLE.find((key) => (twice & BITS[key]) !== 0);
  return double === undefined ? valueFault : bad(`More than one ${SPELLING[double]}`);
}

type Check = (field: HeaderField) => string | undefined;

const CHECKS = new Map<string, Check>([
  ["via", viaFault],
  ["from", addressFault],
  ["to", addressFault],
  ["contact", (field) => field.value === "*" ? undefined : errorOf(field.parsed(readNameAddrs))],
  ["route", (field) => errorOf(field.parsed(readNameAddrs))],
  ["record-route", (field) => errorOf(field.parsed(readNameAddrs))],
  ["cseq", (field) => errorOf(field.parsed(readCSeq))],
  ["call-id", (field) => isWord(field.value) ? undefined : "expected one word"],
  [
    "max-forwards",
    (field) => readNumber(field.value, 256) === undefined ? "expected 0 to 255" : undefined,
  ],
]);

const BITS = Object.fromEntries(
  [...new Set<Counted>([...MANDATORY, ...SINGLE])].map((key, i) => [key, 1 << i]),
) as Readonly<Record<Counted, number>>;
const MANDATORY_BITS = MANDATORY.reduce((bits, key) => bits | BITS[key], 0);

/** What is known of a header, by its key; `bit` is 0 where it may stand any number of times. */
const KNOWN = new Map(
  [...new Set<string>([...Object.keys(BITS), ...CHECKS.keys()])].map((key) => {
    const bit = Object.hasOwn(BITS, key) ? BITS[key as Counted] : 0;
    return [key, { bit, check: CHECKS.get(key) }] as const;
  }),
);

/** `callid`, roughly: what matters is that it is one word to everybody (RFC 3261 25.1). */
function isWord(text: string): boolean {
  return text !== "" && !/[\s,;]/.test(text);
}

function viaFault(field: HeaderField): string | undefined {
  const vias = field.parsed(readVias);
  if (!vias.ok) return vias.error;
  for (const { params } of vias.value) {
    if (params.repeated !== undefined) return `parameter ${params.repeated} stands twice`;
  }
  return undefined;
}

function errorOf<T>(result: Result<T, string>): string | undefined {
  return result.ok ? undefined : result.error;
}

function addressFault(field: HeaderField): string | undefined {
  const address: Result<NameAddr, string> = field.parsed(readNameAddr);
  if (!address.ok) return address.error;
  const repeated = address.value.params.repeated;
  return repeated && `parameter ${repeated} stands twice`;
}

function requestFault(request: SipRequest): Fault | undefined {
  const { method } = request;
  if (request.cseq.method !== method) {
    return bad(`CSeq says ${request.cseq.method}, the request line ${method}`);
  }
  // The bare cookie names no transaction: two such requests would be taken for one.
  if (request.topVia.branch === BRANCH_COOKIE) return bad("Via branch is nothing but its cookie");
  const uri = request.requestUri;
  if (!uri.ok) return bad(`Bad Request-URI: ${uri.error.text}`);
  if (!uri.value.isSip && uri.value.scheme !== "tel") {
    return { status: 416, text: "Unsupported URI Scheme" };
  }
  if (uri.value.headerText !== "") return bad("Request-URI with header fields");
  const star = request.headers.has("contact") && request.headers.getAll("contact").includes("*");
  if (star && (method !== "REGISTER" || request.headers.getAll("contact").length > 1)) {
    return bad("Contact * stands alone and in REGISTER only");
  }
  return undefined;
}
