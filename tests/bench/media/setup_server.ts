import { keepWorkers } from "../../../src/actors/media_worker.ts";
import { systemClock } from "../../../src/core/io/system_clock.ts";
import { systemEntropy } from "../../../src/core/io/system_entropy.ts";
import { createMediaPool } from "../../../src/rtp/io/start_pool.ts";

/**
 * The media plane as the house runs it, one worker and the handshake worker: `setup_server.ts
 * ENDPOINTS FINGERPRINT FIRST_PORT`. Prints its port and the endpoints' credentials as JSON.
 */
const [count, fingerprint, firstPort] = Deno.args;
const first = Number(firstPort);
const pool = await createMediaPool({
  clock: systemClock,
  entropy: systemEntropy,
  workers: 1,
  keepWorker: keepWorkers(systemClock),
  addresses: ["127.0.0.1"],
  portRange: [first, first + 99],
  log: (level, text) => {
    if (level === "error") console.error(text);
  },
  onWorkerEvent: () => {},
});
const credentials = [];
for (let i = 0; i < Number(count); i++) {
  const local = await new Promise<{ iceUfrag: string; icePwd: string; port: number }>(
    (resolve, reject) => {
      const handle = pool.open({ kind: "webrtc", label: `set-up ${i}` }, (event) => {
        if (event.type === "failed") reject(new Error(event.text));
        if (event.type !== "opened") return;
        const { iceUfrag, icePwd, candidates } = event.local;
        resolve({ iceUfrag, icePwd, port: candidates[0]!.port });
      });
      handle.setRemote({
        iceUfrag: "peer",
        icePwd: "password-of-the-peer-side",
        fingerprints: [{ algorithm: "sha-256", value: fingerprint! }],
        payloads: [{ payloadType: 0, kind: "audio", codec: "PCMU", clockRate: 8000 }],
      });
    },
  );
  credentials.push(local);
}
console.log(JSON.stringify(credentials) + " up");
