import type { Clock } from "../core/clock.ts";
import type { Entropy } from "../core/entropy.ts";
import type { Log } from "../core/log.ts";
import type { MediaPort, WorkerView } from "../rtp/media_port.ts";
import type { CallOptions } from "./call_ports.ts";
import { Calls } from "./calls.ts";
import { Commands } from "./commands.ts";
import type { CodecView, ControlPlane } from "./control_plane.ts";
import type { FlowId } from "../core/ids.ts";
import type { WireInput } from "../sip/stack_io.ts";
import type { CodecWorkerView } from "../rtp/codec/pool.ts";
import type { RtpMediaPort } from "../rtp/rtp_media_port.ts";
import { Accounts } from "./accounts.ts";
import type { AccountStore } from "../sip/auth/accounts.ts";
import type { Flow } from "../sip/flow.ts";
import type { BindingStore } from "../sip/registrar/binding_record.ts";
import type { SipRequest } from "../sip/message/mod.ts";
import type { WirePort } from "../sip/wire.ts";
import { EventBus } from "./event_bus.ts";
import { isAllowedHost } from "../core/config/loopback.ts";
import { DIGIT_MS } from "./dtmf.ts";
import { type HouseAccount, HousePolicy } from "./house_policy.ts";
import { type DialPlanOptions, type TrunkOptions, Trunks } from "./trunks.ts";
import { Ladder } from "./ladder.ts";
import { Protection, type ProtectionOptions } from "./protection.ts";
import { Queries } from "./queries.ts";
import {
  defaultSettings,
  type EdgeEffect,
  type EdgePorts,
  type WireSettings,
} from "./edge/contract.ts";
import { toEndedTransit, toSipMedia, toTransitSummary } from "./edge/transit_views.ts";
import type { SessionOptions } from "./session.ts";
import { SessionDirectory } from "./sessions.ts";
import { type Hop, type HopMessage, memoryHop, SipService } from "./sip_service.ts";
import { accountAt } from "./wire_settings.ts";

export interface PlaneOptions {
  readonly version: string;
  /** What wires may do; absent: loopback anything, others the defaults. */
  readonly protection?: ProtectionOptions;
  readonly call: CallOptions;
  readonly session: SessionOptions;
  readonly sip: {
    /** `host:port` in Via, Contact and Record-Route. */
    readonly sentBy: string;
    readonly canonicalDomain: string;
    /** Every host that means us. */
    readonly hosts: readonly string[];
    readonly localCalls: boolean;
    readonly accounts: readonly HouseAccount[];
    /** Whether one of our listeners has this port; absent: any port of our hosts means us. */
    readonly isOwnPort?: (port: number) => boolean;
    /** Session timers of our clients' calls (RFC 4028), s; absent: none. */
    readonly timerSeconds?: number;
    /** User-Agent and Server header. */
    readonly userAgent: string;
    /** Whether Contacts at servers of others carry an id instead of the login. */
    readonly addContactId: boolean;
    /** Hosts of servers of others that clients may name; `*` for any. */
    readonly outsideAllow: readonly string[];
    /**
     * How often phones whose media passes by us are asked whether they are there, ms; absent:
     * never.
     */
    readonly directPingMs?: number;
    /** Between two keep-alives towards servers of others on UDP, ms; absent: none. */
    readonly keepAliveMs?: number;
  };
  readonly trunks?: readonly TrunkOptions[];
  readonly dialPlan?: DialPlanOptions;
}

export interface PlanePorts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly log: Log;
  readonly media: MediaPort;
  readonly workers: () => readonly WorkerView[];
  /** Kills and replaces a media worker; false where none of that id runs. */
  readonly restartWorker?: (id: number) => boolean;
  /** Absent: the in-memory hop. */
  readonly hop?: Hop;
  /** The network; absent: only our own clients are served. */
  readonly wire?: WirePort;
  /** Bindings that outlive the process; absent: none do. */
  readonly bindings?: BindingStore;
  /** Accounts besides those of the configuration. */
  readonly accounts?: AccountStore;
  /** Media of SIP legs; absent: descriptions of wire sides pass as they are. */
  readonly rtp?: RtpMediaPort;
  /** What the transcoders can do; absent: calls are never transcoded. */
  readonly codecs?: () => readonly CodecView[];
  /** The transcoders' workers; absent: none. */
  readonly codecWorkers?: () => readonly CodecWorkerView[];
  /** How media goes to a wire side; absent: by its transport alone. */
  readonly wireSettings?: (flow: Flow, invite: SipRequest) => WireSettings;
  /** Sees every SIP message between user agents and proxy. */
  readonly observe?: (sent: HopMessage) => void;
  /** A test's hook: told of every state that any machine enters. */
  readonly trace?: (machine: string, state: string) => void;
}

