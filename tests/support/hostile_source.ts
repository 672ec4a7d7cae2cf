import { answerChallenge, chooseChallenge } from "../../src/sip/auth/mod.ts";
import {
  parseMessage,
  serialize,
  SipRequest,
  SipResponse,
  validate,
} from "../../src/sip/message/mod.ts";

/**
 * A UDP source with an address of its own on loopback: it sends at will and counts what comes back.
 */

/** How long an answer may take before it counts as silence, ms. */
const SILENCE_MS = 1_000;
/** Datagrams sent before the far end gets a turn. */
const VOLLEY = 20;

export class HostileSource implements AsyncDisposable {
  readonly address: string;
  readonly answers: SipResponse[] = [];
  sentBytes = 0;
  heardBytes = 0;
  readonly #socket: Deno.DatagramConn;
  readonly #to: Deno.NetAddr;
  readonly #reading: Promise<void>;
  readonly #waiting = new Map<string, (answer: SipResponse) => void>();
  #serial = 0;

  constructor(address: string, port: number) {
    this.address = address;
    this.#socket = Deno.listenDatagram({ transport: "udp", hostname: address, port: 0 });
    this.#to = { transport: "udp", hostname: "127.0.0.1", port };
    this.#reading = this.#read();
  }

  get local(): string {
    return `${this.address}:${(this.#socket.addr as Deno.NetAddr).port}`;
  }

  async send(bytes: Uint8Array): Promise<void> {
    this.sentBytes += bytes.length;
    await this.#socket.send(new Uint8Array(bytes), this.#to);
  }

  /** Many, in volleys, so that not only the socket's buffer is tested. */
  async flood(count: number, make: (at: number) => Uint8Array): Promise<void> {
    for (let at = 0; at < count; at++) {
      await this.send(make(at));
      if (at % VOLLEY === VOLLEY - 1) await new Promise((resolve) => setTimeout(resolve, 4));
    }
  }

  request(method: string, uri: string, extra: readonly (readonly [string, string])[] = []) {
    const serial = ++this.#serial;
    const request = new SipRequest(method, uri);
    const { headers } = request;
    const branch = `z9hG4bK${crypto.randomUUID()}`;
    headers.append("Via", `SIP/2.0/UDP ${this.local};branch=${branch};rport`);
    headers.append("Max-Forwards", "70");
    headers.append("From", `<${method === "REGISTER" ? uri : "sip:x@localhost"}>;tag=h${serial}`);
    headers.append("To", `<${uri}>`);
    headers.append("Call-ID", `${crypto.randomUUID()}@hostile`);
    headers.append("CSeq", `${serial} ${method}`);
    headers.append("Contact", `<sip:x@${this.local}>`);
    for (const [name, value] of extra) headers.append(name, value);
    return request;
  }

  /** The final answer, or undefined where there is silence. */
  async ask(request: SipRequest): Promise<SipResponse | undefined> {
    const heard = Promise.withResolvers<SipResponse | undefined>();
    this.#waiting.set(request.callId, heard.resolve);
    const timer = setTimeout(() => heard.resolve(undefined), SILENCE_MS);
    try {
      await this.send(serialize(request));
      return await heard.promise;
    } finally {
      clearTimeout(timer);
      this.#waiting.delete(request.callId);
    }
  }

  /** Tries a password: 200, 403, or nothing any more. */
  async tryPassword(username: string, password: string): Promise<number | undefined> {
    const uri = `sip:${username}@localhost`;
    const first = await this.ask(this.request("REGISTER", uri));
    if (first?.status !== 401) return first?.status;
    const challenge = chooseChallenge(first.headers.getAll("WWW-Authenticate"));
    if (!challenge) throw new Error("no challenge that we know");
    const credentials = answerChallenge({
      challenge,
      username,
      password,
      method: "REGISTER",
      uri,
      cnonce: crypto.randomUUID(),
      nonceCount: 1,
    });
    if (!credentials.ok) throw new Error(credentials.error.text);
    const proof: [string, string] = ["Authorization", credentials.value];
    return (await this.ask(this.request("REGISTER", uri, [proof])))?.status;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#socket.close();
    await this.#reading;
  }

  async #read(): Promise<void> {
    for await (const [bytes] of this.#socket) {
      this.heardBytes += bytes.length;
      const parsed = parseMessage(bytes.slice());
      // What it sent may have been answered as malformed as it was.
      if (!parsed.ok || !(parsed.value instanceof SipResponse)) continue;
      if (!validate(parsed.value).ok) continue;
      this.answers.push(parsed.value);
      if (parsed.value.status >= 200) this.#waiting.get(parsed.value.callId)?.(parsed.value);
    }
  }
}
