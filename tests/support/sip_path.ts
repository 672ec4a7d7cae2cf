/**
 * Roads between a phone and the server on which messages are lost, or come in pieces: what a real
 * peer sends and gets, changed in a way that is known to the byte.
 */

/** What is known of a message without understanding it. */
export interface Glance {
  /** `INVITE`, or that of the request that a response belongs to. */
  readonly method: string;
  /** Undefined: a request. */
  readonly status?: number;
  readonly callId: string;
  readonly toServer: boolean;
  /** Of the same message the how manieth that comes by: 1, and more for repetitions. */
  readonly copy: number;
}

/** A UDP road that loses what it is told to lose. */
export class LosingPath {
  readonly #near = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  readonly #far = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  readonly #server: Deno.NetAddr;
  readonly #isLost: (message: Glance) => boolean;
  readonly #copies = new Map<string, number>();
  #phone: Deno.NetAddr | undefined;
  #isClosed = false;
  readonly #work: Promise<unknown>;
  /** What has been lost, and how much there was in all. */
  readonly lost: Glance[] = [];
  seen = 0;

  constructor(serverPort: number, isLost: (message: Glance) => boolean) {
    this.#server = { transport: "udp", hostname: "127.0.0.1", port: serverPort };
    this.#isLost = isLost;
    this.#work = Promise.all([
      this.#pump(this.#near, true, (data, from) => {
        this.#phone = from;
        this.#pass(this.#far, data, this.#server);
      }),
      this.#pump(this.#far, false, (data) => {
        if (this.#phone !== undefined) this.#pass(this.#near, data, this.#phone);
      }),
    ]);
  }

  /** Where the phone sends to. */
  get port(): number {
    return (this.#near.addr as Deno.NetAddr).port;
  }

  /** What the server takes for the phone's port; it belongs into its Contact. */
  get phonePort(): number {
    return (this.#far.addr as Deno.NetAddr).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    this.#near.close();
    this.#far.close();
    await this.#work;
  }

  #pass(socket: Deno.DatagramConn, data: Uint8Array, to: Deno.NetAddr): void {
    // Whoever has ended hears nothing more.
    socket.send(data, to).catch(() => {});
  }

  async #pump(
    socket: Deno.DatagramConn,
    toServer: boolean,
    pass: (data: Uint8Array, from: Deno.NetAddr) => void,
  ): Promise<void> {
    for (;;) {
      let received: [Uint8Array, Deno.Addr];
      try {
        received = await socket.receive();
      } catch (fault) {
        if (this.#isClosed) return;
        // A port that is closed already; the next datagram may be for another one.
        if (fault instanceof Deno.errors.ConnectionRefused) continue;
        throw fault;
      }
      const [data, from] = received;
      const message = this.#glance(data, toServer);
      this.seen++;
      if (this.#isLost(message)) this.lost.push(message);
      else pass(data, from as Deno.NetAddr);
    }
  }

  #glance(data: Uint8Array, toServer: boolean): Glance {
    const text = new TextDecoder().decode(data);
    const first = text.slice(0, text.indexOf("\r\n"));
    const status = /^SIP\/2\.0 (\d+)/.exec(first)?.[1];
    const [, sequence = "", method = ""] = /^CSeq:\s*(\d+)\s+(\w+)/im.exec(text) ?? [];
    const callId = /^Call-ID:\s*(\S+)/im.exec(text)?.[1] ?? "";
    // An ACK of a 2xx that is repeated has another branch, and is the same message all the same.
    const key = [toServer, status ?? first.split(" ")[0], sequence, method, callId].join(" ");
    const copy = (this.#copies.get(key) ?? 0) + 1;
    this.#copies.set(key, copy);
    return {
      method,
      ...(status === undefined ? {} : { status: Number(status) }),
      callId,
      toServer,
      copy,
    };
  }
}

/** How a message is cut on its way to the server. */
export type Cut = "bytes" | "head" | "body" | "joined";
const CUTS: readonly Cut[] = ["bytes", "head", "body", "joined"];
/** So long a part waits, so that it is not read together with the one before it, ms. */
const PART_MS = 5;
/** So long a message waits for the next one to be sent with it, ms. */
const JOIN_MS = 60;

/**
 * A TCP road to the server on which no message arrives in one segment of its own: in turn each byte
 * alone, cut within a header line, cut within the body, and together with the start of the next.
 * What the server sends passes as it is.
 */
export class CuttingPath {
  readonly #listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  readonly #serverPort: number;
  readonly #work: Promise<void>[] = [];
  /** How many messages were cut in which way. */
  readonly cuts: Record<Cut, number> = { bytes: 0, head: 0, body: 0, joined: 0 };
  #turn = 0;

  constructor(serverPort: number) {
    this.#serverPort = serverPort;
    this.#work.push(this.#accept());
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await Promise.all(this.#work);
  }

  async #accept(): Promise<void> {
    for await (const phone of this.#listener) {
      const server = await Deno.connect({ hostname: "127.0.0.1", port: this.#serverPort });
      server.setNoDelay(true);
      this.#work.push(
        server.readable.pipeTo(phone.writable).catch(() => {}),
        this.#cut(phone, server).catch(() => {}).finally(() => {
          try {
            server.close();
          } catch { /* The server was faster. */ }
        }),
      );
    }
  }

  async #cut(phone: Deno.TcpConn, server: Deno.TcpConn): Promise<void> {
    const reader = phone.readable.getReader();
    let pending = new Uint8Array();
    let next: ReturnType<typeof reader.read> | undefined;
    for (;;) {
      const length = messageLength(pending);
      if (length === 0) {
        const { value, done } = await (next ?? reader.read());
        next = undefined;
        if (done) break;
        pending = joined(pending, value);
        continue;
      }
      const cut = CUTS[this.#turn % CUTS.length]!;
      if (cut === "joined" && messageLength(pending.subarray(length)) === 0) {
        // Nothing else is there yet; after a while it goes as another one would.
        next ??= reader.read();
        const more = await Promise.race([next, pause(JOIN_MS)]);
        if (more !== undefined) {
          next = undefined;
          if (more.done) break;
          pending = joined(pending, more.value);
          continue;
        }
      }
      this.#turn++;
      pending = pending.subarray(await this.#send(server, pending, length, cut));
    }
    await writeAll(server, pending);
  }

  /** Sends one message, or two; gives back how many bytes those were. */
  async #send(
    server: Deno.TcpConn,
    bytes: Uint8Array,
    length: number,
    cut: Cut,
  ): Promise<number> {
    const head = headLength(bytes);
    const body = length - head;
    const next = messageLength(bytes.subarray(length));
    if (cut === "joined" && next > 0) {
      this.cuts.joined++;
      const middle = length + Math.ceil(next / 2);
      await writeAll(server, bytes.subarray(0, middle));
      await pause(PART_MS);
      await writeAll(server, bytes.subarray(middle, length + next));
      return length + next;
    }
    if (cut === "bytes") {
      this.cuts.bytes++;
      for (let at = 0; at < length; at++) await writeAll(server, bytes.subarray(at, at + 1));
      return length;
    }
    const isBody = cut === "body" && body > 1;
    this.cuts[isBody ? "body" : "head"]++;
    const at = isBody ? head + Math.floor(body / 2) : Math.floor(head / 2);
    await writeAll(server, bytes.subarray(0, at));
    await pause(PART_MS);
    await writeAll(server, bytes.subarray(at, length));
    return length;
  }
}

const pause = (ms: number): Promise<undefined> =>
  new Promise((resolve) => setTimeout(() => resolve(undefined), ms));

async function writeAll(to: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await to.write(bytes.subarray(at));
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** Length of the start line and the headers with the empty line; 0: not there yet. */
function headLength(bytes: Uint8Array): number {
  const text = new TextDecoder("latin1").decode(bytes);
  return text.indexOf("\r\n\r\n") < 0 ? 0 : text.indexOf("\r\n\r\n") + 4;
}

/** Length of the first message; 0: it is not complete. */
function messageLength(bytes: Uint8Array): number {
  const head = headLength(bytes);
  if (head === 0) return 0;
  const text = new TextDecoder("latin1").decode(bytes.subarray(0, head));
  const length = head + Number(/^Content-Length:\s*(\d+)/im.exec(text)?.[1] ?? 0);
  return bytes.length < length ? 0 : length;
}
