import assert from "node:assert/strict";
import { SeededEntropy } from "../../src/core/entropy.ts";
import { answerChallenge, type Challenge, chooseChallenge } from "../../src/sip/auth/mod.ts";
import { encodeText, serialize, type SipRequest } from "../../src/sip/message/mod.ts";
import { HostileSource } from "../support/hostile_source.ts";
import type { Lab } from "../support/lab.ts";
import { SipPeer } from "../support/sip_peer.ts";
import { mutate, Random } from "./mutate.ts";

/** Mutated messages against a running server, by datagram, stream and WebSocket. */

export interface CampaignOptions {
  readonly seed: number;
  /** False: enough. Asked before each batch. */
  readonly goesOn: (sent: number) => boolean;
}

/** Between two looks at whether the server still answers. */
const BATCH = 100;
const CALLEE = "1001";
const USER = "1002";
const PASSWORD = "1234";

const CORPUS = new URL("corpus/", import.meta.url);

/** Bytes of the corpus as text, one character each where they are no UTF-8. */
export function readCorpus(): string[] {
  return [...Deno.readDirSync(CORPUS)].map(({ name }) => name)
    .filter((name) => name.endsWith(".sip")).sort()
    .map((name) => Deno.readTextFileSync(new URL(name, CORPUS)));
}

export interface Outcome {
  readonly sent: number;
  /** How many got through to the phone that they were for. */
  readonly forwarded: number;
}

/** Throws with the seed where the server no longer answers. */
export async function fuzzServer(lab: Lab, options: CampaignOptions): Promise<Outcome> {
  const random = new Random(new SeededEntropy(options.seed));
  const seeds = readCorpus();
  const port = lab.sipPort;
  await using source = new HostileSource("127.0.0.1", port);
  await using callee = await SipPeer.open(CALLEE, { transport: "UDP", host: "127.0.0.1", port });
  assert.equal((await callee.register()).status, 200);
  // When it is asked is not up to the seed, so that chance of its own keeps the rest in step.
  const replies = new Random(new SeededEntropy(options.seed + 1));
  let forwarded = 0;
  callee.onRequest = (request) => {
    forwarded++;
    void callee.raw(new Uint8Array(replyTo(request, replies)));
  };
  const filler = new Filler(source, random);
  let sent = 0;
  while (options.goesOn(sent)) {
    await filler.renew();
    const batch = Array.from({ length: BATCH }, () => filler.fill(mutate(random, seeds)));
    try {
      await sendAll(lab, source, batch, random);
      await isWell(source, port);
    } catch (error) {
      const file = await Deno.makeTempFile({ prefix: "portzero-fuzz-", suffix: ".txt" });
      await Deno.writeTextFile(file, batch.join("\n=====\n"));
      throw new Error(`seed ${options.seed}: not well after ${sent} messages, batch in ${file}`, {
        cause: error,
      });
    }
    callee.heard.length = source.answers.length = 0;
    sent += batch.length;
  }
  return { sent, forwarded };
}

/** Most by datagram; some in one stream, which may be closed on us; some by WebSocket. */
async function sendAll(
  lab: Lab,
  source: HostileSource,
  batch: readonly string[],
  random: Random,
): Promise<void> {
  const bytes = batch.map((text) => encodeText(text));
  const [first, second] = [Math.floor(bytes.length * 0.6), Math.floor(bytes.length * 0.8)];
  for (const message of bytes.slice(0, first)) {
    // What is too long for a datagram is none.
    if (message.length < 60_000) await source.send(message);
  }
  await overStream(lab, bytes.slice(first, second), random);
  await overWebSocket(lab, batch.slice(second));
}

async function overStream(lab: Lab, messages: readonly Uint8Array[], random: Random) {
  for (let at = 0; at < messages.length;) {
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: lab.sipPort });
    // Read, so that the server is not held up by its answers.
    const reading = conn.readable.pipeTo(new WritableStream()).catch(() => {});
    const writer = conn.writable.getWriter();
    try {
      for (const end = at + 1 + random.below(5); at < end && at < messages.length; at++) {
        const message = new Uint8Array(messages[at]!);
        const cut = random.below(message.length);
        await writer.write(message.subarray(0, cut));
        await writer.write(message.subarray(cut));
      }
      await writer.close();
    } catch {
      // Closed by the server, which may do so.
      at++;
    }
    await reading;
  }
}

async function overWebSocket(lab: Lab, messages: readonly string[]): Promise<void> {
  const socket = new WebSocket(lab.webSocket, ["sip"]);
  const opened = Promise.withResolvers<void>();
  const closed = Promise.withResolvers<void>();
  socket.onopen = () => opened.resolve();
  socket.onerror = () => opened.reject(new Error("the WebSocket could not be opened"));
  socket.onclose = () => closed.resolve();
  await opened.promise;
  for (const message of messages) if (socket.readyState === WebSocket.OPEN) socket.send(message);
  socket.close();
  await closed.promise;
}

async function isWell(source: HostileSource, port: number): Promise<void> {
  for (let left = 15;; left--) {
    const answer = await source.ask(source.request("OPTIONS", `sip:127.0.0.1:${port}`));
    if (answer) return assert.equal(answer.status, 200);
    assert(left > 0, "OPTIONS is not answered");
  }
}

/** An answer of the callee's, mutated too. */
function replyTo(request: SipRequest, random: Random): Uint8Array {
  const status = random.pick(["100 Trying", "180 Ringing", "200 OK", "302 Moved", "486 Busy"]);
  const text = new TextDecoder().decode(serialize(request))
    .replace(/^[^\r\n]*/, `SIP/2.0 ${status}`);
  return encodeText(mutate(random, [text]));
}

/** Fills in what makes a message ours and new, so that many get past the door. */
class Filler {
  readonly #source: HostileSource;
  readonly #random: Random;
  #challenge: Challenge | undefined;
  #nonceCount = 0;
  #serial = 0;

  constructor(source: HostileSource, random: Random) {
    this.#source = source;
    this.#random = random;
  }

  /** A nonce lasts for so long only. */
  async renew(): Promise<void> {
    const uri = `sip:${CALLEE}@localhost`;
    for (let left = 15; left > 0; left--) {
      const answer = await this.#source.ask(this.#source.request("MESSAGE", uri));
      if (!answer) continue;
      this.#challenge = chooseChallenge(answer.headers.getAll("Proxy-Authenticate"));
      this.#nonceCount = 0;
      break;
    }
    assert(this.#challenge, "no challenge");
  }

  fill(text: string): string {
    const serial = ++this.#serial;
    const call = `fuzz-${this.#random.below(4) === 0 ? "again" : serial}`;
    const fields: Readonly<Record<string, string>> = {
      local: this.#source.local,
      branch: `z9hG4bK${serial}`,
      tag: `t${serial}`,
      call,
      auth: this.#credentials(text),
    };
    return text.replace(/\{(\w+)\}/g, (all, name: string) => fields[name] ?? all);
  }

  #credentials(text: string): string {
    const [method = "", uri = ""] = text.split(" ", 2);
    const answered = answerChallenge({
      challenge: this.#challenge!,
      username: USER,
      password: PASSWORD,
      method,
      uri,
      cnonce: "fuzz",
      nonceCount: ++this.#nonceCount,
    });
    if (!answered.ok) return "";
    const header = method === "REGISTER" ? "Authorization" : "Proxy-Authorization";
    return `${header}: ${answered.value}\r\n`;
  }
}
