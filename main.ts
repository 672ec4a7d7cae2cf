/**
 * Composition root: reads the configuration, ties the rooms together, serves, and ends in order.
 * Everything is made here and handed on; nothing imports this file.
 */
import { join } from "node:path";
import { defaultSettings } from "./src/actors/edge/contract.ts";
import { ListenerGroup } from "./src/actors/listeners.ts";
import { keepWorkers } from "./src/actors/media_worker.ts";
import { createPlane, type Plane, type PlaneOptions } from "./src/actors/plane.ts";
import {
  isAllowedHost,
  isExposed,
  isLoopbackHost,
  isWildcardHost,
} from "./src/core/config/loopback.ts";
import type { Config } from "./src/core/config/schema.ts";
import type { ProtectionOptions } from "./src/actors/protection.ts";
import { Supervisor } from "./src/actors/supervisor.ts";
import { ensureCertificate, type ServerCertificate } from "./src/core/io/certificate.ts";
import { ensureDataDirectory, ensureOperatorToken } from "./src/core/io/files.ts";
import { containUnhandled, superviseLife } from "./src/core/io/life.ts";
import { type LogSystem, setUpLogging } from "./src/core/io/logging.ts";
import { lanAddresses, mediaAddresses, ownNames } from "./src/core/io/network.ts";
import { readyLines } from "./src/core/io/ready.ts";
import { printLines, refuseToStart, startUp, VERSION } from "./src/core/io/start_up.ts";
import { systemClock } from "./src/core/io/system_clock.ts";
import { systemEntropy } from "./src/core/io/system_entropy.ts";
import type { Log } from "./src/core/log.ts";
import type { Result } from "./src/core/result.ts";
import { createWebApp } from "./src/rest/app.ts";
import { createPages } from "./src/rest/pages/pages.ts";
import { type Listeners, type ListenerSpec, startListeners } from "./src/rest/serve.ts";
import {
  createMediaPool,
  type PoolWorkerEvent,
  type RunningMediaPool,
} from "./src/rtp/io/start_pool.ts";
import { hostPort } from "./src/sip/flow.ts";
import { SipNetwork } from "./src/sip/io/network.ts";
import { SipResolver } from "./src/sip/io/resolver.ts";
import { SipStore } from "./src/sip/io/store.ts";
import { SipTransports } from "./src/sip/io/transports.ts";
import type { ClientTransport } from "./src/sip/resolve/target.ts";
import type { WirePort } from "./src/sip/wire.ts";
import { WebSdkConnection } from "./src/websdk/connection.ts";
import { DEFAULT_LIMITS, type WebSdkOptions } from "./src/websdk/options.ts";

/** Left for sockets and workers after the last call has ended, ms. */
const CLOSE_GRACE_MS = 1_500;
/** How long calls and sessions may take to end, ms; with the rest it stays under the 10 s promised. */
const CALLS_GRACE_MS = 5_000;

/** RFC 7118 4.1. */
const SIP_SUB_PROTOCOL = "sip";
/** How we go out where the far end leaves the choice to us (RFC 3263 4.1). */
const CLIENT_TRANSPORTS: readonly ClientTransport[] = ["UDP", "TCP", "TLS"];

/** Validity of a session's binding at our registrar, refreshed at half of it. */
const REGISTRATION_SECONDS = 3_600;
/** What a source may do a second, it may do this many seconds' worth of at once. */
const BURST_SECONDS = 10;
/** `sip.limits.failures` are within this time. */
const FAILURES_SECONDS = 600;
/** The lab's own accounts, on loopback only: 1000 to 1019 and 3000 to 3019. */
const LAB_NUMBERS = [1000, 3000].flatMap((first) =>
  Array.from({ length: 20 }, (_, index) => first + index)
);

const { config, warnings } = startUp(Deno.args);
const logs = setUpLogging({ level: config.log.level, format: config.log.format });
const log = logs.log("main");
containUnhandled(log);
for (const warning of warnings) log.warn(warning);
await run(config, logs);

