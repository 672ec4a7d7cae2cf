import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";
import type { Lab } from "./lab.ts";

/** JsSIP, the SIP stack that other people's pages use: over a WebSocket, unmodified. */

const JSSIP = "npm:jssip@3.13.8";
const PAGE_SCRIPT = new URL("./jssip_page_script.js", import.meta.url);

export interface JsSipSite {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves a page with JsSIP and our script from an origin of its own on loopback. */
export async function serveJsSip(): Promise<JsSipSite> {
  const library = await bundle();
  const page = `<!doctype html><meta charset="utf-8"><title>JsSIP</title><body>
<script src="/jssip.js"></script><script src="/script.js"></script></body>`;
  const javascript = { headers: { "content-type": "text/javascript" } };
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    switch (new URL(request.url).pathname) {
      case "/":
        return new Response(page, { headers: { "content-type": "text/html" } });
      case "/jssip.js":
        return new Response(library, javascript);
      case "/script.js":
        return new Response(await Deno.readTextFile(PAGE_SCRIPT), javascript);
      default:
        return new Response(null, { status: 404 });
    }
  });
  return { url: `http://127.0.0.1:${server.addr.port}/`, close: () => server.shutdown() };
}

/**
 * The package has no file for browsers; its dependencies lie where only the module loader knows.
 */
async function bundle(): Promise<string> {
  const { build, stop } = await import("esbuild");
  const entry = fileURLToPath(import.meta.resolve(JSSIP));
  try {
    const { outputFiles } = await build({
      entryPoints: [entry],
      bundle: true,
      write: false,
      format: "iife",
      globalName: "JsSIP",
      platform: "browser",
      logLevel: "silent",
      plugins: [{
        name: "packages",
        setup({ onResolve }) {
          onResolve({ filter: /^(?:debug|events|ms|sdp-transform)$/ }, ({ path, importer }) => {
            const { resolve } = createRequire(importer || entry);
            // A name that Node.js has too, and a package with one file for each kind of machine.
            if (path === "events") return { path: resolve("events/") };
            const file = resolve(path);
            return { path: path === "debug" ? file.replace(/index\.js$/, "browser.js") : file };
          });
        },
      }],
    });
    return outputFiles[0]!.text;
  } finally {
    await stop();
  }
}

/** An argument of a function in the page, as text. */
const js = (value: unknown) => JSON.stringify(value) ?? "undefined";
const PATIENCE_MS = 15_000;

/** Somebody at a page with JsSIP. */
export class JsSipUser {
  readonly name: string;
  readonly #page: Page;

  private constructor(name: string, page: Page) {
    this.name = name;
    this.#page = page;
  }

  static async open(name: string, page: Page, site: JsSipSite): Promise<JsSipUser> {
    await page.goto(site.url);
    return new JsSipUser(name, page);
  }

  async #run<T>(expression: string): Promise<T> {
    try {
      return await this.#page.evaluate(expression) as T;
    } catch (fault) {
      const text = fault instanceof Error ? fault.message.split("\n")[0]! : String(fault);
      throw new Error(`${this.name} (JsSIP): ${text}; saw ${js(await this.facts())}`);
    }
  }

  facts = () => this.#page.evaluate("user.facts()") as Promise<unknown[]>;

  /** Registers with an account of the lab. */
  register(lab: Lab, options: { readonly isSecure?: boolean } = {}): Promise<void> {
    const socket = options.isSecure ? `wss://127.0.0.1:${lab.tlsPort}` : lab.webSocket;
    const account = { socket, name: this.name, password: "1234" };
    return this.#run(`user.register(${js(account)}, ${PATIENCE_MS})`);
  }

  unregister = () => this.#run<void>(`user.unregister(${PATIENCE_MS})`);
  call = (name: string) => this.#run<void>(`user.call(${js(name)})`);
  answer = () => this.#run<void>("user.answer()");
  hangup = () => this.#run<void>("user.hangup()");
  hold = () => this.#run<void>("user.hold()");
  /** A re-offer with new ICE credentials, until it is answered. */
  restartIce = () => this.#run<void>("user.restartIce()");
  icePair = () => this.#run<{ local: string; remote: string }>("user.icePair()");
  unhold = () => this.#run<void>("user.unhold()");
  /** RFC 4733 events. */
  digits = (digits: string) => this.#run<void>(`user.digits(${js(digits)})`);

  /**
   * Waits for the `count`th fact of this name: registered, ringing, progress, confirmed, ended ...
   */
  tells = (fact: string, count = 1) =>
    this.#run<{ name: string; by?: string; cause?: string }>(
      `user.until(${js(fact)}, ${count}, ${PATIENCE_MS})`,
    );
  hears = (hertz: number) => this.#run<void>(`user.hears(${hertz}, ${PATIENCE_MS})`);
  /** More sound than there has been, of whatever tone. */
  hearsAnything = () => this.#run<void>(`user.hearsAnything(${PATIENCE_MS})`);
}
