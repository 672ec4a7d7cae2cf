import { NameAddr, type SipRequest, type SipUri, unquote } from "../message/mod.ts";
import type { Flow } from "../flow.ts";
import type { Binding } from "./location.ts";

/** Several flows of one device (RFC 5626), paths (RFC 3327) and GRUUs (RFC 5627). */

/** Extensions that a REGISTER may require of us. */
export const REGISTRAR_EXTENSIONS: ReadonlySet<string> = new Set(["outbound", "path", "gruu"]);

/** A Contact's `reg-id`; null where it has none that counts: it needs an instance beside it. */
export function flowNumber(contact: NameAddr): number | null {
  const text = contact.params.get("reg-id");
  if (text === undefined || !contact.params.has("+sip.instance")) return null;
  return /^\d{1,9}$/.test(text) && Number(text) > 0 ? Number(text) : null;
}

/**
 * Whether somebody stands between the device and us who does not know of flows: the one that we
 * would send on is not the device's (RFC 5626 6).
 */
export function needsFirstHop(request: SipRequest): boolean {
  if (request.vias.length < 2 || !supports(request, "outbound")) return false;
  const last = request.headers.getAll("Path").at(-1);
  const path = last === undefined ? undefined : NameAddr.parse(last);
  return !(path?.ok && path.value.uri.params.has("ob"));
}

/**
 * A device that keeps flows is heard on each connection at least this often, s (RFC 5626 4.4.1);
 * one that is not is gone.
 */
export const FLOW_TIMER_S = 120;

/** Whether somebody has promised to be heard on the flow of a binding: the device itself. */
export function promisesLife({ regId, path, flow }: Binding): boolean {
  return regId !== null && path.length === 0 && TIMED.has(flow.transport);
}

/** Not UDP, where keep-alives are of STUN, nor WebSockets, which have pings of their own. */
const TIMED: ReadonlySet<string> = new Set(["TCP", "TLS"]);

/** What the 200 says beside the bindings. */
export function registerExtensions(request: SipRequest, flow: Flow): [string, string][] {
  const headers: [string, string][] = [];
  const contacts = request.contacts;
  const hasFlows = contacts !== "*" && contacts.some((contact) => flowNumber(contact) !== null);
  if (hasFlows && supports(request, "outbound")) {
    headers.push(["Require", "outbound"]);
    if (TIMED.has(flow.transport) && !request.headers.has("Path")) {
      headers.push(["Flow-Timer", String(FLOW_TIMER_S)]);
    }
  }
  if (supports(request, "path")) {
    for (const path of request.headers.getAll("Path")) headers.push(["Path", path]);
  }
  return headers;
}

/** `;pub-gruu="..."` for who understands it, else nothing (RFC 5627 5.3). */
export function gruuParams(request: SipRequest, binding: Binding): string {
  if (binding.instance === null || !supports(request, "gruu")) return "";
  const urn = instanceUrn(binding.instance);
  return urn === undefined ? "" : `;pub-gruu="sip:${binding.aor};gr=${urn}"`;
}

/** Of an AoR's bindings those of the device that a GRUU names; all where `uri` is none. */
export function ofDevice(uri: SipUri, bindings: readonly Binding[]): readonly Binding[] {
  const urn = uri.params.get("gr");
  if (urn === undefined || urn === "") return bindings;
  return bindings.filter(({ instance }) => instance !== null && instanceUrn(instance) === urn);
}

/** `"<urn:uuid:...>"` as `urn:uuid:...`, where that can stand in a URI's parameter as it is. */
function instanceUrn(instance: string): string | undefined {
  const urn = unquote(instance).replace(/^<|>$/g, "");
  return /^urn:[A-Za-z0-9:.\-]+$/.test(urn) ? urn : undefined;
}

function supports(request: SipRequest, extension: string): boolean {
  return ["Supported", "Require"].some((name) => request.headers.getAll(name).includes(extension));
}
