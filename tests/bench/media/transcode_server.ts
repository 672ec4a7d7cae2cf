import { keepWorkers } from "../../../src/actors/media_worker.ts";
import { systemClock } from "../../../src/core/io/system_clock.ts";
import { systemEntropy } from "../../../src/core/io/system_entropy.ts";
import { CodecPool, type CodecPoolOptions } from "../../../src/rtp/codec/pool.ts";
import type { CodecCommand, CodecEvent } from "../../../src/rtp/codec/contract.ts";
import { createCodecPool } from "../../../src/rtp/io/start_codec_pool.ts";
import { workerFactory } from "../../../src/rtp/io/worker_port.ts";
import { createMediaPool } from "../../../src/rtp/io/start_pool.ts";
import type { RtpEndpointHandle, TranscodedSide } from "../../../src/rtp/rtp_media_port.ts";

/**
 * The media plane as the house runs it, with a relay worker and a codec worker, between legs of
 * Opus and of PCMU: `transcode_server.ts CALLS FIRST_PORT POOL_PORT [equal]`. The far ends' ports
 * follow one another from FIRST_PORT on. With `equal` Opus is as rtpengine has it. Prints the call
 * table of `relay/table.ts`.
 */
const [calls, firstPort, poolPort] = Deno.args.map(Number) as [number, number, number];
const COMMON = {
  packetMs: 20,
  telephoneEvent: null,
  comfortNoise: null,
  dtx: false,
  bitrate: null,
} as const;
const OPUS: TranscodedSide = { ...COMMON, codec: "OPUS", payloadType: 111, fec: true };
const PCMU: TranscodedSide = { ...COMMON, codec: "PCMU", payloadType: 0, fec: false };

const codecOptions: Omit<CodecPoolOptions, "factory"> = {
  clock: systemClock,
  workers: 1,
  keepWorker: keepWorkers(systemClock),
  allowCrash: false,
  onWorkerEvent: () => {},
};

async function equalCodecPool(): Promise<CodecPool> {
  const module = new URL("./equal_codec_worker.ts", import.meta.url);
  const factory = workerFactory<CodecCommand, CodecEvent>(module);
  const pool = new CodecPool({ ...codecOptions, factory });
  await new Promise<void>((resolve, reject) => {
    pool.start((fault) => fault === null ? resolve() : reject(new Error(fault)));
  });
  return pool;
}

const codecs = Deno.args[3] === "equal"
  ? await equalCodecPool()
  : await createCodecPool(codecOptions);
const pool = await createMediaPool({
  clock: systemClock,
  entropy: systemEntropy,
  workers: 1,
  keepWorker: keepWorkers(systemClock),
  addresses: ["127.0.0.1"],
  portRange: [poolPort, poolPort + 4 * calls + 200],
  codecs,
  log: (level, text) => {
    if (level === "error") console.error(text);
  },
  onWorkerEvent: () => {},
});

/** A leg whose far end has this port; gives the handle and our own port. */
function open(
  port: number,
  payload: { payloadType: number; codec: string; clockRate: number },
): Promise<{ handle: RtpEndpointHandle; local: number }> {
  return new Promise((resolve, reject) => {
    const options = { label: `leg ${port}`, towards: "127.0.0.1", media: ["audio"] } as const;
    const handle = pool.openRtp(options, (event) => {
      if (event.type === "failed" || event.type === "lost") reject(new Error(event.text));
      if (event.type !== "opened") return;
      handle.setRemote([{
        address: "127.0.0.1",
        port,
        rtcpPort: null,
        keys: null,
        payloads: [payload],
        hasFeedback: false,
      }]);
      resolve({ handle, local: event.local[0]!.port });
    });
  });
}

const lines: string[] = [];
for (let call = 0; call < calls; call++) {
  const [aPort, bPort] = [firstPort + 2 * call, firstPort + 2 * call + 1];
  const a = await open(aPort, { payloadType: 111, codec: "opus", clockRate: 48_000 });
  const b = await open(bPort, { payloadType: 0, codec: "PCMU", clockRate: 8000 });
  b.handle.transcode({ own: PCMU, peer: OPUS, passed: [] });
  a.handle.connect(b.handle.token);
  b.handle.connect(a.handle.token);
  lines.push(`${aPort} ${a.local} ${bPort} ${b.local} 0 - - 0 - -`);
}
console.log(lines.join("\n") + "\nup");
