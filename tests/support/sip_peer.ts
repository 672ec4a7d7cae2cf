import { systemClock } from "../../src/core/io/system_clock.ts";
import { answerChallenge, chooseChallenge } from "../../src/sip/auth/mod.ts";
import { hostPort, type SipTransport } from "../../src/sip/flow.ts";
import {
  createResponse,
  parseMessage,
  serialize,
  type SipMessage,
  SipRequest,
  SipResponse,
  StreamFramer,
} from "../../src/sip/message/mod.ts";

/** A bare SIP client over a real socket: it sends what it is told and keeps what it hears. */

export interface PeerTarget {
  readonly transport: SipTransport;
  readonly host: string;
  readonly port: number;
  /** PEM certificates that TLS and WSS trust. */
  readonly trusted?: string;
}

/** How long a test waits for what must come, ms. */
const PATIENCE_MS = 15_000;
const POLL_MS = 20;
/** T1 of RFC 3261 17.1.1.1, ms; without backing off. */
const REPEAT_MS = 500;

/** Deno's own second argument; the browser's types, which Playwright brings along, hide it. */
const TrustingWebSocket = WebSocket as unknown as new (
  url: string,
  options: {
    readonly protocols: string[];
    readonly client?: Deno.HttpClient;
    readonly headers?: Record<string, string>;
  },
) => WebSocket;

interface Link {
  /** Where answers can be sent: in Via and Contact. */
  readonly local: string;
  send(bytes: Uint8Array<ArrayBuffer>): Promise<unknown> | void;
  close(): void;
}

export class SipPeer implements AsyncDisposable {
  readonly target: PeerTarget;
  readonly user: string;
  readonly heard: SipMessage[] = [];
  /** Line ends that came between messages: pongs. */
  pongs = 0;
  /** The far end closed. */
  isClosed = false;
  #link!: Link;
  #serial = 0;
  #password = "";
  readonly #tag = `t${crypto.randomUUID().slice(0, 8)}`;
  readonly #work: Promise<void>[] = [];
  /** What to do with a request that comes in; absent: it is only kept. */
  onRequest: ((request: SipRequest) => void) | undefined;

  private constructor(user: string, target: PeerTarget) {
    this.user = user;
    this.target = target;
  }

  static async open(user: string, target: PeerTarget, password = "1234"): Promise<SipPeer> {
    const peer = new SipPeer(user, target);
    peer.#password = password;
    peer.#link = await peer.#open();
    return peer;
  }

  get contact(): string {
    const { transport } = this.target;
    const param = transport === "UDP" ? "" : `;transport=${transport.toLowerCase()}`;
    return `sip:${this.user}@${this.#link.local}${param}`;
  }

  /** `host:port` of our socket, as it stands in Via. */
  get local(): string {
    return this.#link.local;
  }

  async raw(bytes: Uint8Array<ArrayBuffer> | string): Promise<void> {
    await this.#link.send(typeof bytes === "string" ? new TextEncoder().encode(bytes) : bytes);
  }

  async send(message: SipMessage): Promise<void> {
    await this.raw(new Uint8Array(serialize(message)));
  }

  /** A request outside dialogs with our Via, Contact and a new Call-ID. */
  request(method: string, uri: string, extra: readonly (readonly [string, string])[] = []) {
    const { transport } = this.target;
    const request = new SipRequest(method, uri);
    const { headers } = request;
    headers.append("Via", `SIP/2.0/${transport} ${this.#link.local};branch=${this.branch()};rport`);
    headers.append("Max-Forwards", "70");
    headers.append("From", `<sip:${this.user}@localhost>;tag=${this.#tag}`);
    const to = method === "REGISTER" ? `sip:${this.user}@localhost` : uri;
    headers.append("To", `<${to}>`);
    headers.append("Call-ID", `${crypto.randomUUID()}@peer`);
    headers.append("CSeq", `${++this.#serial} ${method}`);
    headers.append("Contact", `<${this.contact}>`);
    for (const [name, value] of extra) headers.append(name, value);
    return request;
  }

  branch(): string {
    return `z9hG4bK${crypto.randomUUID().replaceAll("-", "")}`;
  }

