/**
 * Composition root: reads the configuration, ties the rooms together, serves, and ends in order.
 * Everything is made here and handed on; nothing imports this file.
 */
import { join } from "node:path";
import { defaultSettings } from "./src/actors/edge/contract.ts";
import { createPlane } from "./src/actors/plane.ts";
import { isExposed } from "./src/core/config/loopback.ts";
import type { Config } from "./src/core/config/schema.ts";
import { ensureCertificate } from "./src/core/io/certificate.ts";
import { ensureDataDirectory, ensureOperatorToken } from "./src/core/io/files.ts";
import { containUnhandled, superviseLife } from "./src/core/io/life.ts";
import { type LogSystem, setUpLogging } from "./src/core/io/logging.ts";
import { lanAddresses, mediaAddresses, ownNames } from "./src/core/io/network.ts";
import { readyLines } from "./src/core/io/ready.ts";
import { printLines, refuseToStart, startUp, VERSION } from "./src/core/io/start_up.ts";
import { systemClock } from "./src/core/io/system_clock.ts";
import { systemEntropy } from "./src/core/io/system_entropy.ts";
import { giveBackSpareMemory } from "./src/core/io/spare_memory.ts";
import type { Result } from "./src/core/result.ts";
import { startMedia } from "./src/house/media.ts";
import { codecFacts, codecsStarted, startCodecs } from "./src/house/transcoders.ts";
import { listenerSpecs, planeOptions, webSdkOptions } from "./src/house/options.ts";
import { openSip } from "./src/house/sip.ts";
import { supervise } from "./src/house/supervise.ts";
import { createWebApp } from "./src/rest/app.ts";
import { createPages } from "./src/rest/pages/pages.ts";
import { startListeners } from "./src/rest/serve.ts";
import type { PoolWorkerEvent } from "./src/rtp/io/start_pool.ts";
import { hostPort } from "./src/sip/flow.ts";
import { SipStore } from "./src/sip/io/store.ts";
import { WebSdkConnection } from "./src/websdk/connection.ts";

/** RFC 7118 4.1. */
const SIP_SUB_PROTOCOL = "sip";

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
  const transcoders = startCodecs(config, logs);
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
    startMedia(config, addresses, transcoders, logs, (event) => onWorkerEvent(event)),
    codecsStarted(transcoders),
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
      restartWorker: (id) => media.restartWorker(id),
      ...(transcoders
        ? { codecs: () => transcoders.availability(), codecWorkers: () => transcoders.workers() }
        : {}),
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
    limits: {
      socketsPerAddress: config.session.maxPerAddress,
      isLoopbackLimited: config.sip.limits.loopback,
    },
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
  if (!started.ok) refuseToStart(started.error);
  const listeners = started.value;
  // SIP over WebSocket comes in on the ports of the web.
  ownPorts = [...ownPorts, ...listeners.listeners.map(({ port }) => port)];
  if (config.media.ffi) giveBackSpareMemory();
  superviseLife({
    log,
    shutdown: supervise({ plane, listeners, sip, media, transcoders, store }, log),
  });
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
    codecs: codecFacts(transcoders),
    lanAddresses: lan,
    hostNames: config.http.allowedHosts,
    isCertificateSelfSigned: certificate.isSelfSigned,
    ...(token === undefined ? {} : { token, isTokenConfigured: config.api.token !== "" }),
  }));
}

/** The value, or the end of the process with the sentence that says why. */
function orRefuse<T>(result: Result<T, string>): T {
  return result.ok ? result.value : refuseToStart([result.error]);
}