async function run(config: Config, logs: LogSystem): Promise<void> {
  const exposed = isExposed(config);
  const lan = lanAddresses();
  const names = ownNames(config, lan);
  const directory = config.data.directory;
  orRefuse(ensureDataDirectory(directory, systemEntropy));
  const token = exposed || config.api.token !== ""
    ? orRefuse(ensureOperatorToken(config.api.token, directory, systemEntropy))
    : undefined;
  const addresses = orRefuse(mediaAddresses(config));
  // The pool starts beside the control plane that will hear of its workers.
  let onWorkerEvent: (event: PoolWorkerEvent) => void = () => {};
  const [certificate, pages, media] = await Promise.all([
    ensureCertificate({
      certificateFile: config.tls.certificate,
      keyFile: config.tls.key,
      directory,
      names,
      clock: systemClock,
      entropy: systemEntropy,
    }).then(orRefuse),
    createPages({ cache: join(directory, "pages"), log: logs.log("web") }),
    startMedia(config, addresses, logs, (event) => onWorkerEvent(event)),
  ]);
  if (certificate.warning !== undefined) log.warn(certificate.warning);

  const store = orRefuse(SipStore.open({
    file: config.data.memory ? null : join(directory, "sip.sqlite"),
    clock: systemClock,
    log: logs.log("sip"),
  }));
  const sip = await openSip(config, certificate, lan, logs);
  const hosts = ["localhost", "127.0.0.1", "::1", ...lan, ...names, ...config.sip.domains];
  let ownPorts: readonly number[] = [sip.port, sip.network.addresses.tlsPort ?? 0];
  const plane = createPlane(
    {
      clock: systemClock,
      entropy: systemEntropy,
      log: logs.log("calls"),
      media,
      rtp: media,
      workers: () => media.workers(),
      wire: sip.wire,
      wireSettings: (flow) => ({ ...defaultSettings(flow), media: config.sip.media }),
      bindings: store.bindings,
      accounts: store.accounts,
    },
    planeOptions(config, hosts, hostPort(sip.host, sip.port), () => ownPorts),
  );
  sip.plug(plane);
  onWorkerEvent = ({ type, worker, text }) => {
    if (type !== "worker.stopped") plane.bus.publish(type, { worker, text });
  };
  const websdk = webSdkOptions(config, hosts, sip.port);
  const app = createWebApp({
    controlPlane: plane.control,
    pages,
    log: logs.log("web"),
    isExposed: exposed,
    ...(token === undefined ? {} : { token }),
    allowedHosts: [...names, ...lan, config.media.publicAddress].filter((host) => host !== ""),
    allowedOrigins: config.http.allowedOrigins,
    version: VERSION,
    subProtocols: [SIP_SUB_PROTOCOL],
    limits: { socketsPerAddress: config.session.maxPerAddress },
    onSocket: (socket, { protocol, isSecure }) =>
      protocol === SIP_SUB_PROTOCOL
        ? sip.transports.attachWebSocket(
          socket,
          isSecure,
          hostPort(sip.host, portOf(isSecure ? "https" : "http")),
        )
        : new WebSdkConnection({
          socket,
          sessions: plane.sessions,
          clock: systemClock,
          options: websdk,
          log: logs.log("websdk"),
        }),
  });
  const started = await startListeners(
    listenerSpecs(config, certificate),
    app,
    logs.log("web"),
    systemClock,
  );
  if (!started.ok) refuseToStart([started.error]);
  const listeners = started.value;
  // SIP over WebSocket comes in on the ports of the web.
  ownPorts = [...ownPorts, ...listeners.listeners.map(({ port }) => port)];
  superviseLife({ log, shutdown: supervise({ plane, listeners, sip, media, store }, log) });
  const portOf = (name: string) =>
    listeners.listeners.find((listener) => listener.name === name)?.port ?? 0;
  printLines(readyLines({
    version: VERSION,
    tookMs: performance.now(),
    host: config.http.host,
    isExposed: exposed,
    ports: {
      http: portOf("http"),
      tls: portOf("https"),
      rest: portOf("rest"),
      restTls: portOf("rest tls"),
    },
    sip: { host: sip.host, ...sip.network.addresses },
    media: {
      addresses,
      publicAddress: config.media.publicAddress,
      portFrom: config.media.portFrom,
      portTo: config.media.portTo,
      workers: media.workers().length,
    },
    lanAddresses: lan,
    hostNames: config.http.allowedHosts,
    isCertificateSelfSigned: certificate.isSelfSigned,
    ...(token === undefined ? {} : { token, isTokenConfigured: config.api.token !== "" }),
  }));
}

