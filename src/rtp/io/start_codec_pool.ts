import type { CodecCommand, CodecEvent } from "../codec/contract.ts";
import { CodecPool, type CodecPoolOptions, type CodecWorkerView } from "../codec/pool.ts";
import type { CodecAvailability } from "../codec/codec.ts";
import { workerFactory } from "./worker_port.ts";

export interface RunningCodecPool extends CodecPool {
  /** Ends all workers; transcoders get no event. */
  close(): Promise<void>;
}

/** Workers get this long to end by themselves, ms. */
const SHUTDOWN_GRACE = 20;

/**
 * Starts the codec workers; resolves when all are up, and then `availability` says which codecs
 * work.
 * @throws Error in words for a person
 */
export async function createCodecPool(
  options: Omit<CodecPoolOptions, "factory">,
): Promise<RunningCodecPool> {
  const module = new URL("./codec_worker.ts", import.meta.url);
  const factory = workerFactory<CodecCommand, CodecEvent>(module);
  const pool = new CodecPool({ ...options, factory });
  await new Promise<void>((resolve, reject) => {
    pool.start((fault) => {
      if (fault === null) return resolve();
      pool.terminate();
      reject(new Error(`the codec workers could not be started: ${fault}`));
    });
  });
  return Object.assign(pool, {
    close: async () => {
      pool.shutdown();
      await new Promise((resolve) => setTimeout(resolve, SHUTDOWN_GRACE));
      pool.terminate();
    },
  });
}

/** Codec workers that a media pool can be given before they run. */
export interface Transcoders extends Pick<CodecPool, "open"> {
  /** Resolves when they run, or have been given up; never rejects. */
  readonly started: Promise<void>;
  /** They could not be started. */
  readonly isGivenUp: boolean;
  /** Empty before they run. */
  availability(): readonly CodecAvailability[];
  /** Empty before they run. */
  workers(): readonly CodecWorkerView[];
  close(): Promise<void>;
}

/** Starts codec workers beside everything else; a server without them serves all the same. */
export function startTranscoders(
  options: Omit<CodecPoolOptions, "factory"> & { readonly onFault: (text: string) => void },
): Transcoders {
  let pool: RunningCodecPool | undefined;
  let isGivenUp = false;
  const started = createCodecPool(options).then((made) => {
    pool = made;
  }, (fault) => {
    isGivenUp = true;
    options.onFault(fault instanceof Error ? fault.message : String(fault));
  });
  return {
    started,
    get isGivenUp() {
      return isGivenUp;
    },
    availability: () => pool?.availability ?? [],
    workers: () => pool?.workers() ?? [],
    open(...of) {
      if (!pool) throw new Error("a transcoder was wanted before the codec workers ran");
      return pool.open(...of);
    },
    close: async () => {
      await started;
      await pool?.close();
    },
  };
}
