import assert from "node:assert/strict";
import type { Browser } from "playwright-core";
import { systemClock } from "../../src/core/io/system_clock.ts";
import { systemEntropy } from "../../src/core/io/system_entropy.ts";
import type { EndpointEvent, EndpointHandle, LocalTransport } from "../../src/rtp/media_port.ts";
import {
  createMediaPool,
  type PoolWorkerEvent,
  type RunningMediaPool,
} from "../../src/rtp/io/start_pool.ts";
import { BrowserSide, launchChromium } from "../support/media_page.ts";
import { remoteTransport, withTransport } from "../support/media_sdp.ts";

const A_HERTZ = 440;
const B_HERTZ = 1000;

/** An endpoint of the pool, and what it has told. */
class Leg {
  readonly events: EndpointEvent[] = [];
  readonly handle: EndpointHandle;
  #waiting: (() => void)[] = [];

  constructor(pool: RunningMediaPool, label: string, near?: Leg) {
    const options = { kind: "webrtc", label } as const;
    this.handle = pool.open(
      near === undefined ? options : { ...options, near: near.handle.token },
      (event) => {
        this.events.push(event);
        for (const wake of this.#waiting.splice(0)) wake();
      },
    );
  }

  async until<T extends EndpointEvent["type"]>(
    type: T,
    fits: (event: Extract<EndpointEvent, { type: T }>) => boolean = () => true,
    within = 10_000,
  ): Promise<Extract<EndpointEvent, { type: T }>> {
    const end = performance.now() + within;
    for (;;) {
      for (const event of this.events) {
        if (event.type !== type) continue;
        const found = event as Extract<EndpointEvent, { type: T }>;
        if (fits(found)) return found;
      }
      const left = end - performance.now();
      if (left <= 0) {
        const last = JSON.stringify(this.events.slice(-8));
        throw new Error(`no fitting ${type} event within ${within} ms; last events: ${last}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#waiting.push(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  async local(): Promise<LocalTransport> {
    return (await this.until("opened")).local;
  }
}

function startPool(workers: number, onWorkerEvent: (event: PoolWorkerEvent) => void = () => {}) {
  return createMediaPool({
    clock: systemClock,
    entropy: systemEntropy,
    workers,
    addresses: ["127.0.0.1"],
    portRange: [21000, 21999],
    log: (level, text, fields) => {
      if (level === "error") console.error(text, fields ?? "");
    },
    onWorkerEvent,
    allowCrash: true,
  });
}

/** Carries offer and answer between two pages by way of two endpoints, as a call does. */
async function call(a: BrowserSide, b: BrowserSide, legA: Leg, legB: Leg): Promise<void> {
  const offer = await a.offer();
  legA.handle.setRemote(remoteTransport(offer));
  const answer = await b.answer(withTransport(offer, await legB.local(), "actpass"));
  legB.handle.setRemote(remoteTransport(answer));
  legA.handle.connect(legB.handle.token);
  legB.handle.connect(legA.handle.token);
  await a.accept(withTransport(answer, await legA.local(), "passive"));
}

async function withBrowser(run: (browser: Browser) => Promise<void>): Promise<void> {
  const browser = await launchChromium();
  try {
    await run(browser);
  } finally {
    await browser.close();
  }
}

Deno.test("two browser connections hear and see each other", async (t) => {
  // The first start may have to compile and check the workers' modules.
  await (await startPool(1)).close();
  const started = performance.now();
  const pool = await startPool(1);
  const upMs = performance.now() - started;
  try {
    assert.ok(upMs < 1500, `the pool took ${upMs} ms to start`);
    await withBrowser(async (browser) => {
      const a = await BrowserSide.open(browser, A_HERTZ, true);
      const b = await BrowserSide.open(browser, B_HERTZ, true);
      const legA = new Leg(pool, "a");
      const legB = new Leg(pool, "b", legA);

      await t.step("tones by FFT and decoded frames, both ways", async () => {
        await call(a, b, legA, legB);
        await Promise.all([a.hears(B_HERTZ), b.hears(A_HERTZ)]);
        await Promise.all([a.sees(20), b.sees(20)]);
        for (const leg of [legA, legB]) {
          await leg.until("dtls", (event) => event.state === "connected");
          await leg.until("ice", (event) => event.state === "connected");
          await leg.until("media", (event) => event.kind === "audio");
          await leg.until("media", (event) => event.kind === "video");
        }
      });

      await t.step("statistics name codecs, and the round trip is known", async () => {
        const { statistics } = await legA.until(
          "statistics",
          (event) => event.statistics.roundTripMs !== null && event.statistics.videoCodec !== null,
          15_000,
        );
        assert.equal(statistics.audioCodec, "opus");
        assert.ok(statistics.roundTripMs! < 500, `round trip ${statistics.roundTripMs} ms`);
        assert.ok(statistics.receivePackets > 50 && statistics.sendPackets > 50);
        assert.ok(statistics.jitterMs < 100, `jitter ${statistics.jitterMs} ms`);
      });

      await t.step("hold stops the media, unhold brings it back", async () => {
        legA.handle.setFlowing(false);
        await a.hears(0);
        await b.hears(0);
        legA.handle.setFlowing(true);
        await Promise.all([a.hears(B_HERTZ), b.hears(A_HERTZ)]);
        await Promise.all([a.sees(10), b.sees(10)]);
      });

      await t.step("alerts from anywhere change nothing", async () => {
        const { address, port } = (await legA.local()).candidates[0]!;
        const stranger = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
        const alert = Uint8Array.of(21, 254, 253, 0, 0, 0, 0, 0, 0, 0, 9, 0, 2, 2, 40);
        for (let i = 0; i < 20; i++) {
          await stranger.send(alert, { transport: "udp", hostname: address, port });
        }
        stranger.close();
        await Promise.all([a.sees(10), b.hears(A_HERTZ)]);
        assert.ok(!legA.events.some((event) => event.type === "dtls" && event.state === "closed"));
      });

      await t.step("a browser that closes is noticed at once", async () => {
        await b.closeConnection();
        await legB.until("dtls", (event) => event.state === "closed", 2000);
      });

      legA.handle.close();
      legB.handle.close();
      assert.deepEqual(pool.size, { endpoints: 0, bridges: 0, waiting: 0 });
    });
  } finally {
    await pool.close();
  }
});