/** The control plane in one piece: sessions for connections, views and commands for operators. */
export interface Plane {
  readonly sessions: SessionDirectory;
  readonly control: ControlPlane;
  readonly bus: EventBus;
  /** What came in from the network. */
  receiveWire(input: WireInput): void;
  isFlowUsed(flow: FlowId): boolean;
  /** Whether the far end has promised to be heard on it. */
  promisesLife(flow: FlowId): boolean;
  /** Whether a connection of this address is to be taken. */
  isWelcome(address: string): boolean;
  /** Ends calls and sessions; `done` follows when the last one is gone. New ones are refused. */
  stop(done: () => void): void;
  /** Stops what timers are left; nothing is answered any more. */
  close(): void;
  /** Everything that is alive, by kind: all zero when nothing is left over. */
  counts(): Readonly<Record<string, number>>;
}

/** Builds the rooms of the control plane in the order in which they know each other. */
function build(ports: PlanePorts, options: PlaneOptions) {
  const { clock, entropy, log, media } = ports;
  const { canonicalDomain, sentBy, localCalls, accounts, hosts } = options.sip;
  const trace = ports.trace ? { trace: ports.trace } : {};
  const bus = new EventBus(clock, log);
  const policy = new HousePolicy({
    canonicalDomain,
    hosts: new Set(hosts.map((host) => host.toLowerCase())),
    accounts,
    ...(options.sip.isOwnPort ? { isOwnPort: options.sip.isOwnPort } : {}),
    ...(ports.accounts ? { stored: ports.accounts } : {}),
  });
  let onEffect: (effect: EdgeEffect) => void = () => {};
  let mediaOf: TrunkMedia = () => undefined;
  const protection = protect(ports, options, () => sip, (flow) => policy.isGuarded(flow));
  policy.bindLoad(protection);
  const ladder = new Ladder(clock);
  const sip: SipService = new SipService({
    clock,
    entropy,
    log,
    policy,
    sentBy,
    product: options.sip.userAgent,
    hop: ports.hop ?? memoryHop(clock),
    ...(ports.wire ? { wire: guarded(ports.wire, protection), shares: protection.shares } : {}),
    ...(ports.bindings ? { bindings: ports.bindings } : {}),
    ...(options.sip.keepAliveMs === undefined ? {} : { keepAliveMs: options.sip.keepAliveMs }),
    ...edgeOf(
      ports,
      options.sip.directPingMs,
      (effect) => onEffect(effect),
      (flow, invite, role) => {
        const { location } = sip;
        const party = { flow, invite, role, location, domain: canonicalDomain, now: clock.now() };
        return { ...policy.mediaOf(accountAt(party) ?? ""), ...mediaOf(flow) };
      },
    ),
    ladder,
    ...(ports.observe ? { observe: ports.observe } : {}),
  });
  const isOurs = (host: string) => policy.isOurs(host);
  const sessions = new SessionDirectory({
    clock,
    entropy,
    log,
    bus,
    sip,
    options: {
      ...options.session,
      canonicalDomain,
      sentBy,
      localCalls,
      isOurs,
      ...(options.sip.timerSeconds === undefined ? {} : { timerSeconds: options.sip.timerSeconds }),
      outside: {
        addContactId: options.sip.addContactId,
        mayReach: (host) => isAllowedHost(options.sip.outsideAllow, host),
      },
    },
    ...trace,
  });
  const calls = new Calls({
    clock,
    entropy,
    log,
    media,
    bus,
    options: options.call,
    notify: (session, notice) => sessions.notify(session, notice),
    onCallGone: (session) => sessions.onCallGone(session),
    parseTarget: (session, text) => sessions.parseTarget(session, text),
    rights: {
      mayTransfer: (transferor, target) => trunks.mayTransfer(transferor, target),
      lend: (callId, transferor) => trunks.lend(callId, transferor),
      takeBack: (callId) => trunks.takeBack(callId),
    },
    ...abilities(ports),
    sendDtmf: (endpoint, digits) => sip.edge?.sendDtmf(endpoint, digits, DIGIT_MS) ?? "none",
    wireMedia: (dialog) => {
      const anchor = sip.edge?.anchorOf(dialog);
      return anchor && toSipMedia(anchor);
    },
    ladder,
    ...trace,
  });
  sessions.bind(calls);
  const trunks = new Trunks(
    {
      clock,
      entropy,
      log,
      bus,
      accounts: policy,
      domain: canonicalDomain,
      open: (outside) => sip.openOutside(outside),
      close: (agent) => sip.close(agent),
      learn: (agent, targets) => sip.learnServer(agent, targets),
      isAt: (agent, flow) => sip.isServerOf(agent, flow),
      send: (flow, bytes, message) => sip.sendRaw(flow, bytes, message),
      ...trace,
    },
    options.trunks ?? [],
    options.dialPlan ?? { outbound: [], inbound: [] },
  );
  policy.bindTrunks(trunks);
  sip.bindTrunks(trunks);
  mediaOf = (flow) => trunks.mediaOf(flow);
  onEffect = (effect) => {
    if (effect.type === "key-frame-request") calls.requestKeyFrame(effect.endpoint);
    else if (effect.type === "dtmf") {
      calls.hearDigit(effect.dialog.callId, effect.dialog.localTag, effect.digit);
    } else if (effect.type === "key-frame-wanted") {
      calls.askForKeyFrame(effect.dialog.callId, effect.dialog.localTag);
    } else if (effect.type === "transit-connected") {
      calls.archive.noteTransit(toTransitSummary(effect.transit));
    } else if (effect.type === "transit-ended") {
      calls.archive.addTransit(toEndedTransit(effect.transit, effect.reason, clock.epoch()));
    } else if (effect.type === "media-lost") {
      calls.loseMedia(effect.dialog.callId, effect.dialog.localTag, effect.text);
    } else if (effect.type === "party-lost") {
      calls.loseParty(effect.dialog.callId, effect.dialog.localTag);
    } else calls.missMedia(effect.dialog.callId, effect.dialog.localTag, effect.ms);
  };
  return { bus, sip, sessions, calls, trunks, ladder, protection };
}

