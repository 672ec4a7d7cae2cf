import {
  AES_CM_128_HMAC_SHA1_80,
  type MediaCommand,
  type MediaEvent,
} from "../../../src/rtp/contract.ts";
import { workerFactory } from "../../../src/rtp/io/worker_port.ts";
import { planLegs } from "./plan.ts";

/**
 * Process with one production media worker and the calls of the plan: `worker.ts CALLS FIRST LAST
 * [FIRST_PORT_OF_THE_LOAD]`. Without shared memory it takes the portable shell.
 */
const [calls, first, last, loadPort] = Deno.args.map(Number);
const module = new URL("../../../src/rtp/io/media_worker.ts", import.meta.url);

/** CPU time of all threads of this process, ns (Linux). */
function cpuTime(): number {
  let sum = 0;
  for (const { name } of Deno.readDirSync("/proc/self/task")) {
    sum += Number(Deno.readTextFileSync(`/proc/self/task/${name}/schedstat`).split(" ")[0]);
  }
  return sum;
}

const worker = workerFactory<MediaCommand, MediaEvent>(module)("media worker", {
  onEvent: (event) => {
    if (event.type === "ready") {
      prepare();
      console.log(`port ${event.addresses[0]!.port} ${event.shell}`);
    } else if (event.type === "statistics") {
      console.log(`tick ${performance.now()} ${event.packets} ${cpuTime()}`);
    } else if (event.type === "start-failed" || event.type === "fault") fail(event.text);
  },
  onDeath: fail,
});

function fail(text: string): never {
  console.error(text);
  Deno.exit(1);
}

function prepare(): void {
  const payloads = [
    { payloadType: 0, kind: "audio", codec: "PCMU", clockRate: 8000 },
    { payloadType: 96, kind: "video", codec: "VP8", clockRate: 90_000 },
  ] as const;
  const legs = planLegs(calls!, loadPort);
  for (const { endpoint, iceUfrag, icePwd, ...keys } of legs) {
    worker.send({ type: "open", endpoint, kind: "webrtc", iceUfrag, icePwd });
    worker.send({ type: "set-remote", endpoint, payloads });
    const { localKey, localSalt, remoteKey, remoteSalt } = keys;
    worker.send({
      type: "keys",
      endpoint,
      keys: { profile: AES_CM_128_HMAC_SHA1_80, localKey, localSalt, remoteKey, remoteSalt },
    });
  }
  for (const { endpoint, peer } of legs) worker.send({ type: "connect", endpoint, peer });
}

worker.send({
  type: "start",
  addresses: ["127.0.0.1"],
  portRange: [first!, last!],
  firstPair: first!,
  silentAfterMs: 30_000,
  allowCrash: false,
});