  /** Sends, proves the account where asked to, and gives back the final response. */
  async ask(request: SipRequest): Promise<SipResponse> {
    const first = await this.#exchange(request);
    if (first.status !== 401 && first.status !== 407) return first;
    const isProxy = first.status === 407;
    const values = first.headers.getAll(isProxy ? "Proxy-Authenticate" : "WWW-Authenticate");
    const challenge = chooseChallenge(values);
    if (!challenge) throw new Error(`no challenge that we know in ${values.join(" | ")}`);
    if (request.method === "INVITE") await this.ack(request, first);
    const again = request.clone();
    again.headers.replaceFirstValue(
      "Via",
      again.topVia.withParam("branch", this.branch()).toString(),
    );
    again.headers.set("CSeq", `${++this.#serial} ${request.method}`);
    const credentials = answerChallenge({
      challenge,
      username: this.user,
      password: this.#password,
      method: request.method,
      uri: request.uri,
      cnonce: crypto.randomUUID().replaceAll("-", ""),
      nonceCount: 1,
    });
    if (!credentials.ok) throw new Error(credentials.error.text);
    again.headers.set(isProxy ? "Proxy-Authorization" : "Authorization", credentials.value);
    return await this.#exchange(again);
  }

  async register(expires = 300): Promise<SipResponse> {
    return await this.ask(this.request("REGISTER", "sip:localhost", [["Expires", `${expires}`]]));
  }

  /** ACK to a final response; to a refusal on the INVITE's own branch. */
  async ack(invite: SipRequest, response: SipResponse): Promise<void> {
    const isRefusal = response.status >= 300;
    const contact = response.contacts === "*" ? undefined : response.contacts[0];
    const uri = isRefusal ? invite.uri : contact?.uri.toString() ?? invite.uri;
    const ack = new SipRequest("ACK", uri);
    const branch = isRefusal ? invite.topVia.branch ?? "" : this.branch();
    ack.headers.append(
      "Via",
      `SIP/2.0/${this.target.transport} ${this.#link.local};branch=${branch};rport`,
    );
    ack.headers.append("Max-Forwards", "70");
    if (!isRefusal) {
      for (const route of response.headers.getAll("Record-Route").toReversed()) {
        ack.headers.append("Route", route);
      }
    }
    ack.headers.append("From", response.headers.get("From")!);
    ack.headers.append("To", response.headers.get("To")!);
    ack.headers.append("Call-ID", response.callId);
    ack.headers.append("CSeq", `${response.cseq.sequence} ACK`);
    await this.send(ack);
  }