/** Where nothing is said of them. */
const DEFAULT_PROTECTION: ProtectionOptions = {
  overload: { lagMs: 1_000, transactions: 190_000 },
  limitsLoopback: false,
  exempt: [],
};

function protect(
  { clock, entropy, log, wire }: PlanePorts,
  options: PlaneOptions,
  sip: () => SipService,
  isTrusted: (flow: Flow) => boolean,
): Protection {
  const ports = {
    clock,
    entropy,
    log,
    isTrusted,
    pass: (input: WireInput) => sip().receiveWire(input),
    send: (flow: Flow, bytes: Uint8Array) => wire?.send(flow, bytes),
    isFlowUsed: (flow: FlowId) => sip().isFlowUsed(flow),
    transactions: () => sip().proxyTransactions,
  };
  return new Protection(ports, options.protection ?? DEFAULT_PROTECTION);
}

/** The network, with what the guard does not let out. */
function guarded(wire: WirePort, protection: Protection): WirePort {
  return {
    send: (flow, bytes) => {
      if (protection.maySend(flow, bytes)) wire.send(flow, bytes);
    },
    resolve: (uri, done) => wire.resolve(uri, done),
    connect: (target, done) => wire.connect(target, done),
  };
}

type PartyMedia = (
  flow: Flow,
  invite: SipRequest,
  role: "caller" | "callee",
) => Partial<WireSettings>;
type TrunkMedia = (flow: Flow) => Partial<WireSettings> | undefined;

