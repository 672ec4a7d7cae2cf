/// <reference lib="dom" />
/** What the connection form holds: the fields of Phone Min. */
export interface Settings {
  readonly serverUrl: string;
  readonly login: string;
  /** Empty: the login. */
  readonly authName: string;
  readonly password: string;
  readonly domain: string;
  readonly outboundProxy: string;
  readonly port: string;
  readonly isRegisterRequired: boolean;
  readonly authToken: string;
}

const NAME_KEY = "portzero.name";
const TOKEN_KEY = "portzero.token";

/** The server is the one that served this page: it takes WebSockets on every port it serves. */
export function serverUrlOf(location: Pick<Location, "protocol" | "host">): string {
  return `${location.protocol === "https:" ? "wss:" : "ws:"}//${location.host}`;
}

/**
 * Prefilled so that only a name is missing. The name is kept for this tab alone (two windows of one
 * browser are two people), `?name=` in the address wins.
 */
export function initialSettings(location: Location): Settings {
  const host = location.hostname;
  return {
    serverUrl: serverUrlOf(location),
    login: queryOf(location, "name") || remembered(NAME_KEY),
    authName: "",
    password: "",
    domain: host,
    outboundProxy: host,
    port: "0",
    isRegisterRequired: false,
    authToken: remembered(TOKEN_KEY),
  };
}

/** `?call=`: whom to suggest as callee. */
export function suggestedCallee(location: Location): string {
  return queryOf(location, "call");
}

export function rememberLogin(name: string, authToken: string): void {
  try {
    sessionStorage.setItem(NAME_KEY, name);
    sessionStorage.setItem(TOKEN_KEY, authToken);
  } catch {
    // Storage may be switched off; then a reloaded page asks again.
  }
}

function queryOf(location: Location, key: string): string {
  return new URLSearchParams(location.search).get(key)?.trim() ?? "";
}

function remembered(key: string): string {
  try {
    return sessionStorage.getItem(key) ?? "";
  } catch {
    return "";
  }
}
