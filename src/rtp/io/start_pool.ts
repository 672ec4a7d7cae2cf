import type { Clock } from "../../core/clock.ts";
import type { Entropy } from "../../core/entropy.ts";
import type { HandshakeCommand, HandshakeEvent, MediaEvent } from "../contract.ts";
import { parseIpv4 } from "../engine/address_table.ts";
import { parseIpv6 } from "../engine/ipv6.ts";
import type { MediaPort, WorkerView } from "../media_port.ts";
import type { CodecPool } from "../codec/pool.ts";
import { MediaPool } from "../pool.ts";
import type { MediaLog, PoolWorkerEvent } from "../pool_options.ts";
import type { RtpMediaPort } from "../rtp_media_port.ts";
import type { KeepWorker } from "../worker_life.ts";
import {
  linkedFactory,
  type MediaWorkerMessage,
  portableFactory,
  type WithoutFfi,
} from "./ffi/link.ts";
import { workerFactory } from "./worker_port.ts";

export type { MediaLog, PoolWorkerEvent } from "../pool_options.ts";

const WITHOUT_FFI = "media.ffi is off";
const SILENT_AFTER_MS = 30_000;
/** Workers get this long to close their sockets before they are ended, ms. */
const SHUTDOWN_GRACE = 50;

export interface MediaPoolOptions {
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** Number of media workers, at least one. */
  readonly workers: number;
  /** Keeps each worker alive. */
  readonly keepWorker: KeepWorker;
  /** `auto`: 127.0.0.1 and the machine's own IPv4 addresses; or a list of addresses. */
  readonly addresses: "auto" | readonly string[];
  /**
   * Addresses for the ports of SIP legs, IPv4 and IPv6. Absent: `addresses`, and with `auto` the
   * machine's own IPv6 addresses too.
   */
  readonly rtpAddresses?: readonly string[];
  /** Announced beside the others with the same port: the address of the NAT in front of us. */
  readonly publicAddress?: string;
  /** First and last UDP port, both included. */
  readonly portRange: readonly [number, number];
  readonly log: MediaLog;
  readonly onWorkerEvent: (event: PoolWorkerEvent) => void;
  /**
   * `silent` is reported each time that this long has passed without a packet; default 30,000 ms.
   */
  readonly silentAfterMs?: number;
  /** Whether packets are marked, where the shell can (RFC 8837); default true. */
  readonly dscp?: boolean;
  /** False: the portable shell even where the fast one would work; default true. */
  readonly ffi?: boolean;
  /** SRTP without libcrypto even where it would serve; for tests and comparisons. */
  readonly typescriptSrtp?: boolean;
  /** Where transcoders run; absent: there are none. */
  readonly codecs?: Pick<CodecPool, "open">;
  /** Lets the `crash` functions work; tests only. */
  readonly allowCrash?: boolean;
}

export interface RunningMediaPool extends MediaPort, RtpMediaPort {
  workers(): readonly WorkerView[];
  /** What is open; all zero when every call is over. */
  readonly size: {
    readonly endpoints: number;
    readonly bridges: number;
    readonly waiting: number;
  };
  /** Kills a worker by an uncaught exception, where `allowCrash` is set. */
  crashWorker(
    worker: number,
    how?: { readonly tear?: number; readonly hangMs?: number; readonly inPacket?: boolean },
  ): void;
  /** Kills a worker and starts another in its place; false where none of that index runs. */
  restartWorker(worker: number): boolean;
  crashHandshakeWorker(): void;
  /** Ends all workers; endpoints get no event. */
  close(): Promise<void>;
}

/** What `auto` stands for: loopback, and the machine's own IPv4 addresses. */
export function ownAddresses(): string[] {
  const own = Deno.networkInterfaces()
    .filter(({ family, address }) => family === "IPv4" && !address.startsWith("127."))
    .map(({ address }) => address);
  return ["127.0.0.1", ...new Set(own)];
}

/** Loopback and the machine's global IPv6 addresses; none where it has no IPv6. */
function ownIpv6Addresses(): string[] {
  return Deno.networkInterfaces()
    .filter(({ family, address }) => family === "IPv6" && !address.startsWith("fe80"))
    .map(({ address }) => address);
}

/**
 * Starts the workers; resolves when all are up.
 * @throws Error in words for a person when an address is not ours or the port range is used up
 */
export async function createMediaPool(options: MediaPoolOptions): Promise<RunningMediaPool> {
  const addresses = options.addresses === "auto" ? ownAddresses() : options.addresses;
  if (addresses.length === 0) {
    throw new Error("media addresses: none is given, expected at least one");
  }
  for (const address of addresses) {
    if (parseIpv4(address) < 0 && parseIpv6(address) === null) {
      throw new Error(
        `media address ${address} is not understood, expected an address such as 127.0.0.1 or ::1`,
      );
    }
  }
  const plain = workerFactory<MediaWorkerMessage, MediaEvent>(
    new URL("./media_worker.ts", import.meta.url),
  );
  const handshakes = workerFactory<HandshakeCommand | WithoutFfi, HandshakeEvent>(
    new URL("./handshake_worker.ts", import.meta.url),
  );
  const pool = new MediaPool({
    clock: options.clock,
    entropy: options.entropy,
    workers: options.workers,
    keepWorker: options.keepWorker,
    mediaFactory: options.ffi ?? true ? linkedFactory(plain) : portableFactory(plain, WITHOUT_FFI),
    handshakeFactory: options.ffi ?? true ? handshakes : portableFactory(handshakes, WITHOUT_FFI),
    addresses,
    rtpAddresses: options.rtpAddresses ??
      (options.addresses === "auto" ? [...addresses, ...ownIpv6Addresses()] : addresses),
    ...(options.publicAddress === undefined ? {} : { publicAddress: options.publicAddress }),
    portRange: options.portRange,
    silentAfterMs: options.silentAfterMs ?? SILENT_AFTER_MS,
    typescriptSrtp: options.typescriptSrtp ?? false,
    dscp: options.dscp ?? true,
    allowCrash: options.allowCrash ?? false,
    ...(options.codecs ? { codecs: options.codecs } : {}),
    log: options.log,
    onWorkerEvent: options.onWorkerEvent,
  });
  await new Promise<void>((resolve, reject) => {
    pool.start((fault) => {
      if (fault === null) return resolve();
      pool.terminate();
      reject(new Error(`the media workers could not be started: ${fault}`));
    });
  });
  return Object.assign(pool, { close: () => close(pool) });
}

async function close(pool: MediaPool): Promise<void> {
  pool.shutdown();
  await new Promise((resolve) => setTimeout(resolve, SHUTDOWN_GRACE));
  pool.terminate();
}
