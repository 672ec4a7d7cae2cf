/**
 * The smallest server on the real start and end of the process: configuration, log, data folder,
 * certificate, one HTTP and one HTTPS port. Prints the ready lines; `GET /slow-end` makes its end
 * take the milliseconds of the query `ms`,
 * `GET /fault` throws or rejects where nobody catches it.
 */
import { isExposed, isWildcardHost } from "../../src/core/config/loopback.ts";
import { ensureCertificate } from "../../src/core/io/certificate.ts";
import { ensureDataDirectory, ensureOperatorToken } from "../../src/core/io/files.ts";
import { containUnhandled, superviseLife } from "../../src/core/io/life.ts";
import { setUpLogging } from "../../src/core/io/logging.ts";
import { lanAddresses, mediaAddresses, ownNames } from "../../src/core/io/network.ts";
import { readyLines } from "../../src/core/io/ready.ts";
import { printLines, refuseToStart, startUp, VERSION } from "../../src/core/io/start_up.ts";
import { systemClock } from "../../src/core/io/system_clock.ts";
import { systemEntropy } from "../../src/core/io/system_entropy.ts";
import type { Result } from "../../src/core/result.ts";

function orRefuse<T>(result: Result<T, string>): T {
  return result.ok ? result.value : refuseToStart([result.error]);
}

const { config, warnings } = startUp(Deno.args);
const log = setUpLogging(config.log).log("process");
containUnhandled(log);
for (const warning of warnings) log.warn(warning);
const addresses = orRefuse(mediaAddresses(config));
const { directory } = config.data;
orRefuse(ensureDataDirectory(directory, systemEntropy));
const lan = lanAddresses();
const certificate = orRefuse(
  await ensureCertificate({
    certificateFile: config.tls.certificate,
    keyFile: config.tls.key,
    directory,
    names: ownNames(config, lan),
    clock: systemClock,
    entropy: systemEntropy,
  }),
);
if (certificate.warning !== undefined) log.warn(certificate.warning);
const token = isExposed(config)
  ? orRefuse(ensureOperatorToken(config.api.token, directory, systemEntropy))
  : undefined;

let endMs = 0;
const handler = (request: Request) => {
  const url = new URL(request.url);
  if (url.pathname === "/slow-end") endMs = Number(url.searchParams.get("ms"));
  if (url.pathname === "/fault") {
    const fault = new Error(`${url.searchParams.get("kind")} it`);
    if (fault.message === "throw it") {
      setTimeout(() => {
        throw fault;
      }, 0);
    } else void Promise.reject(fault);
  }
  return new Response(String(Deno.pid));
};
const common = { hostname: config.http.host, onListen() {} };
const plain = Deno.serve({ ...common, port: config.http.port }, handler);
const { certificate: cert, key } = certificate;
const secure = Deno.serve({ ...common, port: config.http.tlsPort, cert, key }, handler);
superviseLife({
  log,
  deadlineMs: 3000,
  async shutdown() {
    await new Promise((resolve) => setTimeout(resolve, endMs));
    await Promise.all([plain.shutdown(), secure.shutdown()]);
  },
});
printLines(readyLines({
  version: VERSION,
  tookMs: performance.now(),
  host: config.http.host,
  isExposed: isExposed(config),
  ports: { http: plain.addr.port, tls: secure.addr.port, rest: 0, restTls: 0 },
  media: { ...config.media, addresses, workers: 1 },
  lanAddresses: isWildcardHost(config.http.host) ? lan : [],
  hostNames: config.http.allowedHosts,
  isCertificateSelfSigned: certificate.isSelfSigned,
  ...(token === undefined ? {} : { token, isTokenConfigured: config.api.token !== "" }),
}));
