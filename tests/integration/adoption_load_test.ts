import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { keepWorkers } from "../../src/actors/media_worker.ts";
import { systemClock } from "../../src/core/io/system_clock.ts";
import { systemEntropy } from "../../src/core/io/system_entropy.ts";
import type { MediaEvent } from "../../src/rtp/contract.ts";
import { choose } from "../../src/rtp/io/ffi/choose.ts";
import { linkedFactory, type MediaWorkerMessage } from "../../src/rtp/io/ffi/link.ts";
import { workerFactory } from "../../src/rtp/io/worker_port.ts";
import type { EndpointEvent } from "../../src/rtp/media_port.ts";
import { MediaPool } from "../../src/rtp/pool.ts";
import type { SrtpEngine } from "../../src/rtp/srtp/cipher.ts";
import { keysAtOnce, keysOf, LoadPeer } from "../support/load_peer.ts";
import { holds, opened, PAYLOADS, phoneSide, type Side, type Token } from "../support/load_side.ts";
import { needs } from "../support/needs.ts";

const CALLS = 200;
const WORKERS = 2;
/** A peer's packets come this far apart, ms. */
const INTERVAL = 100;
/** Packets of a second. */
const SECOND = 1000 / INTERVAL;

const { ignore: hasNoLibcrypto } = needs("libcrypto");

/** The keys of WebRTC legs: both kinds of suite. */
const webrtcKeys = (endpoint: number) => keysOf(endpoint, endpoint % 2 === 0 ? 1 : 7);

async function startPool(): Promise<MediaPool> {
  const module = new URL("../../src/rtp/io/media_worker.ts", import.meta.url);
  const pool = new MediaPool({
    clock: systemClock,
    entropy: systemEntropy,
    workers: WORKERS,
    keepWorker: keepWorkers(systemClock),
    mediaFactory: linkedFactory(workerFactory<MediaWorkerMessage, MediaEvent>(module)),
    handshakeFactory: keysAtOnce(webrtcKeys),
    addresses: ["127.0.0.1"],
    portRange: [18_000, 20_999],
    silentAfterMs: 30_000,
    allowCrash: true,
    log: () => {},
    onWorkerEvent: () => {},
  });
  await new Promise<void>((resolve, reject) =>
    pool.start((fault) => fault === null ? resolve() : reject(new Error(fault)))
  );
  return pool;
}

async function end(pool: MediaPool): Promise<void> {
  pool.shutdown();
  await new Promise((resolve) => setTimeout(resolve, 50));
  pool.terminate();
}

const descriptorsOpen = () => readdirSync("/proc/self/fd").length;

async function webrtcSide(
  pool: MediaPool,
  engine: SrtpEngine,
  number: number,
  near?: Token,
): Promise<Side> {
  const told: EndpointEvent[] = [];
  const options = { kind: "webrtc", label: `${number}`, ...(near ? { near } : {}) } as const;
  const handle = pool.open(options, (event) => told.push(event));
  const { local } = await opened(told);
  const secret = { engine, keys: webrtcKeys(handle.id) };
  const peer = new LoadPeer(1000 + number, 65_500 + number % 30, secret);
  peer.aim(local.candidates[0]!.port);
  handle.setRemote({ iceUfrag: "x", icePwd: "y", fingerprints: [], payloads: PAYLOADS });
  peer.check(local);
  await holds("a check is answered", () => peer.answers > 0);
  return { handle, peer, told };
}

/** Browsers with each other, with phones, and phones with each other, SRTP and RTP. */
async function callOf(pool: MediaPool, engine: SrtpEngine, call: number): Promise<Side[]> {
  const isBrowser = call % 4 < 3;
  const a = isBrowser
    ? await webrtcSide(pool, engine, 2 * call)
    : await phoneSide(pool, engine, 2 * call, undefined, true);
  // Every tenth call has its sides in two workers.
  const near = call % 10 === 0 ? undefined : a.handle.token;
  const b = call % 4 === 0
    ? await webrtcSide(pool, engine, 2 * call + 1, near)
    : await phoneSide(pool, engine, 2 * call + 1, near, call % 4 === 1);
  a.handle.connect(b.handle.token);
  b.handle.connect(a.handle.token);
  return [a, b];
}

Deno.test({
  name: `${CALLS} calls of all kinds, workers killed under them: all go on, no index comes twice`,
  ignore: Deno.build.os !== "linux" || hasNoLibcrypto,
  async fn() {
    const choice = choose(null);
    assert.equal(choice.shell, "ffi", choice.why);
    // The first run opens what the process then keeps.
    await end(await startPool());
    const descriptors = descriptorsOpen();
    const pool = await startPool();
    const sides: Side[] = [];
    let timer: ReturnType<typeof setInterval> | undefined;
    try {
      for (let call = 0; call < CALLS; call += 20) {
        const calls = Array.from({ length: 20 }, (_, i) => callOf(pool, choice.srtp, call + i));
        sides.push(...(await Promise.all(calls)).flat());
      }
      const peers = sides.map(({ peer }) => peer);
      let slot = 0;
      timer = setInterval(() => {
        slot = (slot + 1) % SECOND;
        for (let i = slot; i < peers.length; i += SECOND) peers[i]!.play();
      }, INTERVAL / SECOND);
      const more = (what: string) => {
        const goals = peers.map(({ received }) => received + SECOND / 2);
        return holds(what, () => peers.every(({ received }, i) => received >= goals[i]!));
      };
      await more("all hear each other");
      const before = peers.map(({ lost }) => lost);
      const kills = [{}, {}, { hangMs: 4000 }, {}];
      for (const [i, how] of kills.entries()) {
        const worker = i % WORKERS;
        const adopted = pool.workers()[worker]!.adoptions + 1;
        pool.crashWorker(worker, how);
        await holds("adopted", () => pool.workers()[worker]!.adoptions === adopted);
        await more(`all hear each other after kill ${i + 1}`);
      }
      const ended = sides.flatMap(({ told }) => told).filter(({ type }) =>
        type === "lost" || type === "failed"
      );
      assert.deepEqual(ended, []);
      const refused = peers.reduce((sum, peer) => sum + peer.refused, 0);
      assert.equal(refused, 0, "packets that could not be opened, or came twice");
      for (const [i, peer] of peers.entries()) {
        const lost = peer.lost - before[i]!;
        assert.ok(lost < SECOND * kills.length, `peer ${i} has lost ${lost} packets`);
      }
    } finally {
      clearInterval(timer);
      for (const { handle, peer } of sides) {
        peer.close();
        handle.close();
      }
      await end(pool);
    }
    await holds("nothing stays open", () => descriptorsOpen() <= descriptors);
  },
});
