import assert from "node:assert/strict";
import { keepWorkers } from "../../src/actors/media_worker.ts";
import { systemClock } from "../../src/core/io/system_clock.ts";
import { systemEntropy } from "../../src/core/io/system_entropy.ts";
import type { MediaEvent } from "../../src/rtp/contract.ts";
import { writeSockaddr } from "../../src/rtp/io/ffi/addresses.ts";
import { Arena } from "../../src/rtp/io/ffi/arena.ts";
import { choose } from "../../src/rtp/io/ffi/choose.ts";
import { SendQueue } from "../../src/rtp/io/ffi/datagrams.ts";
import { Descriptors } from "../../src/rtp/io/ffi/descriptors.ts";
import { openLibc } from "../../src/rtp/io/ffi/libc.ts";
import { linkedFactory, type MediaWorkerMessage } from "../../src/rtp/io/ffi/link.ts";
import { LEG_BUFFER, Sockets } from "../../src/rtp/io/ffi/sockets.ts";
import { workerFactory } from "../../src/rtp/io/worker_port.ts";
import type { EndpointEvent, LocalTransport } from "../../src/rtp/media_port.ts";
import { MediaPool } from "../../src/rtp/pool.ts";
import { checkOf } from "../bench/relay/greeting.ts";
import { keysAtOnce, keysOf, LoadPeer } from "../support/load_peer.ts";
import { MarkReader } from "../support/mark_reader.ts";
import { PhoneLeg } from "../support/phone_leg.ts";
import { startPool } from "../support/media_legs.ts";

const isLinux = Deno.build.os === "linux";
/** Medium priority of RFC 8837 table 1. */
const [AUDIO, VIDEO] = [46, 36];
const VIDEO_TYPE = 96;
const PAYLOADS = [
  { payloadType: 0, kind: "audio", codec: "PCMU", clockRate: 8000 },
  { payloadType: VIDEO_TYPE, kind: "video", codec: "VP8", clockRate: 90_000 },
] as const;

const IPPROTO_IP = 0;
const IP_TOS = 1;
const MOST_DESCRIPTORS = 1024;

/** Marks of all sockets of this process that have one: the workers' threads share its table. */
function marks(): number[] {
  const libc = Deno.dlopen("libc.so.6", {
    getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  });
  try {
    const found: number[] = [];
    for (let descriptor = 0; descriptor < MOST_DESCRIPTORS; descriptor++) {
      const value = new Int32Array(1);
      const size = Int32Array.of(4);
      const [a, b] = [new Uint8Array(value.buffer), new Uint8Array(size.buffer)];
      if (libc.symbols.getsockopt(descriptor, IPPROTO_IP, IP_TOS, a, b) !== 0) continue;
      if (value[0] !== 0) found.push(value[0]! >> 2);
    }
    return found.sort();
  } finally {
    libc.close();
  }
}

Deno.test({
  name: "packets to phones are marked: audio expedited, video assured (RFC 8837 5)",
  ignore: !isLinux,
  fn: async () => {
    const before = marks();
    const pool = await startPool(1, { ffi: true });
    try {
      assert.match(pool.workers()[0]!.shell, /^ffi/);
      const shared = [...before, AUDIO].sort();
      assert.deepEqual(marks(), shared, "the socket of all browsers");
      const phone = new PhoneLeg(pool, {}, undefined, ["audio", "video"]);
      await phone.opened();
      // RTP and RTCP of each.
      assert.deepEqual(marks(), [...shared, VIDEO, VIDEO, AUDIO, AUDIO].sort());
      phone.close();
    } finally {
      await pool.close();
    }
    assert.deepEqual(marks(), before);
  },
});

async function browserPool(address: string, dscp: boolean): Promise<MediaPool> {
  const module = new URL("../../src/rtp/io/media_worker.ts", import.meta.url);
  const pool = new MediaPool({
    clock: systemClock,
    entropy: systemEntropy,
    workers: 1,
    keepWorker: keepWorkers(systemClock),
    mediaFactory: linkedFactory(workerFactory<MediaWorkerMessage, MediaEvent>(module)),
    handshakeFactory: keysAtOnce((endpoint) => keysOf(endpoint, 1)),
    addresses: ["127.0.0.1", address],
    portRange: [22_000, 22_099],
    silentAfterMs: 30_000,
    dscp,
    allowCrash: false,
    log: () => {},
    onWorkerEvent: () => {},
  });
  await new Promise<void>((resolve, reject) =>
    pool.start((fault) => fault === null ? resolve() : reject(new Error(fault)))
  );
  return pool;
}

