import type { CodecCommand, CodecEvent } from "../codec/contract.ts";
import { CodecPool, type CodecPoolOptions } from "../codec/pool.ts";
import { workerFactory } from "./worker_port.ts";

export interface RunningCodecPool extends CodecPool {
  /** Ends all workers; transcoders get no event. */
  close(): Promise<void>;
}

/** Workers get this long to end by themselves, ms. */
const SHUTDOWN_GRACE = 20;

/**
 * Starts the codec workers; resolves when all are up, and then `availability` says which codecs work.
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
