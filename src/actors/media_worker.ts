import { assign, createActor, setup } from "xstate";
import type { Clock, Instant } from "../core/clock.ts";
import type { KeepWorker, WorkerLifeHooks, WorkerState } from "../rtp/worker_life.ts";

/**
 * The first death in the period is made good at once: calls wait. Before the second restart there
 * is a pause, doubled with each death, ms.
 */
const FIRST_BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 5_000;
/** More deaths than this within the period, and the worker is given up. */
const INTENSITY = 5;
const PERIOD_MS = 60_000;
/**
 * A worker that has not said that it is ready by then is taken for dead, ms. It compiles and checks
 * itself first, which takes a second, and many times that where others have the cores: to be late
 * is no death, and whoever starts again then begins at the end of the queue.
 */
const START_TIMEOUT_MS = 60_000;

interface MediaWorkerInput {
  readonly clock: Clock;
  readonly hooks: WorkerLifeHooks;
}

interface MediaWorkerContext extends MediaWorkerInput {
  /** The last death: in words, and whether it was the last one. */
  readonly death: { readonly text: string; readonly isFinal: boolean } | null;
  readonly deaths: readonly Instant[];
  /** Until the next start, ms. */
  readonly pauseMs: number;
  readonly restarts: number;
}

type MediaWorkerEvent =
  | { readonly type: "start" }
  | { readonly type: "up" }
  | { readonly type: "died"; readonly text: string }
  /** It was ended so that another takes its place: no fault of its own. */
  | { readonly type: "replaced"; readonly text: string }
  | { readonly type: "stop" };

/**
 * The life of one media, handshake or codec worker: permanent in OTP's words, with growing pauses
 * between restarts, until it dies too often.
 *
 * ```mermaid
 * stateDiagram-v2
 *   [*] --> idle
 *   idle --> starting : start
 *   starting --> running : up
 *   starting --> stopped : died [isTooOften], after startTimeout 60 s [isTooOften]
 *   starting --> restarting : died, after startTimeout 60 s
 *   running --> restarting : replaced, died
 *   running --> stopped : died [isTooOften]
 *   restarting --> starting : after backoff
 *   stopped --> [*]
 *   note right of idle : every state to stopped on stop
 * ```
 */
export const mediaWorkerMachine = setup({
  types: {
    input: {} as MediaWorkerInput,
    context: {} as MediaWorkerContext,
    events: {} as MediaWorkerEvent,
  },
  actions: {
    launch: ({ context }) => context.hooks.launch(),
    die: assign(({ context, event }) => {
      const now = context.clock.now();
      const deaths = [...recentDeaths(context), now];
      const text = event.type === "died" ? event.text : "it did not come up in time";
      const pauseMs = deaths.length < 2
        ? 0
        : Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** (deaths.length - 2));
      return { deaths, pauseMs, death: { text, isFinal: deaths.length > INTENSITY } };
    }),
    giveWay: assign(({ event }) => {
      const text = event.type === "replaced" ? event.text : "";
      return { pauseMs: 0, death: { text, isFinal: false } };
    }),
    countRestart: assign(({ context }) => ({ restarts: context.restarts + 1 })),
  },
  guards: {
    isTooOften: ({ context }) => recentDeaths(context).length >= INTENSITY,
  },
  delays: {
    startTimeout: START_TIMEOUT_MS,
    backoff: ({ context }) => context.pauseMs,
  },
}).createMachine({
  id: "media_worker",
  context: ({ input }) => ({ ...input, death: null, deaths: [], pauseMs: 0, restarts: 0 }),
  initial: "idle",
  on: { stop: ".stopped" },
  states: {
    idle: { on: { start: "starting" } },
    starting: {
      entry: "launch",
      on: {
        up: "running",
        died: [
          { guard: "isTooOften", target: "stopped", actions: "die" },
          { target: "restarting", actions: "die" },
        ],
      },
      after: {
        startTimeout: [
          { guard: "isTooOften", target: "stopped", actions: "die" },
          { target: "restarting", actions: "die" },
        ],
      },
    },
    running: {
      on: {
        replaced: { target: "restarting", actions: "giveWay" },
        died: [
          { guard: "isTooOften", target: "stopped", actions: "die" },
          { target: "restarting", actions: "die" },
        ],
      },
    },
    restarting: {
      after: { backoff: { target: "starting", actions: "countRestart" } },
    },
    stopped: { type: "final" },
  },
});

function recentDeaths({ clock, deaths }: MediaWorkerContext): readonly Instant[] {
  return deaths.filter((at) => clock.now() - at < PERIOD_MS);
}

/** Keeps workers alive, each by an actor of its own. */
export function keepWorkers(clock: Clock): KeepWorker {
  return (hooks) => {
    const actor = createActor(mediaWorkerMachine, { clock, input: { clock, hooks } });
    let told: MediaWorkerContext["death"] = null;
    actor.subscribe({
      // Told after the transition, so that whoever hears of it sees the new state.
      next: ({ context }) => {
        if (context.death === told) return;
        told = context.death;
        if (told) hooks.onDown(told.text, told.isFinal);
      },
      error: (error) => hooks.onDown(`its keeper failed: ${error}`, true),
    });
    actor.start();
    return {
      get state(): WorkerState {
        const { status, value } = actor.getSnapshot();
        if (status !== "active") return "stopped";
        return value === "idle" ? "starting" : value as WorkerState;
      },
      get restarts() {
        return actor.getSnapshot().context.restarts;
      },
      start: () => actor.send({ type: "start" }),
      up: () => actor.send({ type: "up" }),
      died: (text) => actor.send({ type: "died", text }),
      replaced: (text) => actor.send({ type: "replaced", text }),
      stop: () => actor.send({ type: "stop" }),
    };
  };
}
