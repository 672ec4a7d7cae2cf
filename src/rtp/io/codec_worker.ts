import type { Codec, CodecName } from "../codec/codec.ts";
import type { CodecCommand, CodecEvent } from "../codec/contract.ts";
import { CodecEngine, type EngineCommand } from "../codec/engine.ts";
import { openCatalogue } from "./codec/catalogue.ts";
import { CodecHops } from "./codec_hops.ts";

/**
 * Entry point of a codec worker. Apart from the workers that relay, so that a frame that takes long
 * to code delays no packet of a call that needs no transcoding.
 */

const scope = globalThis as unknown as {
  onmessage: ((message: MessageEvent<CodecCommand>) => void) | null;
  postMessage(event: CodecEvent): void;
  close(): void;
};

type Codecs = ReadonlyMap<CodecName, Codec>;

let changed = (codecs: Codecs): Codecs => codecs;

/** For comparisons: a worker that has this one in it codes by other settings. */
export function changeCodecs(change: (codecs: Codecs) => Codecs): void {
  changed = change;
}

let engine: CodecEngine | null = null;
let allowCrash = false;
let timer: ReturnType<typeof setTimeout> | undefined;
let timerAt = Infinity;
let busyMs = 0;
let hops: CodecHops | null = null;

async function start(ffi: boolean): Promise<void> {
  try {
    const { codecs, availability } = await openCatalogue({ ffi });
    engine = new CodecEngine({
      codecs: changed(codecs),
      takeBusyMs: () => {
        const busy = busyMs;
        busyMs = 0;
        return busy;
      },
    });
    const handle = (command: EngineCommand) => run((engine, now) => engine.handle(command, now));
    hops = new CodecHops({
      onPackets: (packets) => handle({ type: "packets", packets }),
      onLoss: handle,
      onFault: (text) => scope.postMessage({ type: "worker-fault", text }),
      onSocketFailed: end,
    });
    scope.postMessage({ type: "ready", codecs: availability, local: hops.local });
  } catch (error) {
    scope.postMessage({ type: "start-failed", text: String(error) });
  }
}

/** Runs the engine on one input, sends what comes out, and sets the timer anew. */
function run(input: (engine: CodecEngine, now: number) => void): void {
  if (engine === null) return;
  const begun = performance.now();
  try {
    input(engine, begun);
    for (let event = engine.poll(); event !== undefined; event = engine.poll()) {
      const left = hops === null ? event : hops.take(event);
      if (left !== null) scope.postMessage(left);
    }
  } finally {
    arm(engine.deadline()?.at ?? Infinity);
    busyMs += performance.now() - begun;
  }
}

/** Uncaught, so that this worker ends and another takes its place with a socket of its own. */
function end(error: unknown): void {
  queueMicrotask(() => {
    throw new Error(`the socket of the hops fails: ${error}`, { cause: error });
  });
}

function arm(at: number): void {
  if (at === timerAt) return;
  if (timer !== undefined) clearTimeout(timer);
  timer = undefined;
  timerAt = at;
  if (at === Infinity) return;
  timer = setTimeout(() => {
    timer = undefined;
    timerAt = Infinity;
    run((engine, now) => engine.wake(now));
  }, Math.max(0, at - performance.now()));
}

scope.onmessage = ({ data }) => {
  switch (data.type) {
    case "start":
      allowCrash = data.allowCrash;
      start(data.ffi ?? true);
      break;
    case "crash":
      if (allowCrash) throw new Error("crash command");
      break;
    case "shutdown":
      hops?.close();
      scope.close();
      break;
    default:
      hops?.note(data);
      run((engine, now) => engine.handle(data, now));
  }
};
