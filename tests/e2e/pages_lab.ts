/// <reference lib="dom" />
import type { CallSummary, CallView } from "../../src/actors/control_plane.ts";
import { type Browser, chromium, type Locator, type Page } from "playwright-core";
import { Child } from "../support/child_process.ts";
import { needs } from "../support/needs.ts";

/**
 * The lab as its users have it: the real server in a process of its own, and people at browsers.
 */

const CHROMIUM = needs("chromium");

/** Playwright keeps timers and sockets of its own, which are not ours to count. */
export const BROWSER_TEST = {
  ignore: CHROMIUM.ignore,
  sanitizeOps: false,
  sanitizeResources: false,
};

const ROOT = new URL("../../", import.meta.url);
/** Nothing here takes longer on a machine that has other things to do. */
export const PATIENCE_MS = 15_000;

const POLL_MS = 50;

interface BrowserOptions {
  /** False: the person says no to microphone and camera. */
  readonly isAllowed?: boolean;
  /** False: there is neither microphone nor camera. */
  readonly hasDevices?: boolean;
  /** A name that this browser takes for this machine's. */
  readonly hostName?: string;
}

export class Lab implements AsyncDisposable {
  #server: Child;
  readonly #browsers: Browser[] = [];

  private constructor(
    server: Child,
    readonly url: string,
    private readonly directory: string,
    private readonly port: number,
  ) {
    this.#server = server;
  }

  /** @param config a configuration file's content */
  static async open(config: unknown = {}): Promise<Lab> {
    const directory = await Deno.makeTempDir({ prefix: "portzero-pages-" });
    await Deno.writeTextFile(`${directory}/lab.jsonc`, JSON.stringify(config));
    const port = freePort();
    const server = startServer(port, directory);
    try {
      await server.expect(/ ready /);
    } catch (fault) {
      await server[Symbol.asyncDispose]();
      throw fault;
    }
    return new Lab(server, `http://127.0.0.1:${port}/`, directory, port);
  }

  /** Of UDP and TCP. */
  async sipPort(): Promise<number> {
    const [, port] = await this.#server.expect(/SIP +udp\+tcp .*:(\d+),/);
    return Number(port);
  }

  async get<T>(path: string): Promise<T> {
    const response = await fetch(new URL(path, this.url));
    return await response.json() as T;
  }