  async answer(request: SipRequest, status: number): Promise<void> {
    const response = createResponse(request, status, undefined, { toTag: this.#tag });
    response.headers.set("Contact", `<${this.contact}>`);
    await this.send(response);
  }

  /** Waits for a message that fits, among those heard already too. */
  async hear<M extends SipMessage>(
    what: string,
    fits: (message: SipMessage) => message is M,
  ): Promise<M>;
  async hear(what: string, fits: (message: SipMessage) => boolean): Promise<SipMessage>;
  async hear(what: string, fits: (message: SipMessage) => boolean): Promise<SipMessage> {
    await this.until(`${this.user} hears ${what}`, () => this.heard.some(fits));
    return this.heard.find(fits)!;
  }

  hearRequest(method: string): Promise<SipRequest> {
    return this.hear(
      method,
      (message): message is SipRequest =>
        message instanceof SipRequest && message.method === method,
    );
  }

  /** Waits for a state; a failure shows all that was heard. */
  async until(what: string, isSo: () => boolean): Promise<void> {
    for (const end = systemClock.now() + PATIENCE_MS; !isSo();) {
      if (systemClock.now() > end) {
        const heard = this.heard.map((m) =>
          m.kind === "request" ? m.method : `${m.status} ${m.reason}`
        );
        throw new Error(`not so within ${PATIENCE_MS} ms: ${what}; heard ${heard.join(", ")}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#link.close();
    await Promise.all(this.#work);
  }

  async #exchange(request: SipRequest): Promise<SipResponse> {
    await this.send(request);
    // Datagrams get lost on loopback too, where much is under way.
    const repeat = this.target.transport === "UDP"
      ? setInterval(() => void this.send(request), REPEAT_MS)
      : undefined;
    const branch = request.topVia.branch;
    try {
      return await this.hear(
        `a final response to ${request.method}`,
        (message): message is SipResponse =>
          message instanceof SipResponse && message.status >= 200 &&
          message.topVia.branch === branch && message.cseq.method === request.method,
      );
    } finally {
      clearInterval(repeat);
    }
  }

  #take(message: SipMessage): void {
    this.heard.push(message);
    if (message instanceof SipRequest) this.onRequest?.(message);
  }

  #takeBytes(bytes: Uint8Array): void {
    const parsed = parseMessage(bytes);
    if (parsed.ok) this.#take(parsed.value);
    else if (parsed.error.kind === "empty") this.pongs++;
    else throw new Error(`${this.user} was sent what is no SIP: ${parsed.error.text}`);
  }

  #open(): Promise<Link> {
    switch (this.target.transport) {
      case "UDP":
        return Promise.resolve(this.#openUdp());
      case "TCP":
      case "TLS":
        return this.#openStream();
      default:
        return this.#openWebSocket();
    }
  }

  #openUdp(): Link {
    const { host, port } = this.target;
    const hostname = host.includes(":") ? "::1" : "127.0.0.1";
    const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
    const to: Deno.NetAddr = { transport: "udp", hostname: host, port };
    this.#work.push((async () => {
      for await (const [bytes] of socket) this.#takeBytes(bytes.slice());
    })());
    return {
      local: hostPort(hostname, (socket.addr as Deno.NetAddr).port),
      send: (bytes) => socket.send(bytes, to),
      close: () => socket.close(),
    };
  }

  async #openStream(): Promise<Link> {
    const { host: hostname, port, transport, trusted } = this.target;
    const conn = transport === "TLS"
      ? await Deno.connectTls({ hostname, port, ...(trusted ? { caCerts: [trusted] } : {}) })
      : await Deno.connect({ hostname, port });
    const { hostname: address, port: local } = conn.localAddr as Deno.NetAddr;
    this.#work.push(this.#read(conn));
    return {
      local: hostPort(address, local),
      send: async (bytes) => {
        for (let at = 0; at < bytes.length;) at += await conn.write(bytes.subarray(at));
      },
      close: () => {
        try {
          conn.close();
        } catch {
          /* The far end was faster. */
        }
      },
    };
  }

  async #read(conn: Deno.Conn): Promise<void> {
    const framer = new StreamFramer();
    const buffer = new Uint8Array(16_384);
    try {
      for (;;) {
        const count = await conn.read(buffer);
        if (count === null) break;
        for (const event of framer.push(buffer.subarray(0, count))) {
          if (event.type === "message") this.#take(event.message);
          else if (event.type === "fault") throw new Error(event.fault.text);
          else this.pongs++;
        }
      }
    } catch (error) {
      const isEnd = error instanceof Deno.errors.BadResource ||
        error instanceof Deno.errors.Interrupted || error instanceof Deno.errors.ConnectionReset ||
        error instanceof Deno.errors.UnexpectedEof;
      if (!isEnd) throw error;
    } finally {
      this.isClosed = true;
      this.#link?.close();
    }
  }

  async #openWebSocket(): Promise<Link> {
    const { host, port, transport, trusted } = this.target;
    const client = trusted ? Deno.createHttpClient({ caCerts: [trusted] }) : undefined;
    const scheme = transport === "WSS" ? "wss" : "ws";
    const socket = new TrustingWebSocket(`${scheme}://${hostPort(host, port)}/sip`, {
      protocols: ["sip"],
      ...(client ? { client } : {}),
    });
    socket.binaryType = "arraybuffer";
    const closed = Promise.withResolvers<void>();
    const opened = Promise.withResolvers<void>();
    socket.onopen = () => opened.resolve();
    socket.onerror = () => opened.reject(new Error("the WebSocket could not be opened"));
    socket.onmessage = ({ data }) =>
      this.#takeBytes(
        typeof data === "string" ? new TextEncoder().encode(data) : new Uint8Array(data),
      );
    socket.onclose = () => {
      this.isClosed = true;
      closed.resolve();
    };
    await opened.promise;
    this.#work.push(closed.promise.then(() => client?.close()));
    return {
      local: `${crypto.randomUUID().slice(0, 8)}.invalid`,
      send: (bytes) => socket.send(new TextDecoder().decode(bytes)),
      close: () => socket.close(),
    };
  }
}
