import { ListenerGroup } from "../actors/listeners.ts";
import type { Plane } from "../actors/plane.ts";
import { isExposed, isLoopbackHost, isWildcardHost } from "../core/config/loopback.ts";
import type { Config } from "../core/config/schema.ts";
import type { ServerCertificate } from "../core/io/certificate.ts";
import type { LogSystem } from "../core/io/logging.ts";
import { refuseToStart } from "../core/io/start_up.ts";
import { systemClock } from "../core/io/system_clock.ts";
import { systemEntropy } from "../core/io/system_entropy.ts";
import { SipNetwork } from "../sip/io/network.ts";
import { SipResolver } from "../sip/io/resolver.ts";
import { SipTransports } from "../sip/io/transports.ts";
import type { ClientTransport } from "../sip/resolve/target.ts";
import type { WirePort } from "../sip/wire.ts";

/** How we go out where the far end leaves the choice to us (RFC 3263 4.1). */
const CLIENT_TRANSPORTS: readonly ClientTransport[] = ["UDP", "TCP", "TLS"];

export interface RunningSip {
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
export async function openSip(
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
    promisesLife: (flow) => plane?.promisesLife(flow) ?? false,
    isWelcome: (address) => plane?.isWelcome(address) ?? true,
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
  const faults = await new Promise<readonly string[]>((done) => group.open(network.ports, done));
  if (faults.length > 0) refuseToStart(faults);
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
