import type { PlaneOptions } from "../actors/plane.ts";
import type { ProtectionOptions } from "../actors/protection.ts";
import { isAllowedHost, isExposed } from "../core/config/loopback.ts";
import type { Config } from "../core/config/schema.ts";
import type { ServerCertificate } from "../core/io/certificate.ts";
import { VERSION } from "../core/io/start_up.ts";
import type { ListenerSpec } from "../rest/serve.ts";
import { DEFAULT_LIMITS, type WebSdkOptions } from "../websdk/options.ts";

/** From the configuration's keys, in seconds and words, to what each room wants to be told. */

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

export function planeOptions(
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
      ...(sip.timerSeconds === 0 ? {} : { timerSeconds: sip.timerSeconds }),
      userAgent: sip.userAgent,
      addContactId: sip.addContactId,
      outsideAllow: outsideAllow(config),
      directPingMs: sip.directPingSeconds * 1000,
      keepAliveMs: sip.outside.keepAliveSeconds * 1000,
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
      transactionsPerSource: limits.transactionsPerAddress,
    },
    overload: { lagMs: limits.lagMs, transactions: limits.transactions },
    limitsLoopback: limits.loopback,
    exempt: limits.exempt,
  };
}

export function webSdkOptions(
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

export function listenerSpecs(config: Config, certificate: ServerCertificate): ListenerSpec[] {
  const { host, port, tlsPort, restPort, restTlsPort } = config.http;
  const tls = { certificate: certificate.certificate, key: certificate.key };
  return [
    { name: "http", host, port },
    { name: "https", host, port: tlsPort, tls },
    { name: "rest", host, port: restPort },
    { name: "rest tls", host, port: restTlsPort, tls },
  ];
}
