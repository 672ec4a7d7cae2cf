import { createActor } from "xstate";
import type { Clock } from "../core/clock.ts";
import type { Entropy } from "../core/entropy.ts";
import type { Log } from "../core/log.ts";
import { err, ok, type Result } from "../core/result.ts";
import type { Flow } from "../sip/flow.ts";
import { parseUri, type SipMessage, type SipRequest, SipUri } from "../sip/message/mod.ts";
import { Params } from "../sip/message/params.ts";
import type { Refusal, Route } from "../sip/proxy/proxy_io.ts";
import type { Target } from "../sip/proxy/target.ts";
import type { Target as Place } from "../sip/resolve/target.ts";
import type { UserAgent } from "../sip/user_agent/user_agent.ts";
import type { TrunkView } from "./control_plane.ts";
import {
  type Dialler,
  DialPlan,
  type InboundRule,
  numberOf,
  type OutboundRule,
} from "./dial_plan.ts";
import type { WireSettings } from "./edge/contract.ts";
import type { EventBus } from "./event_bus.ts";
import type { OutsideOptions } from "./outside_agents.ts";
import { type TrunkActor, trunkMachine } from "./trunk.ts";
import { type TrunkFace, TrunkWire } from "./trunk_wire.ts";
import { iso } from "./views.ts";

/** A way to a carrier or a gateway. */
export interface TrunkOptions {
  readonly name: string;
  readonly host: string;
  /** 0: by DNS, or the transport's own. */
  readonly port: number;
  readonly transport: "udp" | "tcp" | "tls";
  readonly register: { readonly user: string; readonly password: string } | null;
  /** Lower is tried first. */
  readonly priority: number;
  readonly callerId: "from" | "pai";
  /** Shown for accounts without a number of their own; "": their name. */
  readonly number: string;
  /** Between two pings, 0 for none. */
  readonly optionsSeconds: number;
  readonly srtp: boolean;
  readonly media: "relay" | "direct";
  /** The only audio codecs in its calls, names in lower case, preferred first; null: all. */
  readonly codecs: readonly string[] | null;
  /** How the digits that our clients press go to it: as telephone-events, or by INFO. */
  readonly dtmf: "rfc2833" | "info";
  /** Further addresses from which its calls come. */
  readonly allow: readonly string[];
}

export interface DialPlanOptions {
  readonly outbound: readonly OutboundRule[];
  readonly inbound: readonly InboundRule[];
}

/** What the house knows of a name. */
export interface AccountRights {
  hasAccount(user: string): boolean;
  rightsOf(user: string): ReadonlySet<string>;
  /** Its number on trunks, where it has one. */
  numberOf(user: string): string | undefined;
  isOurs(host: string, port: number | undefined): boolean;
}

export interface TrunksPorts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly bus: EventBus;
  readonly accounts: AccountRights;
  /** The one domain of all AoRs. */
  readonly domain: string;
  open(options: OutsideOptions): UserAgent;
  close(agent: UserAgent): void;
  /** The places that `agent` is a client of, as a look-up has found them. */
  learn(agent: UserAgent, targets: readonly Place[]): void;
  /** Whether what comes on this flow comes from the place that `agent` is a client of. */
  isAt(agent: UserAgent, flow: Flow): boolean;
  /** On the wire, as it is. */
  send(flow: Flow, bytes: Uint8Array, message: SipMessage): void;
  trace?(machine: string, state: string): void;
}

interface Trunk {
  readonly options: TrunkOptions;
  readonly agent: UserAgent;
  readonly actor: TrunkActor;
  readonly face: TrunkFace;
}

/** A trunk that takes longer over an INVITE is given up for the next. */
const FAILOVER = { silentMs: 4_000, progressMs: 20_000 } as const;

/** All trunks, who may call over which of them, and whom they call. */
export class Trunks {
  readonly #ports: TrunksPorts;
  readonly #plan: DialPlan;
  readonly #trunks = new Map<string, Trunk>();
  readonly #wire: TrunkWire;
  /** In whose name the INVITE of a Call-ID is sent; null: nobody's of ours. */
  readonly #lent = new Map<string, string | null>();
  #onGone: (() => void) | undefined;