function edgeOf(
  ports: PlanePorts,
  pingMs: number | undefined,
  onEffect: (effect: EdgeEffect) => void,
  ofParty: PartyMedia,
) {
  const { rtp, media: webrtc, wireSettings = defaultSettings, trace } = ports;
  if (!rtp) return {};
  const settings: EdgePorts["settings"] = (flow, invite, role) => ({
    ...wireSettings(flow, invite),
    ...ofParty(flow, invite, role),
  });
  const able = abilities(ports);
  const ping = pingMs === undefined ? {} : { pingMs };
  return {
    edge: { rtp, webrtc, settings, onEffect, ...ping, ...able, ...(trace ? { trace } : {}) },
  };
}

function abilities({ codecs }: PlanePorts) {
  return codecs ? { transcodable: () => transcodable(codecs()) } : {};
}

function transcodable(codecs: readonly CodecView[]): ReadonlySet<string> {
  return new Set(codecs.flatMap(({ codec, available }) => available ? [codec] : []));
}

export function createPlane(ports: PlanePorts, options: PlaneOptions): Plane {
  const { clock, workers, codecs, codecWorkers } = ports;
  const { bus, sip, sessions, calls, trunks, ladder, protection } = build(ports, options);
  if (options.protection) protection.start();
  let onGone: (() => void) | undefined;
  bus.subscribe(undefined, (event) => {
    if (event.type === "session.ended" || event.type === "call.ended") {
      clock.defer(() => onGone?.());
    }
  });
  const queries = new Queries({
    clock,
    sessions,
    calls,
    sip,
    bus,
    ladder,
    workers,
    protection,
    ...(codecs ? { codecs } : {}),
    ...(codecWorkers ? { codecWorkers } : {}),
  }, {
    version: options.version,
    ownAddress: options.sip.sentBy,
  });
  const accounts = new Accounts({
    clock,
    sip,
    configured: options.sip.accounts,
    domain: options.sip.canonicalDomain,
    ...(ports.accounts ? { stored: ports.accounts } : {}),
  });
  const commands = new Commands({
    clock,
    sessions,
    calls,
    endTransit: (id) => sip.edge?.endTransit(id) ?? false,
    isTransit: (id) => sip.edge?.transit(id) !== undefined,
    restartWorker: (id) => ports.restartWorker?.(id) ?? false,
  });
  return {
    sessions,
    bus,
    receiveWire: (input) => protection.receive(input),
    isFlowUsed: (flow) => sip.isFlowUsed(flow),
    promisesLife: (flow) => sip.promisesLife(flow),
    isWelcome: (address) => protection.isWelcome(address),
    control: {
      health: () => queries.health(),
      sessions: (query) => queries.sessions(query),
      calls: (query) => queries.calls(query),
      call: (id) => queries.call(id),
      registrations: (query) => queries.registrations(query),
      protection: (query) => protection.view(query),
      liftProtection: (source) => protection.lift(source),
      trunks: () => trunks.views(),
      workers: () => queries.workers(),
      restartWorker: (id) => commands.restartWorker(id),
      accounts: (query) => accounts.list(query),
      createAccount: (account) => accounts.create(account),
      setAccountPassword: (name, password) => accounts.setPassword(name, password),
      grantAccount: (name, grants) => accounts.grant(name, grants),
      removeAccount: (name) => accounts.remove(name),
      endCall: (id) => commands.endCall(id),
      startCall: (request) => commands.startCall(request),
      messages: (id) => queries.messages(id),
      sendDtmf: (id, digits, method) => commands.sendDtmf(id, digits, method),
      setHold: (id, on, done) => commands.setHold(id, on, done),
      transferCall: (id, target, done) => commands.transferCall(id, target, done),
      endSession: (id) => commands.endSession(id),
      subscribe: (after, listener) => bus.subscribe(after, listener),
    },
    stop(done) {
      onGone = () => {
        if (sessions.size > 0 || calls.size > 0) return;
        onGone = undefined;
        trunks.stop(done);
      };
      sessions.endAll();
      clock.defer(() => onGone?.());
    },
    close() {
      protection.stop();
      sip.stop();
    },
    counts: () => ({
      sessions: sessions.size,
      calls: calls.size,
      trunks: trunks.size,
      loans: trunks.loans,
      ...sip.counts,
    }),
  };
}