function startMedia(
  config: Config,
  addresses: readonly string[],
  logs: LogSystem,
  onEvent: (event: PoolWorkerEvent) => void,
): Promise<RunningMediaPool> {
  const { workers, publicAddress, portFrom, portTo, ffi, silenceTimeoutSeconds } = config.media;
  const media = logs.log("media");
  return createMediaPool({
    clock: systemClock,
    entropy: systemEntropy,
    keepWorker: keepWorkers(systemClock),
    workers: workers === "auto" ? Math.max(1, navigator.hardwareConcurrency - 1) : workers,
    addresses,
    ...(publicAddress === "" ? {} : { publicAddress }),
    portRange: [portFrom, portTo],
    ffi,
    ...(silenceTimeoutSeconds === 0 ? {} : { silentAfterMs: silenceTimeoutSeconds * 1000 }),
    log: (level, text, fields) => media[level](text, fields),
    onWorkerEvent: onEvent,
  }).catch((fault) => refuseToStart([fault instanceof Error ? fault.message : String(fault)]));
}

interface RunningSip {
  readonly transports: SipTransports;
  readonly network: SipNetwork;
  readonly wire: WirePort;
  /** What stands in Contact and Via. */
  readonly host: string;
  readonly port: number;
  /** From now on `plane` hears what comes in; phones that came before repeat themselves. */
  plug(plane: Plane): void;
  close(deadlineMs: number): Promise<void>;
}

/** The network's side of SIP, listening, or the end of the process with the reason. */
async function openSip(
  config: Config,
  certificate: ServerCertificate,
  lan: readonly string[],
  logs: LogSystem,
): Promise<RunningSip> {
  const { sip, http } = config;
  const { limits } = sip;
  let plane: Plane | undefined;
  const common = { clock: systemClock, log: logs.log("sip") };
  const transports = new SipTransports({
    ...common,
    limits: {
      connections: limits.connections,
      connectionsPerAddress: limits.connectionsPerAddress,
      udpFlows: limits.udpPeers,
      messageBytes: limits.messageBytes,
      idleMs: limits.idleSeconds * 1000,
      messageMs: limits.messageSeconds * 1000,
    },
    onInput: (input) => plane?.receiveWire(input),
    isFlowUsed: (flow) => plane?.isFlowUsed(flow) ?? false,
  });
  const exposed = isExposed(config);
  const own = isWildcardHost(http.host) ? lan[0] ?? sip.host : http.host;
  const host = exposed && isLoopbackHost(sip.host) ? own : sip.host;
  const network = new SipNetwork(transports, {
    bindHost: exposed ? http.host : sip.host,
    advertisedHost: host,
    port: sip.port,
    udp: sip.udp,
    tcp: sip.tcp,
    ...(sip.tls ? { tls: { ...certificate, port: sip.tlsPort } } : {}),
  });
  const group = new ListenerGroup(common);
  const fault = await new Promise<string | undefined>((done) => group.open(network.ports, done));
  if (fault !== undefined) refuseToStart([fault]);
  const resolver = new SipResolver({
    ...common,
    entropy: systemEntropy,
    transports: CLIENT_TRANSPORTS,
    ipv6: host.includes(":") || http.host === "::",
  });
  return {
    transports,
    network,
    host,
    port: network.addresses.port,
    wire: {
      send: (flow, bytes) => transports.send(flow, bytes),
      resolve: (uri, done) => void resolver.resolve(uri).then(done),
      connect: (target, done) => void transports.connect(target).then(done),
    },
    plug: (made) => plane = made,
    async close(deadlineMs) {
      await new Promise<void>((done) => group.close(deadlineMs, done));
      await transports.close(deadlineMs);
    },
  };
}

function planeOptions(
  config: Config,
  hosts: readonly string[],
  sentBy: string,
  ownPorts: () => readonly number[],
): PlaneOptions {
  const { sip, session, media } = config;
  return {
    version: VERSION,
    protection: protectionOptions(config),
    trunks: config.trunks,
    dialPlan: config.dialPlan,
    call: {
      ringTimeoutMs: sip.ringTimeoutSeconds * 1000,
      setupTimeoutMs: media.setupTimeoutSeconds * 1000,
      silenceTimeoutMs: media.silenceTimeoutSeconds === 0
        ? Infinity
        : media.silenceTimeoutSeconds * 1000,
      rejectStatus: sip.rejectStatus,
    },
    session: {
      reachableMs: session.reachableSeconds * 1000,
      pushReachableMs: session.pushReachableSeconds * 1000,
      tokenMs: session.tokenSeconds * 1000,
      registrationSeconds: REGISTRATION_SECONDS,
      // The client is told within the time, so that the answer is a little earlier.
      outsideAnswerMs: sip.outside.answerSeconds * 1000 - 300,
    },
    sip: {
      sentBy,
      canonicalDomain: canonicalDomain(config),
      hosts,
      localCalls: sip.localCalls,
      userAgent: sip.userAgent,
      addContactId: sip.addContactId,
      outsideAllow: outsideAllow(config),
      isOwnPort: (port) => ownPorts().includes(port),
      accounts: [...sip.accounts, ...(config.lab.accounts ? labAccounts() : [])],
    },
  };
}

