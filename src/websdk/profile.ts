import type { Result } from "../core/result.ts";
import { ok } from "../core/result.ts";
import type { SessionProfile } from "../actors/client.ts";
import { isUriHost } from "../actors/routing.ts";
import type { WebSdkOptions } from "./options.ts";
import type { FieldFault } from "./validation.ts";
import {
  checkAuthName,
  checkHost,
  checkPlain,
  checkUser,
  checkVisibleName,
  fault,
} from "./validation.ts";
import type { ConnectionData } from "./wire.ts";

const MAX_PASSWORD = 1024;
const MAX_APP_KEY = 128;
/** SIP Port where a client names none (RFC 3261 19.1.2). */
const DEFAULT_SIP_PORT = 5060;

/**
 * Who a client is, by its `connection`. Applications may give login, password and domain only;
 * what is absent then means: Port 5060, register, the login as auth name, the domain as proxy.
 *
 * @param raw the client's object as it came, for `getUserData`
 */
export function toProfile(
  data: ConnectionData,
  raw: unknown,
  options: WebSdkOptions,
): Result<SessionProfile, FieldFault> {
  const login = checkUser("sipLogin", data.sipLogin ?? "");
  if (!login.ok) return login;
  const authName = checkAuthName(
    "sipAuthenticationName",
    data.sipAuthenticationName || login.value,
  );
  if (!authName.ok) return authName;
  const password = checkLength("sipPassword", data.sipPassword ?? "", MAX_PASSWORD);
  if (!password.ok) return password;
  const appKey = checkPlain("appKey", data.appKey ?? "", MAX_APP_KEY);
  if (!appKey.ok) return appKey;
  const port = toPort(data.sipPort);
  if (!port.ok) return port;
  const place = toPlace(data, port.value, options);
  if (!place.ok) return place;
  const shown = data.sipVisibleName;
  const visibleName = shown ? checkVisibleName("sipVisibleName", shown) : ok(null);
  if (!visibleName.ok) return visibleName;
  return ok({
    appKey: appKey.value || "defaultApp",
    login: login.value,
    authName: authName.value,
    password: password.value,
    ...place.value,
    port: port.value,
    registerRequired: data.sipRegisterRequired ?? true,
    visibleName: visibleName.value,
    keepAlive: data.keepAlive ?? false,
    echo: toEcho(raw),
  });
}

function toPort(written: string | undefined): Result<number, FieldFault> {
  const digits = (written ?? "").trim();
  if (digits === "") return ok(DEFAULT_SIP_PORT);
  const port = /^\d{1,5}$/.test(digits) ? Number(digits) : NaN;
  return port <= 65535
    ? ok(port)
    : fault("sipPort", `${JSON.stringify(digits.slice(0, 40))} is not a port, 0 to 65535`);
}

/**
 * Domain and outbound proxy. On Port 0 they mean us whatever they say, so that only what could
 * harm a log or a header is refused; on another port they name our registrar, or a server of others
 * whose client the session becomes.
 */
function toPlace(
  data: ConnectionData,
  port: number,
  options: WebSdkOptions,
): Result<Pick<SessionProfile, "domain" | "outboundProxy" | "isOutside">, FieldFault> {
  if (port === 0) {
    for (const field of ["sipDomain", "sipOutboundProxy"] as const) {
      const checked = data[field] ? checkHost(field, data[field]) : ok("");
      if (!checked.ok) return checked;
    }
    return ok({ domain: options.domain, outboundProxy: options.domain });
  }
  const domain = checkHost("sipDomain", data.sipDomain ?? "");
  if (!domain.ok) return domain;
  const outboundProxy = checkHost("sipOutboundProxy", data.sipOutboundProxy || domain.value);
  if (!outboundProxy.ok) return outboundProxy;
  const place = { domain: domain.value, outboundProxy: outboundProxy.value };
  const isOurs = options.isOwnDomain(outboundProxy.value);
  if (isOurs && options.isOwnSipPort(port)) {
    return options.isOwnDomain(domain.value) ? ok(place) : fault(
      "sipDomain",
      `${domain.value} is not served here: take SIP Port 0, or a domain of this server`,
    );
  }
  if (options.mayReachOutside(outboundProxy.value)) {
    for (
      const [field, host] of [["sipDomain", domain], ["sipOutboundProxy", outboundProxy]] as const
    ) {
      if (!isUriHost(host.value)) return fault(field, `${host.value} can't stand in a SIP URI`);
    }
    return ok({ ...place, isOutside: true });
  }
  if (isOurs) return fault("sipPort", `${port} is a port of another server. ${NOT_ALLOWED}`);
  const field = data.sipOutboundProxy ? "sipOutboundProxy" : "sipDomain";
  return fault(field, `${outboundProxy.value}:${port} is not this server. ${NOT_ALLOWED}`);
}

const NOT_ALLOWED =
  "Servers of others that may be used are listed in sip.outside.allow: take SIP " +
  "Port 0, or this server's own domain and port";

/** A password may hold anything; it is only ever hashed. */
function checkLength(
  field: string,
  value: string,
  maxLength: number,
): Result<string, FieldFault> {
  return value.length <= maxLength
    ? ok(value)
    : fault(field, `has ${value.length} characters, and ${maxLength} are allowed`);
}

/**
 * The client's own object for `getUserData`, types as they came (Android reads them back into its
 * bean), without what must not come back.
 */
function toEcho(raw: unknown): Readonly<Record<string, unknown>> {
  const { sipPassword: _password, authToken: _token, status: _status, ...echo } = raw as Record<
    string,
    unknown
  >;
  return echo;
}
