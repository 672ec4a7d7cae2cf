import { HeaderList, SipRequest } from "../message/mod.ts";

/** Requests outside dialogs (RFC 3261 8.1.1) and what they share with those inside. */

export const MAX_FORWARDS = 70;

/** A body with its type, or nothing. */
export interface Body {
  readonly contentType: string;
  readonly bytes: Uint8Array;
}

/** Headers beyond the ones that a function sets by itself; the caller has checked them. */
export type ExtraHeaders = Iterable<readonly [name: string, value: string]>;

export interface RequestParts {
  readonly method: string;
  readonly requestUri: string;
  /** name-addr with its tag: `"Alice" <sip:alice@example.com>;tag=1`. */
  readonly from: string;
  /** name-addr; with a tag inside a dialog only. */
  readonly to: string;
  readonly callId: string;
  readonly sequence: number;
  /** name-addr, or `*` in a REGISTER. */
  readonly contact?: string | undefined;
  /** Route values, topmost first. */
  readonly routes?: readonly string[] | undefined;
  readonly headers?: ExtraHeaders | undefined;
  readonly body?: Body | undefined;
}

/** The methods that our user agents take in any case. */
export const ALLOW: readonly string[] = [
  "INVITE",
  "ACK",
  "CANCEL",
  "BYE",
  "OPTIONS",
  "PRACK",
  "UPDATE",
];

const NO_BODY = new Uint8Array(0);

/** A request without Via: the stack puts it on. */
export function createRequest(parts: RequestParts): SipRequest {
  const headers = new HeaderList();
  for (const route of parts.routes ?? []) headers.append("Route", route);
  headers.append("Max-Forwards", String(MAX_FORWARDS));
  headers.append("From", parts.from);
  headers.append("To", parts.to);
  headers.append("Call-ID", parts.callId);
  headers.append("CSeq", `${parts.sequence} ${parts.method}`);
  if (parts.contact !== undefined) headers.append("Contact", parts.contact);
  for (const [name, value] of parts.headers ?? []) headers.append(name, value);
  if (parts.body) headers.append("Content-Type", parts.body.contentType);
  return new SipRequest(parts.method, parts.requestUri, headers, parts.body?.bytes ?? NO_BODY);
}

/** An INVITE outside a dialog; `contact` is where the dialog's requests shall come (8.1.1.8). */
export function createInvite(
  parts: Omit<RequestParts, "method" | "contact"> & {
    readonly contact: string;
    readonly allow?: readonly string[];
  },
): SipRequest {
  const { allow = ALLOW, ...rest } = parts;
  const headers: [string, string][] = [["Allow", allow.join(", ")], ...extra(parts)];
  return createRequest({ ...rest, method: "INVITE", headers });
}

/**
 * A REGISTER (RFC 3261 10.2). Request-URI is the registrar's domain, From and To are the AoR.
 * @param parts.expires seconds; 0 takes the binding away
 */
export function createRegister(
  parts:
    & Omit<RequestParts, "method" | "to" | "contact" | "body">
    & { readonly aor: string; readonly contact: string; readonly expires: number },
): SipRequest {
  const { aor, expires, ...rest } = parts;
  const headers: [string, string][] = [["Expires", String(expires)], ...extra(parts)];
  return createRequest({ ...rest, method: "REGISTER", to: `<${aor}>`, headers });
}

function extra(parts: { readonly headers?: ExtraHeaders | undefined }): [string, string][] {
  return [...parts.headers ?? []].map(([name, value]) => [name, value]);
}
