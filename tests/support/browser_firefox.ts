import { join } from "node:path";
import { Child } from "./child_process.ts";
import type { ScriptHost } from "./sdk_page.ts";

/** Headless Firefox, driven by WebDriver BiDi: as much of it as a page with a script needs. */

const START_MS = 30_000;
const COMMAND_MS = 30_000;

const PREFERENCES: Readonly<Record<string, boolean | number | string>> = {
  "media.navigator.permission.disabled": true,
  "media.navigator.streams.fake": true,
  "media.peerconnection.ice.obfuscate_host_addresses": false,
  "media.peerconnection.ice.default_address_only": false,
  "media.autoplay.default": 0,
  // No plugin is fetched and nobody is told anything.
  "media.gmp-manager.updateEnabled": false,
  "app.update.enabled": false,
  "browser.safebrowsing.malware.enabled": false,
  "browser.safebrowsing.phishing.enabled": false,
  "browser.shell.checkDefaultBrowser": false,
  "datareporting.policy.dataSubmissionEnabled": false,
  "network.captive-portal-service.enabled": false,
  "network.connectivity-service.enabled": false,
  "services.settings.server": "data:,",
  "toolkit.telemetry.enabled": false,
};

interface Reply {
  readonly id?: number;
  readonly type: "success" | "error" | "event";
  readonly result?: Record<string, unknown>;
  readonly error?: string;
  readonly message?: string;
}

interface EvaluateResult {
  readonly type: "success" | "exception";
  readonly result?: { readonly value?: unknown };
  readonly exceptionDetails?: { readonly text: string };
}

export class Firefox implements ScriptHost {
  readonly #child: Child;
  readonly #profile: string;
  #socket: WebSocket | undefined;
  #context = "";
  #next = 1;
  readonly #pending = new Map<number, PromiseWithResolvers<Record<string, unknown>>>();

  private constructor(child: Child, profile: string) {
    this.#child = child;
    this.#profile = profile;
  }

  static async start(path: string): Promise<Firefox> {
    const profile = await Deno.makeTempDir({ prefix: "portzero-firefox-" });
    const lines = Object.entries(PREFERENCES).map(([name, value]) =>
      `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`
    );
    await Deno.writeTextFile(join(profile, "user.js"), lines.join("\n"));
    const args = [
      "--headless",
      "--no-remote",
      "--profile",
      profile,
      "--remote-debugging-port",
      "0",
    ];
    const child = new Child(path, args, { env: { HOME: profile, MOZ_HEADLESS: "1" } });
    const firefox = new Firefox(child, profile);
    try {
      const [, url] = await child.expect(/WebDriver BiDi listening on (ws:\S+)/, START_MS);
      await firefox.#open(`${url}/session`);
      return firefox;
    } catch (fault) {
      await firefox[Symbol.asyncDispose]();
      throw fault;
    }
  }

  async #open(url: string): Promise<void> {
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#take(JSON.parse(String(data)) as Reply);
    socket.onclose = () => {
      for (const { reject } of this.#pending.values()) reject(new Error("Firefox has gone"));
      this.#pending.clear();
    };
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => resolve();
      socket.onerror = () => reject(new Error(`no WebDriver BiDi at ${url}`));
    });
    await this.#send("session.new", { capabilities: {} });
    const { context } = await this.#send("browsingContext.create", { type: "tab" });
    this.#context = String(context);
  }

  #take(reply: Reply): void {
    const pending = reply.id === undefined ? undefined : this.#pending.get(reply.id);
    if (!pending) return;
    this.#pending.delete(reply.id!);
    if (reply.type === "success") pending.resolve(reply.result ?? {});
    else pending.reject(new Error(`${reply.error}: ${reply.message}`));
  }

  #send(method: string, params: Record<string, unknown>): Promise<Record<string, unknown>> {
    const id = this.#next++;
    const pending = Promise.withResolvers<Record<string, unknown>>();
    this.#pending.set(id, pending);
    this.#socket?.send(JSON.stringify({ id, method, params }));
    const late = setTimeout(() => {
      this.#pending.delete(id);
      pending.reject(new Error(`${method}: no answer within ${COMMAND_MS} ms`));
    }, COMMAND_MS);
    return pending.promise.finally(() => clearTimeout(late));
  }

  async goto(url: string): Promise<void> {
    const params = { context: this.#context, url, wait: "complete" };
    await this.#send("browsingContext.navigate", params);
  }

  async evaluate(expression: string): Promise<unknown> {
    // As text, so that no other encoding of values need be known.
    const text = `(async () => JSON.stringify(await (${expression})))()`;
    const outcome = await this.#send("script.evaluate", {
      expression: text,
      target: { context: this.#context },
      awaitPromise: true,
    }) as unknown as EvaluateResult;
    if (outcome.type === "exception") throw new Error(outcome.exceptionDetails?.text);
    const value = outcome.result?.value;
    return typeof value === "string" ? JSON.parse(value) : undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#socket?.readyState === WebSocket.OPEN) {
      await this.#send("browser.close", {}).catch(() => {});
      await this.#child.ended().catch(() => {});
    }
    await this.#child[Symbol.asyncDispose]();
    await Deno.remove(this.#profile, { recursive: true });
  }
}