  /** What somebody's call heard pressed, once there are so many digits. */
  async digitsHeardBy(name: string, count: number): Promise<string> {
    for (const end = performance.now() + PATIENCE_MS;;) {
      const { calls } = await this.get<{ calls: readonly CallSummary[] }>("api/calls");
      const own = calls.find(({ caller, callee, direction }) =>
        name === (direction === "inbound" ? callee : caller)
      );
      const { dtmf } = await this.get<Pick<CallView, "dtmf">>(`api/calls/${own?.id}`);
      const digits = dtmf?.map(({ digit }) => digit).join("") ?? "";
      if (digits.length >= count) return digits;
      if (performance.now() > end) throw new Error(`${name} has heard but "${digits}"`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async browser(options: BrowserOptions = {}): Promise<Browser> {
    const browser = await chromium.launch({
      executablePath: CHROMIUM.path,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-background-networking",
        "--disable-component-update",
        ...(options.hasDevices === false ? [] : ["--use-fake-device-for-media-stream"]),
        ...(options.hostName === undefined
          ? []
          : [`--host-resolver-rules=MAP ${options.hostName} 127.0.0.1`]),
        options.isAllowed === false
          ? "--deny-permission-prompts"
          : "--use-fake-ui-for-media-stream",
      ],
    });
    this.#browsers.push(browser);
    return browser;
  }

  /** People at the phone page, each in a window of one browser. */
  async people<const Names extends readonly string[]>(
    ...names: Names
  ): Promise<{ -readonly [I in keyof Names]: Person }> {
    const browser = await this.browser();
    const people: Person[] = [];
    for (const name of names) people.push(await Person.comeIn(browser, this.url, name));
    return people as { -readonly [I in keyof Names]: Person };
  }

  async stopServer(): Promise<void> {
    this.#server.signal("SIGTERM");
    await this.#server.ended(15_000);
  }

  async startServer(): Promise<void> {
    this.#server = startServer(this.port, this.directory);
    await this.#server.expect(/ ready /);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const browser of this.#browsers) await browser.close();
    await this.#server[Symbol.asyncDispose]();
    await Deno.remove(this.directory, { recursive: true });
  }
}

function startServer(port: number, directory: string): Child {
  const any = { REST: "RESTPORT", TLS: "TLSPORT", REST_TLS: "RESTTLSPORT" };
  const env = Object.fromEntries(
    Object.values(any).map((key) => [`PORTZERO_HTTP_${key}`, String(freePort())]),
  );
  const args = ["run", "-A", "main.ts", "--config", `${directory}/lab.jsonc`];
  return new Child(Deno.execPath(), args, {
    cwd: ROOT.pathname,
    env: {
      ...env,
      PORTZERO_HTTP_PORT: String(port),
      PORTZERO_SIP_PORT: "0",
      PORTZERO_SIP_TLSPORT: "0",
      PORTZERO_DATA_DIRECTORY: directory,
      // Browsers beside the server keep it waiting; that is no overload of its own.
      PORTZERO_SIP_LIMITS_LAGMS: "10000",
    },
  });
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

export async function openWindow(browser: Browser, address: string): Promise<Page> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  context.setDefaultTimeout(PATIENCE_MS);
  const page = await context.newPage();
  await page.goto(address);
  return page;
}

/** Somebody at the phone page, who knows nothing but its labels. */
export class Person {
  /** What went over the page's socket, for whoever has to find out why a test failed. */
  readonly #diary: string[] = [];

  private constructor(readonly name: string, readonly page: Page) {
    page.on("websocket", (socket) => {
      socket.on("framesent", ({ payload }) => this.#note("sent", payload));
      socket.on("framereceived", ({ payload }) => this.#note("received", payload));
    });
  }

  /** In a window of one's own: a tab behind another would be slowed down. */
  static async comeIn(browser: Browser, address: string, name: string): Promise<Person> {
    const person = await Person.open(browser, address, name);
    await person.connect();
    return person;
  }

  /** At the door: the page is open, and the name typed. */
  static async open(browser: Browser, address: string, name: string): Promise<Person> {
    const person = new Person(name, await openWindow(browser, address));
    await person.page.getByLabel("Your name").fill(name);
    return person;
  }

  /** In another window of somebody's browser. */
  static async joinIn(other: Person, address: string, name: string): Promise<Person> {
    const page = await other.page.context().newPage();
    await page.goto(address);
    const person = new Person(name, page);
    await person.connect();
    return person;
  }

  async connect(): Promise<void> {
    await this.page.getByLabel("Your name").fill(this.name);
    await this.press("Go");
    await this.sees(`Online as ${this.name}`);
  }

  button(label: string): Locator {
    return this.page.getByRole("button", { name: label, exact: true });
  }

  async press(label: string): Promise<void> {
    await this.button(label).click();
  }

  async sees(words: string): Promise<void> {
    await this.#told(`does not see ${words}`, this.page.getByText(words).waitFor());
  }

  async calls(callee: string, media: "Audio" | "Video" = "Audio"): Promise<void> {
    await this.page.getByLabel("Callee").fill(callee);
    await this.page.getByRole("radio", { name: media }).check({ force: true });
    await this.press("Call");
  }

  /** Calls somebody who answers. */
  async talksWith(callee: Person): Promise<void> {
    await this.calls(callee.name);
    await callee.press("Answer");
    await this.sees(`In a call with ${callee.name}`);
  }

  /** Waits until a meter shows at least this, or at most, of full scale. */
  async meter(label: string, bound: { readonly over: number } | { readonly under: number }) {
    const shown = this.page.waitForFunction(
      ([label, over, under]) => {
        const meter = document.querySelector<HTMLElement>(`[role="meter"][aria-label="${label}"]`);
        const level = Number(meter?.style.getPropertyValue("--level") || Number.NaN);
        return level > over && level < under;
      },
      [label, "over" in bound ? bound.over : -1, "under" in bound ? bound.under : 2] as const,
      // Not with each animation frame, as is the custom: a window behind another has none.
      { polling: 50 },
    );
    await this.#told(`has no ${label} ${JSON.stringify(bound)}`, shown);
  }

  /**
   * Adds to a failure what this person sees, and what the page and the server said to each other.
   */
  async #told(failure: string, hope: Promise<unknown>): Promise<void> {
    try {
      await hope;
    } catch (cause) {
      const seen = (await this.page.locator("body").innerText()).replace(/\s*\n\s*/g, " / ");
      const diary = this.#diary.join("\n  ");
      throw new Error(`${this.name} ${failure}, but: ${seen}\n  ${diary}`, { cause });
    }
  }

  #note(direction: string, payload: string | Uint8Array): void {
    const { message, data } = JSON.parse(String(payload));
    if (message === "ping" || message === "pong") return;
    const { callId, status, sipStatus, info } = data?.[0] ?? {};
    const words = [direction, message, callId, status, sipStatus, info];
    const time = new Date().toISOString().slice(11, 23);
    this.#diary.push([time, ...words.filter((word) => word !== undefined)].join(" "));
  }
}
