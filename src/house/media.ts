import { keepWorkers } from "../actors/media_worker.ts";
import type { Config } from "../core/config/schema.ts";
import type { LogSystem } from "../core/io/logging.ts";
import { refuseToStart } from "../core/io/start_up.ts";
import { systemClock } from "../core/io/system_clock.ts";
import { systemEntropy } from "../core/io/system_entropy.ts";
import type { Transcoders } from "../rtp/io/start_codec_pool.ts";
import {
  createMediaPool,
  type PoolWorkerEvent,
  type RunningMediaPool,
} from "../rtp/io/start_pool.ts";

/** The media workers, running, or the end of the process with the reason. */
export function startMedia(
  config: Config,
  addresses: readonly string[],
  transcoders: Transcoders | undefined,
  logs: LogSystem,
  onEvent: (event: PoolWorkerEvent) => void,
): Promise<RunningMediaPool> {
  const { workers, publicAddress, portFrom, portTo, ffi, dscp, silenceTimeoutSeconds } =
    config.media;
  const media = logs.log("media");
  return createMediaPool({
    clock: systemClock,
    entropy: systemEntropy,
    keepWorker: keepWorkers(systemClock),
    workers: workers === "auto" ? Math.max(1, navigator.hardwareConcurrency - 1) : workers,
    addresses,
    ...(publicAddress === "" ? {} : { publicAddress }),
    portRange: [portFrom, portTo],
    ffi,
    dscp,
    ...(transcoders ? { codecs: transcoders } : {}),
    ...(silenceTimeoutSeconds === 0 ? {} : { silentAfterMs: silenceTimeoutSeconds * 1000 }),
    log: (level, text, fields) => media[level](text, fields),
    onWorkerEvent: onEvent,
  }).catch((fault) => refuseToStart([fault instanceof Error ? fault.message : String(fault)]));
}
