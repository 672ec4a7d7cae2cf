import type { Certificate } from "../../../src/rtp/contract.ts";
import { DtlsContext } from "../../../src/rtp/io/ffi/dtls_context.ts";
import { DTLS_CTRL_HANDLE_TIMEOUT } from "../../../src/rtp/io/ffi/libssl.ts";
import { checkOf } from "../relay/greeting.ts";
import { cpuTimeOf, residentKb } from "./processes.ts";

/**
 * Handshakes one after the other with a DTLS server on loopback, by OpenSSL: `dtls_client.ts
 * ORDER`. Each has a socket, and so a port, of its own. Prints what they cost the server as a line
 * of JSON.
 */
export interface Order {
  readonly port: number;
  /** Whose CPU time and memory are read. */
  readonly pid: number;
  readonly count: number;
  /** Where the sockets' ports begin: none is used twice, since servers know far ends by them. */
  readonly firstPort: number;
  readonly certificate: Pick<Certificate, "certificatePem" | "keyPem">;
  /** Whether the server takes the next one only when this one has said goodbye. */
  readonly closes: boolean;
  /** ICE credentials of the far ends, one for each handshake; empty: no checks are sent. */
  readonly checks: readonly { readonly iceUfrag: string; readonly icePwd: string }[];
}

export interface Outcome {
  readonly count: number;
  /** The first port that was not used. */
  readonly nextPort: number;
  readonly wallMs: number;
  /** Of the server's process. */
  readonly cpuMs: number;
  readonly residentKb: readonly [before: number, after: number];
  /** Flights that had to be sent again. */
  readonly repeats: number;
}

/** No answer within this time: the flight is sent again, ms. More than OpenSSL's second. */
const PATIENCE = 1100;
const MAX_TRIES = 5;

const order = JSON.parse(Deno.readTextFileSync(Deno.args[0]!)) as Order;
const to: Deno.NetAddr = { transport: "udp", hostname: "127.0.0.1", port: order.port };
const context = new DtlsContext(order.certificate, [1], "client");
const { SSL_shutdown } = Deno.dlopen("libssl.so.3", {
  SSL_shutdown: { parameters: ["u64"], result: "i32" },
}).symbols;

let nextPort = order.firstPort;

function bind(): Deno.DatagramConn {
  for (;;) {
    try {
      return Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: nextPort++ });
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/** A socket whose datagrams can be waited for a while. */
class Line {
  readonly #socket = bind();
  #waiting: Promise<Uint8Array> | null = null;

  async send(datagram: Uint8Array): Promise<void> {
    await this.#socket.send(datagram, to);
  }

  /** The next datagram, or null when it does not come within so many ms. */
  async receive(within: number): Promise<Uint8Array | null> {
    this.#waiting ??= this.#socket.receive(new Uint8Array(4096)).then(([data]) => data);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<null>((resolve) => timer = setTimeout(() => resolve(null), within));
    const data = await Promise.race([this.#waiting, late]);
    clearTimeout(timer);
    if (data !== null) this.#waiting = null;
    return data;
  }

  close(): void {
    this.#waiting?.catch(() => {});
    this.#socket.close();
  }
}

async function checkIce(line: Line, index: number): Promise<void> {
  const check = order.checks[index];
  if (check === undefined) return;
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    await line.send(checkOf(check));
    const data = await line.receive(PATIENCE);
    if (data !== null && data[0]! < 4) return;
  }
  throw new Error(`set-up ${index}: no answer to ICE checks`);
}

async function handshake(index: number): Promise<void> {
  const line = new Line();
  const connection = context.connection("client");
  const { library, ssl } = connection;
  const send = async () => {
    for (const datagram of connection.takeDatagrams()) await line.send(datagram);
  };
  try {
    await checkIce(line, index);
    for (let tries = 0; library.SSL_do_handshake(ssl) !== 1;) {
      await send();
      const data = await line.receive(PATIENCE);
      if (data === null) {
        repeats++;
        if (++tries > MAX_TRIES) throw new Error(`handshake ${index}: no answer`);
        library.SSL_ctrl(ssl, DTLS_CTRL_HANDLE_TIMEOUT, 0n, null);
        await send();
      } else if (data[0]! >= 20 && data[0]! < 64) connection.write(data);
    }
    await send();
    if (!order.closes) return;
    SSL_shutdown(ssl);
    await send();
    // Its own goodbye.
    await line.receive(PATIENCE);
  } finally {
    connection.free();
    line.close();
  }
}

let repeats = 0;
const before = residentKb(order.pid);
const cpu = cpuTimeOf(order.pid);
const begun = performance.now();
for (let i = 0; i < order.count; i++) await handshake(i);
const wallMs = performance.now() - begun;
// What the server does about the last one.
await new Promise((resolve) => setTimeout(resolve, 50));
const outcome: Outcome = {
  count: order.count,
  nextPort,
  wallMs,
  cpuMs: cpuTimeOf(order.pid) - cpu,
  residentKb: [before, residentKb(order.pid)],
  repeats,
};
console.log(JSON.stringify(outcome));
Deno.exit(0);
