import { fileURLToPath } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import type { ScriptHost } from "./sdk_page.ts";

/** Headless Chromium with pages whose connections send a tone of their own and a moving picture. */

/** Nothing of its own on the net, and sound without a click. */
export const CHROMIUM_FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--autoplay-policy=no-user-gesture-required",
];

export async function launchChromium(executablePath: string): Promise<Browser> {
  return await chromium.launch({ executablePath, args: [...CHROMIUM_FLAGS] });
}

const SCRIPT = fileURLToPath(new URL("./media_page_script.js", import.meta.url));

export interface PageStatistics {
  readonly connectionState: string;
  readonly framesDecoded: number;
  readonly keyFramesDecoded: number;
  readonly audioPackets: number;
  /** SSRCs of the audio that is received. */
  readonly audioSources: readonly number[];
}

/** One side of a call in a page of its own. */
export class BrowserSide<P extends ScriptHost = Page> {
  readonly page: P;

  private constructor(page: P) {
    this.page = page;
  }

  /** In a browser of another kind. */
  static async on<P extends ScriptHost>(page: P, hertz: number): Promise<BrowserSide<P>> {
    const script = await Deno.readTextFile(SCRIPT);
    const setUp = `setUpSide(${JSON.stringify({ hertz, video: false })})`;
    await page.evaluate(`(() => {${script}; ${setUp}; return true; })()`);
    return new BrowserSide(page);
  }

  static async open(browser: Browser, hertz: number, video: boolean): Promise<BrowserSide> {
    const page = await browser.newPage();
    await page.addScriptTag({ path: SCRIPT });
    await page.evaluate(`setUpSide(${JSON.stringify({ hertz, video })})`);
    return new BrowserSide(page);
  }

  offer = (): Promise<string> => this.#run("offer()");
  answer = (sdp: string): Promise<string> => this.#run(`answer(${JSON.stringify(sdp)})`);
  accept = (sdp: string): Promise<void> => this.#run(`accept(${JSON.stringify(sdp)})`);
  statistics = (): Promise<PageStatistics> => this.#run("statistics()");
  tone = (): Promise<number> => this.#run("tone()");
  closeConnection = (): Promise<void> => this.#run("close()");

  async #run<T>(call: string): Promise<T> {
    return await this.page.evaluate(`side.${call}`) as T;
  }

  /** Waits until the strongest tone heard is `hertz`. */
  async hears(hertz: number, within = 10_000): Promise<void> {
    const end = performance.now() + within;
    for (let heard = await this.tone();; heard = await this.tone()) {
      if (Math.abs(heard - hertz) < 15) return;
      if (performance.now() > end) {
        const { connectionState, audioPackets } = await this.statistics();
        throw new Error(
          `expected a tone of ${hertz} Hz, heard ${heard} Hz; ` +
            `connection ${connectionState}, ${audioPackets} audio packets`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  /** Waits until `frames` more video frames have been decoded. */
  async sees(frames: number, within = 10_000): Promise<void> {
    const end = performance.now() + within;
    const before = (await this.statistics()).framesDecoded;
    for (;;) {
      const now = await this.statistics();
      if (now.framesDecoded >= before + frames) return;
      if (performance.now() > end) {
        throw new Error(
          `expected ${frames} decoded frames, got ${now.framesDecoded - before}; ` +
            `connection ${now.connectionState}, ${now.keyFramesDecoded} key frames`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
