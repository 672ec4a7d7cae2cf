import { keepWorkers } from "../actors/media_worker.ts";
import type { Config } from "../core/config/schema.ts";
import type { LogSystem } from "../core/io/logging.ts";
import { systemClock } from "../core/io/system_clock.ts";
import { startTranscoders, type Transcoders } from "../rtp/io/start_codec_pool.ts";

/** The codec workers, coming up, where the configuration wants any. */
export function startCodecs({ media }: Config, logs: LogSystem): Transcoders | undefined {
  if (!media.transcoding) return undefined;
  const log = logs.log("codecs");
  return startTranscoders({
    clock: systemClock,
    // They share the cores with the workers that relay, and few calls need them.
    workers: Math.max(1, Math.floor(navigator.hardwareConcurrency / 2)),
    keepWorker: keepWorkers(systemClock),
    allowCrash: false,
    onWorkerEvent: ({ type, worker, text }) =>
      log[type === "started" ? "debug" : "error"](`${worker} ${type}`, { text }),
    onFault: (text) => log.error("calls can't be transcoded", { text }),
  });
}