function openLeg(pool: MediaPool, label: string) {
  const { promise, resolve } = Promise.withResolvers<LocalTransport>();
  const handle = pool.open({ kind: "webrtc", label }, (event: EndpointEvent) => {
    if (event.type === "opened") resolve(event.local);
  });
  handle.setRemote({ iceUfrag: "x", icePwd: "y", fingerprints: [], payloads: PAYLOADS });
  return { handle, local: promise };
}

for (const address of ["127.0.0.2", "::1"]) {
  for (const dscp of [true, false]) {
    const what = dscp ? "audio EF, video AF42" : "no mark where media.dscp is off";
    Deno.test({
      name: `packets to browsers, ${address}: ${what}`,
      ignore: !isLinux || (address === "::1" && !hasIpv6()),
      fn: async () => {
        const pool = await browserPool(address, dscp);
        const choice = choose(null);
        assert.ok(choice.shell === "ffi");
        const [from, to] = [openLeg(pool, "from"), openLeg(pool, "to")];
        const keys = keysOf(from.handle.id, 1);
        const sender = new LoadPeer(77, 1, { engine: choice.srtp, keys });
        const reader = new MarkReader(address);
        try {
          from.handle.connect(to.handle.token);
          to.handle.connect(from.handle.token);
          sender.aim((await from.local).candidates[0]!.port);
          sender.check(await from.local);
          reader.send(checkOf(await to.local), (await to.local).candidates[0]!.port);
          const answer = await reader.receive();
          assert.deepEqual([answer.data[0], answer.dscp], [1, dscp ? AUDIO : 0]);
          const found = new Map<number, Set<number>>();
          const playing = setInterval(() => {
            sender.play();
            for (let i = 0; i < 4; i++) sender.play(VIDEO_TYPE, 1000);
          }, 20);
          try {
            for (let i = 0; i < 50; i++) {
              const { data, dscp } = await reader.receive();
              const type = data[1]! & 0x7f;
              if (type === 0 || type === VIDEO_TYPE) {
                found.set(type, (found.get(type) ?? new Set()).add(dscp));
              }
            }
          } finally {
            clearInterval(playing);
          }
          const expected = [[0, [dscp ? AUDIO : 0]], [VIDEO_TYPE, [dscp ? VIDEO : 0]]];
          const all = [...found].sort(([a], [b]) => a - b);
          assert.deepEqual(all.map(([type, set]) => [type, [...set]]), expected);
        } finally {
          sender.close();
          reader.close();
          pool.shutdown();
          pool.terminate();
        }
      },
    });
  }

  Deno.test({
    name: `marks of single datagrams and of bursts, ${address}: each slot is as it was pushed`,
    ignore: !isLinux || (address === "::1" && !hasIpv6()),
    fn: async () => {
      const [libc, arena] = [openLibc(), new Arena(256 * 1024)];
      const descriptors = new Descriptors(Descriptors.memory());
      const reader = new MarkReader(address);
      try {
        const socket = new Sockets(libc, arena, descriptors).open(address, 0, LEG_BUFFER);
        const data = arena.allocate(1500);
        const queue = new SendQueue(libc, arena, 16);
        const plan = [
          ...Array(6).fill([1200, VIDEO]),
          [172, 0],
          ...Array(3).fill([1200, 0]),
          ...Array(4).fill([900, VIDEO]),
          [1200, AUDIO],
        ] as [length: number, dscp: number][];
        for (const round of [plan, plan.toReversed(), plan]) {
          for (const [length, dscp] of round) {
            const { port } = reader.local;
            const nameLength = writeSockaddr(arena, queue.nextName, address, port);
            queue.push(socket.descriptor, nameLength, data, length, dscp);
          }
          queue.flush();
          const got: [number, number][] = [];
          while (got.length < round.length) {
            const { data, dscp } = await reader.receive();
            got.push([data.length, dscp]);
          }
          assert.deepEqual(got, round);
        }
        assert.equal(queue.failed, 0);
      } finally {
        reader.close();
        descriptors.closeAll(libc);
      }
    },
  });
}

function hasIpv6(): boolean {
  try {
    Deno.listenDatagram({ transport: "udp", hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}
