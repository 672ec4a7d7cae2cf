import type { TableSpec } from "./make_table.ts";
import { keyMaterial, materialLength } from "./make_table.ts";

/**
 * Sets up calls at a running rtpengine through its ng protocol (bencoded dictionaries over UDP).
 */

type Bencoded = string | number | Bencoded[] | { [key: string]: Bencoded };

function encode(value: Bencoded): string {
  if (typeof value === "string") return `${value.length}:${value}`;
  if (typeof value === "number") return `i${value}e`;
  if (Array.isArray(value)) return `l${value.map(encode).join("")}e`;
  const keys = Object.keys(value).sort();
  return `d${keys.map((key) => encode(key) + encode(value[key]!)).join("")}e`;
}

/** Strings at the top level of a dictionary; what is nested is passed over. */
function readStrings(text: string): Map<string, string> {
  const found = new Map<string, string>();
  let at = 1;
  const skip = (): string => {
    const start = text[at]!;
    if (start === "i") {
      const end = text.indexOf("e", at);
      const number = text.slice(at + 1, end);
      at = end + 1;
      return number;
    }
    if (start === "l" || start === "d") {
      at++;
      while (text[at] !== "e") skip();
      at++;
      return "";
    }
    const colon = text.indexOf(":", at);
    const length = Number(text.slice(at, colon));
    at = colon + 1 + length;
    return text.slice(colon + 1, at);
  };
  while (at < text.length && text[at] !== "e") {
    const key = skip();
    found.set(key, skip());
  }
  return found;
}

const SUITES: Readonly<Record<number, string>> = {
  1: "AES_CM_128_HMAC_SHA1_80",
  2: "AES_CM_128_HMAC_SHA1_32",
};

function sdp(
  port: number,
  profile: number,
  material: Uint8Array,
  tag: string,
  isVideo: boolean,
): string {
  const key = btoa(String.fromCharCode(...material));
  const protocol = `RTP/${profile === 0 ? "AVP" : "SAVP"}`;
  return [
    "v=0",
    "o=- 1 1 IN IP4 127.0.0.1",
    "s=-",
    "c=IN IP4 127.0.0.1",
    "t=0 0",
    ...(isVideo
      ? [`m=video ${port} ${protocol} 96`, "a=rtpmap:96 VP8/90000"]
      : [`m=audio ${port} ${protocol} 0`, "a=rtpmap:0 PCMU/8000"]),
    "a=rtcp-mux",
    ...(profile === 0 ? [] : [`a=crypto:${tag} ${SUITES[profile]} inline:${key}`]),
    "a=sendrecv",
    "",
  ].join("\r\n");
}

/** Its port, and the tag and key of the wanted suite. */
function answerOf(text: string, profile: number): { port: string; tag: string; key: string } {
  const port = text.match(/^m=(?:audio|video) (\d+)/m)?.[1];
  if (port === undefined) throw new Error(`rtpengine's SDP has no port:\n${text}`);
  if (!text.includes("a=rtcp-mux")) throw new Error(`rtpengine has RTCP on another port:\n${text}`);
  if (profile === 0) return { port, tag: "1", key: "-" };
  const crypto = [...text.matchAll(/^a=crypto:(\d+) (\S+) inline:([A-Za-z0-9+/=]+)/gm)];
  const found = crypto.find(([, , suite]) => suite === SUITES[profile]);
  if (found === undefined) throw new Error(`rtpengine does not offer ${SUITES[profile]}:\n${text}`);
  const bytes = Array.from(atob(found[3]!), (char) => char.charCodeAt(0));
  const key = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return { port, tag: found[1]!, key };
}

type Question = { [key: string]: Bencoded };

/** Asks one question after the other. */
export class ControlClient {
  readonly #socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
  readonly #engine: Deno.NetAddr;
  /** The engine answers a cookie that it has seen as it did before. */
  readonly #cookie = crypto.randomUUID();
  #questions = 0;
  #isClosed = false;

  constructor(controlPort: number) {
    this.#engine = { transport: "udp", hostname: "127.0.0.1", port: controlPort };
  }

  /** Strings at the top level of the answer, which has to come within so many ms. */
  async ask(question: Question, limit = 5000): Promise<Map<string, string>> {
    const id = `${this.#cookie}-${this.#questions++}`;
    await this.#socket.send(new TextEncoder().encode(`${id} ${encode(question)}`), this.#engine);
    const timer = setTimeout(() => this.close(), limit);
    const [bytes] = await this.#socket.receive(new Uint8Array(65536))
      .finally(() => clearTimeout(timer));
    const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
    return readStrings(text.slice(text.indexOf(" ") + 1));
  }

  /** The SDP that it gives for an offer or an answer. */
  async describe(question: Question): Promise<string> {
    const answer = await this.ask(question);
    const described = answer.get("sdp");
    if (described === undefined) throw new Error(`rtpengine: ${answer.get("error-reason")}`);
    return described;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#socket.close();
  }
}

/**
 * Resolves when the engine answers.
 * @throws Error after some ten seconds
 */
export async function untilRtpengineAnswers(controlPort: number): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    const client = new ControlClient(controlPort);
    try {
      await client.ask({ command: "ping" }, 100);
      return;
    } catch {
      // Not yet.
      await new Promise((resolve) => setTimeout(resolve, 100));
    } finally {
      client.close();
    }
  }
  throw new Error("rtpengine did not answer in time");
}

/** Asks for the calls and gives the call table; both sides have a port a leg, with RTCP on it. */
export async function rtpengineTable(spec: TableSpec, controlPort: number): Promise<string> {
  const client = new ControlClient(controlPort);
  const ask = (question: Question) => client.describe(question);
  const lines: string[] = [];
  const [a, b] = spec.profiles;
  const isVideo = spec.frame !== undefined;
  const protocol = (profile: number) => `RTP/${profile === 0 ? "AVP" : "SAVP"}`;
  for (let call = 0; call < spec.calls; call++) {
    const [aPort, bPort] = [spec.firstPort + 2 * call, spec.firstPort + 2 * call + 1];
    const aKey = keyMaterial(`${call}a`, materialLength(a));
    const bKey = keyMaterial(`${call}b`, materialLength(b));
    const common = {
      ...{ "call-id": `bench-${call}`, "from-tag": "from", ICE: "remove" },
      "rtcp-mux": ["accept", "offer"],
    };
    const offered = answerOf(
      await ask({
        ...common,
        command: "offer",
        "transport-protocol": protocol(b),
        sdp: sdp(aPort, a, aKey, "1", isVideo),
      }),
      b,
    );
    const answered = answerOf(
      await ask({
        ...common,
        command: "answer",
        "to-tag": "to",
        "transport-protocol": protocol(a),
        sdp: sdp(bPort, b, bKey, offered.tag, isVideo),
      }),
      a,
    );
    const hex = (profile: number, material: Uint8Array) =>
      profile === 0
        ? "-"
        : Array.from(material, (byte) => byte.toString(16).padStart(2, "0")).join("");
    lines.push([
      ...[aPort, answered.port, bPort, offered.port, a, hex(a, aKey), answered.key],
      ...[b, hex(b, bKey), offered.key],
    ].join(" "));
  }
  client.close();
  return lines.join("\n") + "\n";
}