  constructor(ports: TrunksPorts, trunks: readonly TrunkOptions[], plan: DialPlanOptions) {
    this.#ports = ports;
    this.#plan = new DialPlan(plan);
    const { clock, entropy } = ports;
    this.#wire = new TrunkWire({
      clock,
      entropy,
      send: (flow, bytes, message) => ports.send(flow, bytes, message),
    });
    const byPriority = trunks.toSorted((a, b) => a.priority - b.priority);
    for (const options of byPriority) this.#trunks.set(options.name, this.#open(options));
    for (const { actor } of this.#trunks.values()) actor.start();
  }

  /** Trunks that are not closed yet. */
  get size(): number {
    return this.#trunks.size;
  }

  /** By priority. */
  views(): TrunkView[] {
    return [...this.#trunks.values()].map(({ options, actor }) => {
      const { context } = actor.getSnapshot();
      const { isUp, reason, since, refreshAt } = context;
      return {
        name: options.name,
        host: options.host,
        port: options.port === 0 ? null : options.port,
        transport: options.transport,
        priority: options.priority,
        state: isUp ? "up" : reason === null ? "starting" : "down",
        reason: isUp ? null : reason,
        since: iso(since),
        isRegistered: refreshAt !== null,
        codecs: options.codecs,
        dtmf: options.dtmf,
      };
    });
  }

  /** Where a request of this sender goes, as far as the dial plan says so. */
  route(
    request: SipRequest,
    uri: SipUri,
    identity: string | null,
    flow: Flow,
  ): Result<Route, Refusal> | undefined {
    const from = this.trunkAt(flow);
    if (from) return this.#receive(from, request, uri);
    const { accounts } = this.#ports;
    const isHere = uri.scheme === "tel" || (uri.isSip && accounts.isOurs(uri.host, uri.port));
    if (!isHere || uri.user === null || accounts.hasAccount(uri.user)) return undefined;
    const number = numberOf(uri.user);
    if (number === undefined) return undefined;
    const lent = this.#lent.get(request.callId);
    const dialled = this.#plan.dial(number, this.#dialler(lent === undefined ? identity : lent));
    if (!dialled) return undefined;
    if (dialled.kind === "forbidden") {
      this.#ports.log.info("a call to a trunk was refused", { identity, number });
      return err({ status: 403, reason: "You May Not Dial This Number" });
    }
    if (request.method !== "INVITE") return err({ status: 405, headers: [["Allow", "INVITE"]] });
    return this.#dial(dialled.number, dialled.trunks);
  }

  /** Where the name of a trunk has led to: whence its calls come. */
  learn(uri: SipUri, targets: readonly Place[]): void {
    for (const { options, agent } of this.#trunks.values()) {
      const isIts = uri.address === options.host.toLowerCase() &&
        (uri.port ?? 0) === options.port;
      if (isIts) this.#ports.learn(agent, targets);
    }
  }

  /** Whether whoever `transferor` names may have somebody else call `target` (both are URIs). */
  mayTransfer(transferor: string, target: string): boolean {
    const uri = parseUri(target);
    const { accounts } = this.#ports;
    if (!uri.ok || uri.value.user === null || accounts.hasAccount(uri.value.user)) return true;
    const number = numberOf(uri.value.user);
    if (number === undefined) return true;
    const dialler = this.#dialler(this.#identityOf(transferor));
    return this.#plan.dial(number, dialler)?.kind !== "forbidden";
  }

  /**
   * The INVITE of this Call-ID is sent for a transfer: the rights of whoever asked for it count,
   * not those of whoever sends it. Until `takeBack`.
   */
  lend(callId: string, transferor: string): void {
    this.#lent.set(callId, this.#identityOf(transferor));
  }

  takeBack(callId: string): void {
    this.#lent.delete(callId);
  }

  /** Loans that are out, for leak checks. */
  get loans(): number {
    return this.#lent.size;
  }

  /** User part of an AoR of ours. */
  #identityOf(aor: string): string | null {
    const uri = parseUri(aor);
    if (!uri.ok || !uri.value.isSip) return null;
    const { user, host, port } = uri.value;
    return this.#ports.accounts.isOurs(host, port) ? user : null;
  }

  /** The trunk that speaks on a flow. */
  trunkAt(flow: Flow): string | undefined {
    return this.#at(flow)?.options.name;
  }

  /** How media goes over a trunk; undefined: the flow is none. */
  mediaOf(flow: Flow): Partial<WireSettings> | undefined {
    const options = this.#at(flow)?.options;
    if (!options) return undefined;
    const { srtp, media, codecs, dtmf } = options;
    return { srtp, media, dtmf, ...(codecs ? { codecs, takesOnlyCodecs: true } : {}) };
  }

  /** A From that no carrier may use: it names an account of ours. */
  isForged(request: SipRequest): boolean {
    const { uri } = request.from;
    const { accounts } = this.#ports;
    return uri.isSip && uri.user !== null && accounts.isOurs(uri.host, uri.port) &&
      accounts.hasAccount(uri.user);
  }

  /** A message to the wire as it is to go there; the same where the flow is no trunk's. */
  outgoing(flow: Flow, message: SipMessage): SipMessage {
    const trunk = this.#at(flow);
    return trunk ? this.#wire.outgoing(trunk.face, flow, message) : message;
  }

  /** A message from the wire as elements are to hear it; null: they are not. */
  incoming(flow: Flow, message: SipMessage): SipMessage | null {
    const trunk = this.#at(flow);
    return trunk ? this.#wire.incoming(trunk.face, flow, message) : message;
  }

  /** Leaves the carriers; `done` follows when the last one is left. */
  stop(done: () => void): void {
    this.#onGone = done;
    for (const { actor } of [...this.#trunks.values()]) actor.send({ type: "stop" });
    if (this.#trunks.size === 0) done();
  }

  #open(options: TrunkOptions): Trunk {
    const { clock, accounts, bus, log, trace } = this.#ports;
    const { name, host, port, transport, register } = options;
    const params = transport === "udp" ? Params.NONE_OF_URI : transportParam(transport);
    const server = SipUri.of({ host, port: port === 0 ? undefined : port, params });
    const agent = this.#ports.open({
      id: `trunk:${name}`,
      server,
      mayReach: (other) => other === server.address,
      ...(register ? { contactUser: register.user } : {}),
    });
    const credentials = register && { username: register.user, password: register.password };
    const actor = createActor(trunkMachine, {
      clock,
      input: {
        name,
        clock,
        agent,
        uri: server.toString(),
        register: register && credentials
          ? { aor: SipUri.of({ user: register.user, host }).toString(), credentials }
          : null,
        pingMs: options.optionsSeconds * 1000,
        tell: (type, reason) => {
          bus.publish(type, { name, reason });
          if (reason === null) log.info("a trunk is up", { trunk: name });
          else log.warn("a trunk is down", { trunk: name, reason });
        },
        ...(trace ? { trace } : {}),
      },
    });
    actor.subscribe({
      complete: () => this.#remove(name),
      error: (error) => {
        log.error("a trunk failed and was ended", { trunk: name, error });
        this.#remove(name);
      },
    });
    const face: TrunkFace = {
      host: server.host,
      callerId: options.callerId,
      credentials,
      numberOf: ({ isSip, user, host: at, port: on }) =>
        isSip && user !== null && accounts.isOurs(at, on) && accounts.hasAccount(user)
          ? accounts.numberOf(user) ?? (options.number === "" ? user : options.number)
          : undefined,
    };
    return { options, agent, actor, face };
  }

  #remove(name: string): void {
    const trunk = this.#trunks.get(name);
    if (!trunk) return;
    this.#trunks.delete(name);
    this.#ports.close(trunk.agent);
    if (this.#trunks.size === 0) this.#onGone?.();
  }

  #at(flow: Flow): Trunk | undefined {
    if (!flow.peer) return undefined;
    const { address } = flow.peer;
    for (const trunk of this.#trunks.values()) {
      if (this.#ports.isAt(trunk.agent, flow)) return trunk;
      if (trunk.options.allow.includes(address)) return trunk;
    }
    return undefined;
  }

  #dialler(identity: string | null): Dialler | null {
    const { accounts } = this.#ports;
    if (identity === null || !accounts.hasAccount(identity)) return null;
    return { account: identity, rights: accounts.rightsOf(identity) };
  }

  /** A chain of trunks, the next one for where one does not work. */
  #dial(number: string, names: readonly string[]): Result<Route, Refusal> {
    const trunks = [...this.#trunks.values()].filter(({ options }) => names.includes(options.name));
    const up = trunks.filter(({ actor }) => actor.getSnapshot().context.isUp);
    const targets = up.map(({ options: { host, port, transport } }): Target => {
      const params = transport === "udp" ? Params.NONE_OF_URI : transportParam(transport);
      const at = { user: number, host, port: port === 0 ? undefined : port, params };
      return { uri: SipUri.of(at).toString(), flow: null, failover: FAILOVER };
    });
    const [first, ...alternates] = targets;
    if (!first) return err({ status: 503, reason: "No Trunk For This Number Is Up" });
    return ok({ kind: "targets", groups: [[{ ...first, alternates }]] });
  }

  /** Whom a call from a trunk is for: never another trunk. */
  #receive(name: string, request: SipRequest, uri: SipUri): Result<Route, Refusal> {
    const trunk = this.#trunks.get(name);
    const { register } = trunk?.options ?? {};
    // A carrier that we registered at calls our Contact and says in To which number was dialled.
    const isContact = register && uri.user === register.user && numberOf(request.to.uri.user ?? "");
    const dialled = isContact ? request.to.uri.user : uri.user;
    const number = numberOf(dialled ?? "");
    const user = number === undefined ? undefined : this.#plan.receive(number, name);
    if (user === undefined) return err({ status: 404, reason: "Nobody Has This Number" });
    const to = parseUri(SipUri.of({ user, host: this.#ports.domain }).toString());
    return to.ok ? ok({ kind: "uri", uri: to.value }) : err({ status: 404 });
  }
}

function transportParam(transport: string): Params {
  return Params.NONE_OF_URI.with("transport", transport);
}
