import { keepWorkers } from "../actors/media_worker.ts";
import type { Config } from "../core/config/schema.ts";
import type { LogSystem } from "../core/io/logging.ts";
import { codecWords } from "../core/io/ready.ts";
import { systemClock } from "../core/io/system_clock.ts";
import { startTranscoders, type Transcoders } from "../rtp/io/start_codec_pool.ts";

/** Nobody waits longer than this for codecs that few calls need, ms. */
const PATIENCE_MS = 1_200;

/** Waits until the codec workers run, or a while. */
export async function codecsStarted(transcoders: Transcoders | undefined): Promise<void> {
  if (!transcoders) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = systemClock.setTimeout(() => resolve(), PATIENCE_MS);
  await Promise.race([transcoders.started, promise]);
  systemClock.clearTimeout(timer);
}

/** What the startup line says of codecs. */
export function codecFacts(transcoders: Transcoders | undefined) {
  if (!transcoders) return [];
  const codecs = transcoders.availability();
  return codecs.length > 0 || transcoders.isGivenUp ? codecs : "starting";
}

/**
 * The codec workers, coming up, where the configuration wants any. Once they are, at start or
 * later, the log says which codecs there are.
 */
export function startCodecs({ media }: Config, logs: LogSystem): Transcoders | undefined {
  if (!media.transcoding) return undefined;
  const log = logs.log("codecs");
  const transcoders = startTranscoders({
    clock: systemClock,
    // They share the cores with the workers that relay, and few calls need them.
    workers: Math.max(1, Math.floor(navigator.hardwareConcurrency / 2)),
    keepWorker: keepWorkers(systemClock),
    allowCrash: false,
    ffi: media.ffi,
    onWorkerEvent: ({ type, worker, text }) =>
      log[type === "started" ? "debug" : "error"](`${worker} ${type}`, { text }),
    onFault: (text) => log.error("calls can't be transcoded", { text }),
  });
  void transcoders.started.then(() => {
    if (transcoders.isGivenUp) return;
    const codecs = transcoders.availability();
    const isWhole = codecs.every(({ available }) => available);
    log[isWhole ? "info" : "warn"](codecWords(codecs));
  });
  return transcoders;
}
