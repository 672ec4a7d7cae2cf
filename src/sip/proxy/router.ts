import type { Instant } from "../../core/clock.ts";
import { err, ok, type Result } from "../../core/result.ts";
import type { SipRequest, SipUri } from "../message/mod.ts";
import type { Location } from "../registrar/location.ts";
import { ofDevice } from "../registrar/outbound.ts";
import type { ContactRoutes } from "./contact_routes.ts";
import { badExtension } from "./forwarding.ts";
import type { ProxyPolicy, Refusal } from "./proxy_io.ts";
import { groupBindings, type Target, type TargetGroups } from "./target.ts";

/** What the registrar's domain itself answers (RFC 3261 11.2). */
const OWN_HEADERS: readonly (readonly [string, string])[] = [
  ["Allow", "REGISTER, OPTIONS"],
  ["Accept", "*/*"],
  ["Supported", "path, outbound, gruu"],
];

/** Where requests outside dialogs go (RFC 3261 16.5). */
export class Router {
  readonly #policy: ProxyPolicy;
  readonly #location: Location;
  readonly #contacts: ContactRoutes;

  constructor(policy: ProxyPolicy, location: Location, contacts: ContactRoutes) {
    this.#policy = policy;
    this.#location = location;
    this.#contacts = contacts;
  }

  /** Whether a URI names this server, and nobody at it. */
  isServer(uri: SipUri): boolean {
    return uri.isSip && uri.user === null && this.#policy.isOurs(uri.host, uri.port);
  }

  /** What a dial plan makes of a number, or of any other URI; `uri` itself where there is none. */
  translate(request: SipRequest, uri: SipUri, identity: string | null): Result<SipUri, Refusal> {
    const translated = this.#policy.translate?.(request, uri, identity) ?? ok(uri);
    if (translated.ok && !translated.value.isSip) return err({ status: 416 });
    return translated;
  }

  /**
   * Names of ours come first: nobody draws another's calls to himself by a Contact that looks like
   * the other's address.
   */
  targets(
    uri: SipUri,
    now: Instant,
    mayRelay: () => boolean = () => false,
  ): Result<TargetGroups, Refusal> {
    const behind = this.#contacts.find(uri);
    const known = behind && this.#policy.isGuarded?.(behind) ? undefined : behind;
    const contact: Target[][] = known ? [[{ uri: uri.toString(), flow: known }]] : [];
    if (!this.#policy.isOurs(uri.host, uri.port)) {
      if (known) return ok(contact);
      if (mayRelay()) return ok([[{ uri: uri.toString(), flow: null }]]);
      return err({ status: 403, reason: "Relaying Denied" });
    }
    const aor = uri.aorKey(this.#policy.canonicalDomain);
    const bindings = ofDevice(uri, this.#location.lookup(aor, now));
    if (bindings.length > 0) return ok(groupBindings(bindings));
    if (uri.user !== null && this.#policy.hasAccount(uri.user)) return err({ status: 480 });
    return known ? ok(contact) : err({ status: 404 });
  }

  /** The answer to a request to the server itself: only OPTIONS has one (RFC 3261 11.2). */
  ownAnswer(request: SipRequest): Refusal {
    const required = request.headers.getAll("Require");
    if (required.length > 0) return badExtension(required);
    return { status: request.method === "OPTIONS" ? 200 : 405, headers: OWN_HEADERS };
  }
}

/** Where a request wants to go next: its topmost route, else its Request-URI. */
export function nextUri(request: SipRequest): SipUri | undefined {
  const route = request.routes[0];
  if (route) return route.uri;
  const uri = request.requestUri;
  return uri.ok ? uri.value : undefined;
}
