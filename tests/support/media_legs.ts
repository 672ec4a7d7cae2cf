import { keepWorkers } from "../../src/actors/media_worker.ts";
import { systemClock } from "../../src/core/io/system_clock.ts";
import { systemEntropy } from "../../src/core/io/system_entropy.ts";
import type { EndpointEvent, EndpointHandle, LocalTransport } from "../../src/rtp/media_port.ts";
import {
  createMediaPool,
  type MediaPoolOptions,
  type RunningMediaPool,
} from "../../src/rtp/io/start_pool.ts";
import type { BrowserSide } from "./media_page.ts";
import { remoteTransport, withTransport } from "./media_sdp.ts";

/** An endpoint of the pool, and what it has told. */
export class Leg {
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

/** A real pool on loopback. */
export function startPool(
  workers: number,
  options: Partial<MediaPoolOptions> = {},
): Promise<RunningMediaPool> {
  return createMediaPool({
    clock: systemClock,
    entropy: systemEntropy,
    keepWorker: keepWorkers(systemClock),
    workers,
    addresses: ["127.0.0.1"],
    portRange: [21000, 21999],
    log: (level, text, fields) => {
      if (level === "error") console.error(text, fields ?? "");
    },
    onWorkerEvent: () => {},
    allowCrash: true,
    ...options,
  });
}

/** A page of whatever browser. */
type Describes = Pick<BrowserSide, "offer" | "answer" | "accept">;

/**
 * Carries offer and answer between two pages by way of two endpoints, as a call does; gives the
 * offer.
 */
export async function call(a: Describes, b: Describes, legA: Leg, legB: Leg): Promise<string> {
  const offer = await a.offer();
  legA.handle.setRemote(remoteTransport(offer));
  const answer = await b.answer(withTransport(offer, await legB.local(), "actpass"));
  legB.handle.setRemote(remoteTransport(answer));
  legA.handle.connect(legB.handle.token);
  legB.handle.connect(legA.handle.token);
  await a.accept(withTransport(answer, await legA.local(), "passive"));
  return offer;
}
