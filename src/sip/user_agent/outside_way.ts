import { err, type Result } from "../../core/result.ts";
import { type Flow, hostPort } from "../flow.ts";
import { serialize, type SipRequest, type SipUri } from "../message/mod.ts";
import { type Target, targetHost, targetsForSize } from "../resolve/target.ts";
import type { WirePort } from "../wire.ts";

/** How a user agent's requests leave, where that is not one flow for ever. */
export interface Way {
  /** Where it leads, for people. */
  readonly remote: string;
  /**
   * A flow for this request; `done` is called once. Faults are sentences.
   * @param tried flows that are not to be taken again
   */
  connect(request: SipRequest, done: Connected, tried?: readonly Flow[]): void;
  /** Whether who speaks on this flow is the far end of this way. */
  leadsTo(flow: Flow): boolean;
  /** A request on this flow had no answer, or a 503: other places come first from now on. */
  avoid(flow: Flow): void;
}

/** `hasMore`: there are other places that could be tried after this one. */
export type Connected = (result: Result<Flow, string>, hasMore: boolean) => void;

export interface OutsideWayOptions {
  readonly wire: Pick<WirePort, "resolve" | "connect">;
  /** The outbound proxy, or the domain itself. */
  readonly server: SipUri;
  /** Whether a request inside a dialog may go to this host; else it goes to the server. */
  readonly mayReach: (host: string) => boolean;
  /** Told of each flow that is used. */
  readonly onFlow?: (flow: Flow) => void;
}

/** Lines of a description that stay inside the process, whatever their number. */
const INNER_LINES = /^a=(?:extmap|rtcp-fb|ssrc|ssrc-group|msid|mid|x-pz-)[^\n]*\n/gm;
/** What the Via adds, and what a description gains on the wire, at most or so, bytes. */
const ADDED_BYTES = 150;
const MAX_ADDRESSES = 64;

/**
 * The way to a SIP server of others: looked up anew for each request (the resolver remembers), over
 * UDP unless the server says otherwise or the request is large (RFC 3263, RFC 3261 18.1.1), and one
 * place after the other where one can't be reached.
 */
export class OutsideWay implements Way {
  readonly remote: string;
  readonly #options: OutsideWayOptions;
  /** Addresses that the server's name has led to: whence its requests may come. */
  readonly #addresses = new Set<string>();
  readonly #places = new Set<string>();
  readonly #avoided = new Set<string>();
  #isClosed = false;

  constructor(options: OutsideWayOptions) {
    this.#options = options;
    const { host, port } = options.server;
    this.remote = port === undefined ? host : hostPort(host, port);
  }

  /** Looks the server up, so that it is known when it speaks first. */
  prepare(): void {
    const { wire, server } = this.#options;
    wire.resolve(server, (resolved) => {
      if (resolved.ok) this.learn(resolved.value);
    });
  }

  connect(request: SipRequest, done: Connected, tried: readonly Flow[] = []): void {
    const { wire, server } = this.#options;
    const next = this.#nextHop(request);
    wire.resolve(next, (resolved) => {
      if (this.#isClosed) return done(err("The user agent is closed"), false);
      if (!resolved.ok) return done(err(resolved.error), false);
      if (next === server) this.learn(resolved.value);
      const places = new Set(tried.map((flow) => placeOf(flow.transport, flow.remote)));
      const left = this.#inOrder(targetsForSize(resolved.value, wireBytes(request)))
        .filter((target) => !places.has(placeOfTarget(target)));
      this.#try(left, done);
    });
  }

  leadsTo({ peer }: Flow): boolean {
    return peer !== undefined && this.#addresses.has(peer.address);
  }

  /** The same, by address and port: a place that the server's name led to. */
  isAt({ peer }: Flow): boolean {
    return peer?.port !== undefined && this.#places.has(hostPort(peer.address, peer.port));
  }

  avoid(flow: Flow): void {
    this.#avoided.add(placeOf(flow.transport, flow.remote));
  }

  close(): void {
    this.#isClosed = true;
  }

  #try(targets: Target[], done: Connected, why?: string): void {
    const target = targets.shift();
    if (!target) return done(err(why ?? `${this.remote} has no address`), false);
    this.#options.wire.connect(target, (connected) => {
      if (!connected.ok) return this.#try(targets, done, connected.error);
      this.#options.onFlow?.(connected.value);
      done(connected, targets.length > 0);
    });
  }

  /** Inside a dialog its route, else its remote target (RFC 3261 12.2.1.1); outside the server. */
  #nextHop(request: SipRequest): SipUri {
    const { server, mayReach } = this.#options;
    if (request.to.tag === undefined) return server;
    const target = request.requestUri;
    const uri = request.routes[0]?.uri ?? (target.ok ? target.value : undefined);
    return uri?.isSip && mayReach(targetHost(uri)) ? uri : server;
  }

  /** Places that the server's name has led to. */
  learn(targets: readonly Target[]): void {
    if (this.#addresses.size + targets.length > MAX_ADDRESSES) {
      this.#addresses.clear();
      this.#places.clear();
    }
    for (const { host, port } of targets) {
      this.#addresses.add(host);
      this.#places.add(hostPort(host, port));
    }
  }

  #inOrder(targets: readonly Target[]): readonly Target[] {
    const isAvoided = (target: Target) => this.#avoided.has(placeOfTarget(target));
    const good = targets.filter((target) => !isAvoided(target));
    if (good.length > 0) return [...good, ...targets.filter(isAvoided)];
    this.#avoided.clear();
    return targets;
  }
}

function placeOfTarget({ transport, host, port }: Target): string {
  return placeOf(transport, hostPort(host, port));
}

function placeOf(transport: string, place: string): string {
  return `${transport} ${place}`;
}

/** About as long as it will be on the wire, where descriptions are shorter than inside. */
function wireBytes(request: SipRequest): number {
  const body = new TextDecoder().decode(request.body).replace(INNER_LINES, "");
  return serialize(request).length - request.body.length + body.length + ADDED_BYTES;
}
