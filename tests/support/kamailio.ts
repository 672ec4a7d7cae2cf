import {
  type KamailioPlace,
  KamailioProcess,
  registrarRoute,
  TO_BINDINGS,
} from "./kamailio_process.ts";

/** Kamailio as a SIP server of others: registrar with digest, proxy with Record-Route. */

export const KAMAILIO_DOMAIN = "pbx.test";
/** Of everybody. */
export const KAMAILIO_PASSWORD = "s3cret";

const READY_MS = 20_000;

export class Kamailio implements AsyncDisposable {
  readonly port: number;
  readonly #process: KamailioProcess;

  private constructor(process: KamailioProcess) {
    this.port = process.place.port;
    this.#process = process;
  }

  /** On a free port of loopback, UDP and TCP. */
  static async start(path: string): Promise<Kamailio> {
    const kamailio = new Kamailio(
      await KamailioProcess.start({ path, memory: [32, 4], configuration }),
    );
    try {
      await kamailio.#answers();
      return kamailio;
    } catch (fault) {
      await kamailio[Symbol.asyncDispose]();
      throw fault;
    }
  }

  get output(): string {
    return this.#process.child.output;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]();
  }

  /** Asks by OPTIONS until it does. */
  async #answers(): Promise<void> {
    const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const { port } = socket.addr as Deno.NetAddr;
    const request = [
      `OPTIONS sip:127.0.0.1:${this.port} SIP/2.0`,
      `Via: SIP/2.0/UDP 127.0.0.1:${port};branch=z9hG4bKready;rport`,
      "Max-Forwards: 5",
      `From: <sip:test@127.0.0.1>;tag=ready`,
      `To: <sip:127.0.0.1:${this.port}>`,
      "Call-ID: ready",
      "CSeq: 1 OPTIONS",
      "",
      "",
    ].join("\r\n");
    const to = { transport: "udp", hostname: "127.0.0.1", port: this.port } as const;
    const ask = setInterval(() => void socket.send(new TextEncoder().encode(request), to), 100);
    const limit = Promise.withResolvers<never>();
    const timer = setTimeout(() => limit.reject(new Error("too late")), READY_MS);
    try {
      await Promise.race([socket.receive(), limit.promise, this.#process.child.ended(READY_MS)]);
    } catch {
      throw new Error(`Kamailio does not answer:\n${this.output}`);
    } finally {
      clearInterval(ask);
      clearTimeout(timer);
      socket.close();
    }
  }
}

function configuration({ port, modules }: KamailioPlace): string {
  const loaded = ["tm", "sl", "rr", "pv", "maxfwd", "siputils", "textops", "usrloc", "registrar"];
  return `#!KAMAILIO
debug=1
log_stderror=yes
children=2
tcp_children=2
auto_aliases=no
alias="${KAMAILIO_DOMAIN}"
listen=udp:127.0.0.1:${port}
listen=tcp:127.0.0.1:${port}
mpath="${modules}/"
${[...loaded, "auth"].map((name) => `loadmodule "${name}.so"`).join("\n")}
modparam("rr", "enable_full_lr", 1)
modparam("usrloc", "db_mode", 0)
modparam("registrar", "max_expires", 3600)

request_route {
  if (!mf_process_maxfwd_header("20")) { sl_send_reply("483", "Too Many Hops"); exit; }
  if (is_method("OPTIONS") && uri == myself && $rU == $null) { sl_send_reply("200", "OK"); exit; }
  ${registrarRoute(KAMAILIO_DOMAIN, KAMAILIO_PASSWORD)}
  if (from_uri == myself) {
    if (!pv_proxy_authenticate("${KAMAILIO_DOMAIN}", "${KAMAILIO_PASSWORD}", "0")) {
      proxy_challenge("${KAMAILIO_DOMAIN}", "0");
      exit;
    }
    consume_credentials();
  }
  ${TO_BINDINGS}
}
`;
}
