import assert from "node:assert/strict";
import type { Lab } from "./lab.ts";

/** A person with an application on the unmodified Web SDK, in whatever browser. */

/** Where the page's script is, for whoever puts it into a page. */
export const SDK_PAGE_SCRIPT = new URL("./sdk_page_script.js", import.meta.url);

export interface Site {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves an application's page with the lab's SDK, our script and nothing else, from an origin of
 * its own on loopback.
 */
export function serveSdkPage(lab: Lab): Site {
  const page = `<!doctype html><meta charset="utf-8"><title>SDK</title><body>
<script src="/script.js"></script><script src="${lab.origin}/sdk/flashphoner.js"></script></body>`;
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    switch (new URL(request.url).pathname) {
      case "/":
        return new Response(page, { headers: { "content-type": "text/html" } });
      case "/script.js":
        return new Response(await Deno.readTextFile(SDK_PAGE_SCRIPT), {
          headers: { "content-type": "text/javascript" },
        });
      default:
        return new Response(null, { status: 404 });
    }
  });
  return { url: `http://127.0.0.1:${server.addr.port}/`, close: () => server.shutdown() };
}

/** Runs JavaScript in a page and waits for what it promises. */
export interface ScriptHost {
  evaluate(expression: string): Promise<unknown>;
}

export interface Fact {
  readonly of: "session" | "socket" | "frame" | number;
  readonly status: string;
  /** Epoch, ms, with fractions; the same clock in all pages. */
  readonly at: number;
  readonly text?: string;
  readonly authToken?: string;
  readonly caller?: string;
  readonly name?: string;
  readonly code?: number;
}

export interface LoginOptions {
  readonly login?: string;
  readonly password?: string;
  readonly port?: string | number;
  readonly domain?: string;
  /** The login where absent. */
  readonly authName?: string;
  /** The domain where absent. */
  readonly outboundProxy?: string;
  readonly registerRequired?: boolean;
  /** Instead of all of these. */
  readonly authToken?: string;
}

export interface CallOptions {
  readonly video?: boolean;
  /** Names of codecs with commas, taken out of what the SDK sends. */
  readonly stripCodecs?: string;
}

export interface MediaReport {
  readonly connectionState: string;
  readonly audioPackets: number;
  readonly audioEnergy: number;
  readonly framesDecoded: number;
  readonly keyFramesDecoded: number;
  readonly framesSent: number;
  readonly codecs: readonly string[];
  /** What the browser believes that it may send, bit/s; 0: nobody has told it anything yet. */
  readonly estimate: number;
}

const PATIENCE_MS = 15_000;
/** Energy of a moment of tone, in the unit of `totalAudioEnergy`. */
const SOUND_ENERGY = 0.001;

/** Parts of an expression, values as JSON. */
function js(strings: TemplateStringsArray, ...values: unknown[]): string {
  return String.raw(
    { raw: strings },
    ...values.map((value) => JSON.stringify(value) ?? "undefined"),
  );
}

export class SdkUser {
  readonly name: string;
  readonly #host: ScriptHost;
  readonly #lab: Lab;

  constructor(name: string, host: ScriptHost, lab: Lab) {
    this.name = name;
    this.#host = host;
    this.#lab = lab;
  }

