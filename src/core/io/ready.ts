import { isIpAddress } from "../config/schema.ts";
import { isWildcardHost } from "../config/loopback.ts";

/** Whether calls can be translated from and to a codec, and why not. */
export interface CodecFact {
  readonly codec: string;
  readonly available: boolean;
  readonly why: string | null;
}

/** What is served where, once it is; ports are those that the sockets really have. */
export interface ReadyFacts {
  readonly version: string;
  /** From the start of the process, ms. */
  readonly tookMs: number;
  /** As configured: an address, or one that stands for all. */
  readonly host: string;
  readonly isExposed: boolean;
  readonly ports: {
    readonly http: number;
    readonly tls: number;
    readonly rest: number;
    readonly restTls: number;
  };
  /** Absent: no SIP from outside. */
  readonly sip?: {
    /** As it stands in Contact and Via. */
    readonly host: string;
    readonly transports: readonly string[];
    readonly port: number;
    readonly tlsPort: number | undefined;
  };
  readonly media: {
    readonly addresses: readonly string[];
    readonly publicAddress: string;
    readonly portFrom: number;
    readonly portTo: number;
    readonly workers: number;
  };
  /** Codecs of the transcoders, or none of them is up yet; absent: calls are never transcoded. */
  readonly codecs?: "starting" | readonly CodecFact[];
  /** Addresses of the machine in its networks. */
  readonly lanAddresses: readonly string[];
  /** Names that the operator configured. */
  readonly hostNames: readonly string[];
  readonly isCertificateSelfSigned: boolean;
  /** Operator token; only an exposed server has one to show. */
  readonly token?: string;
  /** The token comes from the configuration, so whoever reads this has it. */
  readonly isTokenConfigured?: boolean;
}

const inUrl = (host: string) => isIpAddress(host) && host.includes(":") ? `[${host}]` : host;

/** Lines for standard output; the first has the word `ready`. */
export function readyLines(facts: ReadyFacts): string[] {
  const { ports, media, host, isExposed } = facts;
  const near = !isExposed || isWildcardHost(host) ? "localhost" : inUrl(host);
  const announced = media.publicAddress === ""
    ? media.addresses.join(", ")
    : `${media.addresses.join(", ")} (announced as ${media.publicAddress})`;
  const lines = [
    `Port Zero ${facts.version} ready in ${(facts.tookMs / 1000).toFixed(1)} s: ` +
    `phone http://${near}:${ports.http}/, operators' console http://${near}:${ports.http}/console`,
    `  Web SDK     ws://${near}:${ports.http}  wss://${near}:${ports.tls}`,
    `  REST        http://${near}:${ports.http}/api/docs ` +
    `(aliases: http ${ports.rest}, https ${ports.restTls})`,
    `  HTTPS       https://${near}:${ports.tls}/`,
    ...(facts.sip ? [`  SIP         ${sipLine(facts.sip)}`] : []),
    `  media       UDP ${media.portFrom}-${media.portTo} on ${announced}, ` +
    `${media.workers} ${media.workers === 1 ? "worker" : "workers"}`,
    `  codecs      ${codecWords(facts.codecs ?? [])}`,
  ];
  if (!isExposed) {
    lines.push("", `To call: open http://${near}:${ports.http}/ in two windows, with two names.`);
    return lines;
  }
  const others = [...facts.hostNames, ...(isWildcardHost(host) ? facts.lanAddresses : [host])];
  // A page over plain http from another machine gets no microphone, so only https is shown.
  const urls = [...new Set(others)].map((name) => `https://${inUrl(name)}:${ports.tls}/`);
  lines.push("", "Other machines reach it at:");
  lines.push(...(urls.length > 0 ? urls : ["(no network found)"]).map((url) => `  ${url}`));
  if (facts.isCertificateSelfSigned) {
    lines.push("  (the certificate is self-signed: the browser asks once)");
  }
  if (facts.token !== undefined) {
    const shown = facts.isTokenConfigured ? "as configured in api.token" : facts.token;
    lines.push(`Operator token for console and REST: ${shown}`);
  }
  return lines;
}

/** `OPUS, PCMU ... transcoded; missing: G729 (libbcg729 is not installed)`. */
export function codecWords(codecs: NonNullable<ReadyFacts["codecs"]>): string {
  if (codecs === "starting") return "still starting; the log will say, and /api/health";
  if (codecs.length === 0) return "no transcoding";
  const able = codecs.filter(({ available }) => available).map(({ codec }) => codec);
  const missing = codecs.filter(({ available }) => !available)
    .map(({ codec, why }) => why === null ? codec : `${codec} (${why})`);
  return `${able.join(", ")} transcoded` +
    (missing.length === 0 ? "" : `; missing: ${missing.join(", ")}`);
}

/** `udp+tcp 127.0.0.1:5060, tls 5061`. */
function sipLine({ host, transports, port, tlsPort }: NonNullable<ReadyFacts["sip"]>): string {
  const plain = transports.length === 0 ? [] : [`${transports.join("+")} ${inUrl(host)}:${port}`];
  const secure = tlsPort === undefined
    ? []
    : [plain.length > 0 ? `tls ${tlsPort}` : `tls ${inUrl(host)}:${tlsPort}`];
  const all = [...plain, ...secure];
  return all.length === 0 ? "WebSocket only" : all.join(", ");
}
