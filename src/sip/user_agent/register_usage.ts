import { createRegister } from "../dialog/requests.ts";
import type { SipRequest, SipResponse } from "../message/mod.ts";
import { type Authorization, authorize, type Credentials } from "./credentials.ts";
import type { UserAgent } from "./user_agent.ts";

export type RegisterEvent =
  | { readonly type: "register.accepted"; readonly expiresSeconds: number }
  | {
    readonly type: "register.refused";
    readonly status: number;
    readonly reason: string;
    /** Credentials were tried and did not help, or there were none to try. */
    readonly authentication: boolean;
  };

export interface RegisterOptions {
  readonly agent: UserAgent;
  /** AoR as a URI, without brackets. */
  readonly aor: string;
  /** Request-URI: the registrar's domain. */
  readonly registrar: string;
  readonly credentials: Credentials | null;
}

/** The registration of one user agent (RFC 3261 10.2): one REGISTER at a time, digest included. */
export class RegisterUsage {
  readonly #options: RegisterOptions;
  readonly #emit: (event: RegisterEvent) => void;
  readonly #callId: string;
  readonly #fromTag: string;
  #sequence = 0;
  #disposed = false;

  constructor(options: RegisterOptions, emit: (event: RegisterEvent) => void) {
    this.#options = options;
    this.#emit = emit;
    this.#callId = options.agent.token(128);
    this.#fromTag = options.agent.token(64);
  }

  /** @param expiresSeconds 0 takes the binding away */
  send(expiresSeconds: number): void {
    this.#request(expiresSeconds, null, 0);
  }

  /** No event follows. */
  dispose(): void {
    this.#disposed = true;
  }

  #request(expires: number, authorization: Authorization["header"] | null, attempts: number): void {
    const { agent, aor, registrar } = this.#options;
    const request = createRegister({
      requestUri: registrar,
      aor,
      from: `<${aor}>;tag=${this.#fromTag}`,
      callId: this.#callId,
      sequence: ++this.#sequence,
      contact: `<${agent.contact}>`,
      expires,
      ...(authorization ? { headers: [authorization] } : {}),
    });
    agent.request(request, (event) => {
      if (this.#disposed) return;
      if (event.type === "failed") {
        const reason = event.text ?? "No answer from the registrar";
        const status = event.reason === "timeout" ? 408 : 503;
        return this.#emit({ type: "register.refused", status, reason, authentication: false });
      }
      if (event.response.status >= 200) {
        this.#onFinal(request, event.response, expires, attempts);
      }
    });
  }

  #onFinal(request: SipRequest, response: SipResponse, expires: number, attempts: number): void {
    const { status, reason } = response;
    if (status < 300) {
      const granted = this.#granted(response) ?? expires;
      return this.#emit({ type: "register.accepted", expiresSeconds: granted });
    }
    if (status === 401 || status === 407) {
      const { agent, credentials } = this.#options;
      const answer = authorize(request, response, credentials, agent.token(64));
      // Once, and once more where only the nonce had become stale.
      if (answer && (attempts === 0 || (attempts === 1 && answer.stale))) {
        return this.#request(expires, answer.header, attempts + 1);
      }
      return this.#emit({ type: "register.refused", status, reason, authentication: true });
    }
    const minimum = Number(response.headers.get("Min-Expires"));
    if (status === 423 && minimum > expires && attempts < 2) {
      return this.#request(minimum, null, attempts + 1);
    }
    this.#emit({ type: "register.refused", status, reason, authentication: status === 403 });
  }

  #granted(response: SipResponse): number | undefined {
    const { contacts } = response;
    if (contacts === "*") return undefined;
    const own = contacts.find((contact) => contact.uri.toString() === this.#options.agent.contact);
    const text = own?.params.get("expires");
    return text === undefined || text === null ? response.expires : Number(text);
  }
}