  async #run<T>(expression: string): Promise<T> {
    try {
      return await this.#host.evaluate(expression) as T;
    } catch (fault) {
      const text = fault instanceof Error ? fault.message.split("\n")[0]! : String(fault);
      throw new Error(`${this.name}: ${text.replace(/^page\.evaluate: (?:Error: )?/, "")}`);
    }
  }

  /** Starts a session; SIP Port 0 unless told otherwise. Waits for nothing. */
  async startLogin(options: LoginOptions = {}): Promise<void> {
    const { login = this.name, password = "secret", port = "0", domain = "127.0.0.1" } = options;
    const { registerRequired = false, authToken } = options;
    const sip = {
      login,
      authenticationName: options.authName ?? login,
      password,
      domain,
      outboundProxy: options.outboundProxy ?? domain,
      port,
      registerRequired,
    };
    await this.#run(js`user.login(${{
      urlServer: this.#lab.webSocket,
      keepAlive: true,
      ...(authToken === undefined ? { sipOptions: sip } : { authToken }),
    }})`);
  }

  /** Logs in, and tells the auth token. */
  async login(options: LoginOptions = {}): Promise<string> {
    await this.startLogin(options);
    const { authToken } = await this.session("ESTABLISHED");
    if (options.registerRequired) await this.session("REGISTERED");
    return authToken ?? "";
  }

  disconnect = () => this.#run<void>("user.disconnect()");

  /** Calls; tells the number of the call in this page. */
  call(callee: string, options: CallOptions = {}): Promise<number> {
    return this.#run(js`user.call(${{ callee, visibleName: this.name, ...options }})`);
  }

  answer = (options: CallOptions = {}) => this.#run<void>(js`user.answer(${options})`);
  hangup = (call?: number) => this.#run<void>(js`user.hangup(${call})`);
  hold = (call?: number) => this.#run<void>(js`user.hold(${call})`);
  unhold = (call?: number) => this.#run<void>(js`user.unhold(${call})`);
  holdForTransfer = (call?: number) => this.#run<void>(js`user.holdForTransfer(${call})`);
  transfer = (target: string, call?: number) =>
    this.#run<void>(js`user.transfer(${target}, ${call})`);
  dtmf = (digits: string, type: "RFC2833" | "INFO" | "INFO_RELAY" = "RFC2833", call?: number) =>
    this.#run<void>(js`user.dtmf(${digits}, ${type}, ${call})`);
  callId = (call?: number) => this.#run<string>(js`user.callId(${call})`);
  closeConnection = () => this.#run<void>("user.closeConnection()");
  facts = () => this.#run<Fact[]>("user.facts()");
  frames = () => this.#run<{ message: string; data: unknown[] }[]>("user.frames()");
  report = (connection?: number) => this.#run<MediaReport>(js`user.report(${connection})`);
  peak = (connection?: number) =>
    this.#run<{ hertz: number; decibels: number }>(js`user.peak(${connection})`);
  sentAt = (message: string) => this.#run<number>(js`user.sentAt(${message})`);
  /** When the first sound comes over the next connection, as in facts. */
  firstSound = (ms = PATIENCE_MS) => this.#run<number>(js`user.firstSound(${ms})`);

  /** Waits for the session's status, the `count`th time that it has it. */
  session(status: string, count = 1, ms = PATIENCE_MS): Promise<Fact> {
    return this.#run(js`user.until("session", ${status}, ${count}, ${ms})`);
  }

  /** Waits for the status of the latest call, or of the one with this number. */
  async callIs(
    status: string,
    options: { readonly count?: number; readonly call?: number; readonly ms?: number } = {},
  ): Promise<Fact> {
    const { count = 1, ms = PATIENCE_MS } = options;
    const call = options.call ?? await this.#run<number>("user.lastCall()");
    return await this.#run(js`user.until(${call}, ${status}, ${count}, ${ms})`);
  }

  /** Waits for a call that comes in and rings. */
  async rings(count = 1, ms = PATIENCE_MS): Promise<Fact> {
    const incoming = await this.session("INCOMING_CALL", count, ms);
    await this.callIs("RING", { ms });
    return incoming;
  }

  socketCloses = (ms = PATIENCE_MS) =>
    this.#run<Fact>(js`user.until("socket", "closed", 1, ${ms})`);
  receives = (message: string, count = 1, ms = PATIENCE_MS) =>
    this.#run<Fact>(js`user.until("frame", ${message}, ${count}, ${ms})`);

  /** Waits until the strongest tone of the remote stream is `hertz`; 0 is silence. */
  hears = (hertz: number, ms = PATIENCE_MS, connection?: number) =>
    this.#run<{ hertz: number; decibels: number }>(js`user.hears(${hertz}, ${ms}, ${connection})`);
  /** Waits for more sound than has come so far, where no tone can be told. */
  hearsAnything = (ms = PATIENCE_MS) =>
    this.#run<MediaReport>(js`user.energy(${SOUND_ENERGY}, ${ms})`);
  /** Waits for so many more decoded video frames; tells how long they took, ms. */
  sees = (frames: number, ms = PATIENCE_MS) => this.#run<number>(js`user.sees(${frames}, ${ms})`);

  /** Statuses of a call in their order, as the SDK told them. */
  async statuses(call?: number): Promise<string[]> {
    const facts = await this.facts();
    const last = call ?? Math.max(...facts.map(({ of }) => typeof of === "number" ? of : -1));
    return facts.filter(({ of }) => of === last).map(({ status }) => status);
  }
}

/** A call from one to the other, answered: both are told so. */
export async function connect(
  caller: SdkUser,
  callee: SdkUser,
  options: CallOptions & { readonly callee?: string } = {},
): Promise<void> {
  const { callee: name = callee.name, ...media } = options;
  await caller.call(name, media);
  await callee.rings();
  await callee.answer(media);
  await Promise.all([caller.callIs("ESTABLISHED"), callee.callIs("ESTABLISHED")]);
}

/** Waits until both have been told that the call is over. */
export async function bothFinish(caller: SdkUser, callee: SdkUser): Promise<void> {
  await Promise.all([caller.callIs("FINISH"), callee.callIs("FINISH")]);
}

/** Packets of sound that come while a page hears anew for sure. */
const FRESH_PACKETS = 60;

/** What comes to this page from now on has this tone. */
export async function goesOn(user: SdkUser, hertz: number): Promise<void> {
  const { audioPackets } = await user.report();
  const end = performance.now() + 15_000;
  while ((await user.report()).audioPackets < audioPackets + FRESH_PACKETS) {
    assert.ok(performance.now() < end, `${user.name} gets no sound any more`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await user.hears(hertz);
}