function protectionOptions({ sip: { limits } }: Config): ProtectionOptions {
  const size = (perSecond: number) => ({ perSecond, burst: perSecond * BURST_SECONDS });
  return {
    limits: {
      registrations: size(limits.registrationsPerSecond),
      requests: size(limits.requestsPerSecond),
      failures: { burst: limits.failures, perSecond: limits.failures / FAILURES_SECONDS },
      blockMs: limits.blockSeconds * 1000,
      calls: limits.calls,
      callsPerSource: limits.callsPerAddress,
    },
    overload: { lagMs: limits.lagMs, transactions: limits.transactions },
    limitsLoopback: limits.loopback,
    exempt: limits.exempt,
  };
}

function webSdkOptions(
  config: Config,
  hosts: readonly string[],
  sipPort: number,
): WebSdkOptions {
  const own = new Set([canonicalDomain(config), ...hosts].map((host) => host.toLowerCase()));
  return {
    isOwnDomain: (host) => own.has(host.toLowerCase()),
    isOwnSipPort: (port) => port === sipPort,
    mayReachOutside: (host) => isAllowedHost(outsideAllow(config), host),
    domain: canonicalDomain(config),
    busyStatus: config.sip.busyStatus,
    limits: {
      ...DEFAULT_LIMITS,
      pingInterval: config.session.pingIntervalSeconds * 1000,
      pingProbes: config.session.pingProbes,
    },
  };
}

function outsideAllow(config: Config): readonly string[] {
  const { allow } = config.sip.outside;
  return allow === "auto" ? (isExposed(config) ? [] : ["*"]) : allow;
}

function canonicalDomain(config: Config): string {
  return (config.sip.domains[0] ?? "localhost").toLowerCase();
}

function labAccounts(): { name: string; password: string }[] {
  return LAB_NUMBERS.map((number) => ({ name: String(number), password: "1234" }));
}

function listenerSpecs(config: Config, certificate: ServerCertificate): ListenerSpec[] {
  const { host, port, tlsPort, restPort, restTlsPort } = config.http;
  const tls = { certificate: certificate.certificate, key: certificate.key };
  return [
    { name: "http", host, port },
    { name: "https", host, port: tlsPort, tls },
    { name: "rest", host, port: restPort },
    { name: "rest tls", host, port: restTlsPort, tls },
  ];
}

interface House {
  readonly plane: Plane;
  readonly listeners: Listeners;
  readonly sip: RunningSip;
  readonly media: RunningMediaPool;
  readonly store: SipStore;
}

/** What runs, in the order of its start; it ends in reverse (`docs/closures.md`). */
function supervise({ plane, listeners, sip, media, store }: House, log: Log) {
  const supervisor = new Supervisor({
    name: "house",
    strategy: "rest_for_one",
    intensity: { restarts: 0, periodMs: 1_000 },
    clock: systemClock,
    log,
    onGiveUp: (id) => log.error("a part of the house is gone", { id }),
  });
  const child = (id: string, shutdownMs: number, end: () => Promise<void>) =>
    supervisor.start({
      id,
      restart: "temporary",
      shutdownMs,
      start: (onExit) => ({
        stop: () =>
          void end().then(
            () => onExit({ kind: "normal" }),
            (error) => onExit({ kind: "fault", error }),
          ),
      }),
    });
  child("media workers", CLOSE_GRACE_MS, () => media.close());
  child("sip", 2 * CLOSE_GRACE_MS, () => sip.close(CLOSE_GRACE_MS));
  child("listeners", 2 * CLOSE_GRACE_MS, () => listeners.shutdown(CLOSE_GRACE_MS));
  // Calls end by BYE and clients are told while their sockets and endpoints are still there.
  child("calls", CALLS_GRACE_MS, async () => {
    await new Promise<void>((resolve) => plane.stop(resolve));
    plane.close();
    store.close();
  });
  return () => new Promise<void>((resolve) => supervisor.stop(resolve));
}

/** The value, or the end of the process with the sentence that says why. */
function orRefuse<T>(result: Result<T, string>): T {
  return result.ok ? result.value : refuseToStart([result.error]);
}
