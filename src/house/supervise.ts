import type { Plane } from "../actors/plane.ts";
import { Supervisor } from "../actors/supervisor.ts";
import { systemClock } from "../core/io/system_clock.ts";
import type { Log } from "../core/log.ts";
import type { Listeners } from "../rest/serve.ts";
import type { Transcoders } from "../rtp/io/start_codec_pool.ts";
import type { RunningMediaPool } from "../rtp/io/start_pool.ts";
import type { SipStore } from "../sip/io/store.ts";
import type { RunningSip } from "./sip.ts";

/**
 * How long calls and sessions may take to end, ms; with the rest it stays under the 10 s promised.
 */
const CALLS_GRACE_MS = 4_000;
/** Left for each kind of socket, and for the workers, after the last call has ended, ms. */
const CLOSE_GRACE_MS = 1_000;
/** How much later than its grace a part is given up, ms. */
const LATE_MS = 300;

export interface House {
  readonly plane: Plane;
  readonly listeners: Listeners;
  readonly sip: RunningSip;
  readonly media: RunningMediaPool;
  readonly transcoders: Transcoders | undefined;
  readonly store: SipStore;
}

/** What runs, in the order of its start; it ends in reverse (`docs/closures.md`). */
export function supervise({ plane, listeners, sip, media, transcoders, store }: House, log: Log) {
  const supervisor = new Supervisor({
    name: "house",
    strategy: "rest_for_one",
    intensity: { restarts: 0, periodMs: 1_000 },
    clock: systemClock,
    log,
    onGiveUp: (id) => log.error("a part of the house is gone", { id }),
  });
  const child = (id: string, shutdownMs: number, end: () => Promise<void>) =>
    supervisor.start({
      id,
      restart: "temporary",
      shutdownMs,
      start: (onExit) => ({
        stop: () =>
          void end().then(
            () => onExit({ kind: "normal" }),
            (error) => onExit({ kind: "fault", error }),
          ),
      }),
    });
  if (transcoders) child("codec workers", CLOSE_GRACE_MS, () => transcoders.close());
  child("media workers", CLOSE_GRACE_MS, () => media.close());
  child("sip", CLOSE_GRACE_MS + LATE_MS, () => sip.close(CLOSE_GRACE_MS));
  child("listeners", CLOSE_GRACE_MS + LATE_MS, () => listeners.shutdown(CLOSE_GRACE_MS));
  // Calls end by BYE and clients are told while their sockets and endpoints are still there.
  child("calls", CALLS_GRACE_MS, async () => {
    await new Promise<void>((resolve) => plane.stop(resolve));
    plane.close();
    store.close();
  });
  return () => new Promise<void>((resolve) => supervisor.stop(resolve));
}
