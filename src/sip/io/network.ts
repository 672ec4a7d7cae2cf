import { type ListenFault, listenFault } from "../../core/listen_fault.ts";
import { err, type Result } from "../../core/result.ts";
import type { ListenSpec, SipListener } from "./contract.ts";
import type { SipTransports } from "./transports.ts";

/** What is listened on, as the configuration says it. */
export interface NetworkOptions {
  readonly bindHost: string;
  readonly advertisedHost: string;
  /** Of UDP and TCP; 0: a free one, the same for both. */
  readonly port: number;
  readonly udp: boolean;
  readonly tcp: boolean;
  /** Absent: no TLS. */
  readonly tls?: { readonly port: number; readonly certificate: string; readonly key: string };
}

/** What a listener of ours tells, in the words of the machine that drives it. */
export type PortEvent =
  | { readonly type: "opened" }
  | { readonly type: "open.failed"; readonly why: string }
  | { readonly type: "lost"; readonly why: string };

export interface SipPort {
  readonly name: string;
  readonly port: {
    open(tell: (event: PortEvent) => void): void;
    close(deadlineMs: number, done: () => void): void;
  };
}

/** What is served once all is open. */
export interface NetworkAddresses {
  readonly transports: readonly ("udp" | "tcp")[];
  readonly port: number;
  readonly tlsPort: number | undefined;
}

/** Free ports are drawn this often where UDP and TCP must agree on one. */
const MOST_DRAWS = 20;

/** The SIP listeners of the configuration, each a port of the `listener` machine. */
export class SipNetwork {
  readonly #transports: SipTransports;
  readonly #options: NetworkOptions;
  #port: number;
  #tlsPort: number | undefined;

  constructor(transports: SipTransports, options: NetworkOptions) {
    this.#transports = transports;
    this.#options = options;
    this.#port = options.port;
    this.#tlsPort = options.tls?.port;
  }

  /** To be opened in this order: a free port is drawn by the first. */
  get ports(): readonly SipPort[] {
    const { udp, tcp, tls } = this.#options;
    return [
      ...udp ? [this.#sipPort("UDP")] : [],
      ...tcp ? [this.#sipPort("TCP")] : [],
      ...tls ? [this.#sipPort("TLS")] : [],
    ];
  }

  /** Known once all is open. */
  get addresses(): NetworkAddresses {
    const { udp, tcp } = this.#options;
    const transports = [...udp ? ["udp" as const] : [], ...tcp ? ["tcp" as const] : []];
    return { transports, port: this.#port, tlsPort: this.#tlsPort };
  }

  #sipPort(transport: ListenSpec["transport"]): SipPort {
    let listener: SipListener | undefined;
    return {
      name: `sip ${transport.toLowerCase()}`,
      port: {
        open: (tell) => {
          const opened = this.#open(transport, (why) => tell({ type: "lost", why }));
          if (!opened.ok) return tell({ type: "open.failed", why: opened.error.text });
          listener = opened.value;
          if (transport === "TLS") this.#tlsPort = listener.port;
          else this.#port = listener.port;
          tell({ type: "opened" });
        },
        close: (_deadlineMs, done) => {
          listener?.close();
          done();
        },
      },
    };
  }

  #open(
    transport: ListenSpec["transport"],
    onLost: (why: string) => void,
  ): Result<SipListener, ListenFault> {
    const { tls, tcp, bindHost: host, advertisedHost } = this.#options;
    const common = { transport, host, advertisedHost };
    if (transport === "TLS") {
      const spec = { ...common, port: this.#tlsPort ?? 0, ...(tls ? { tls } : {}) };
      return this.#transports.listen(spec, onLost);
    }
    if (transport === "TCP" || !tcp || this.#port !== 0) {
      return this.#transports.listen({ ...common, port: this.#port }, onLost);
    }
    for (let draw = 1;; draw++) {
      const opened = this.#transports.listen({ ...common, port: 0 }, onLost);
      if (!opened.ok) return opened;
      const { port } = opened.value;
      try {
        Deno.listen({ hostname: host, port }).close();
        return opened;
      } catch (error) {
        opened.value.close();
        if (draw === MOST_DRAWS) return err(listenFault({ name: "sip tcp", host, port }, error));
      }
    }
  }
}
