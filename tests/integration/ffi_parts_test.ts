import assert from "node:assert/strict";
import fc from "../support/dice.ts";
import type {
  MediaCommand,
  MediaEvent,
  PayloadKind,
  WorkerStatistics,
} from "../../src/rtp/contract.ts";
import { Endpoint } from "../../src/rtp/engine/endpoint.ts";
import { formatIpv6, parseIpv6 } from "../../src/rtp/engine/ipv6.ts";
import { StateMemory } from "../../src/rtp/engine/state_memory.ts";
import { StatisticsRows } from "../../src/rtp/engine/statistics_rows.ts";
import { writeSockaddr } from "../../src/rtp/io/ffi/addresses.ts";
import { Arena } from "../../src/rtp/io/ffi/arena.ts";
import { ReceiveVector, SendQueue } from "../../src/rtp/io/ffi/datagrams.ts";
import { Descriptors } from "../../src/rtp/io/ffi/descriptors.ts";
import {
  EINVAL,
  EIO,
  ENOPROTOOPT,
  EOPNOTSUPP,
  IPPROTO_UDP,
  type Libc,
  openLibc,
  UDP_SEGMENT,
} from "../../src/rtp/io/ffi/libc.ts";
import { Ring } from "../../src/rtp/io/ffi/ring.ts";
import { checkLayouts, LAYOUTS_ARENA } from "../../src/rtp/io/ffi/layouts.ts";
import { LEG_BUFFER, PortInUse, Sockets } from "../../src/rtp/io/ffi/sockets.ts";
import { Wire } from "../../src/rtp/io/ffi/wire.ts";
import { libcWith, playedErrno } from "../support/shell_stage.ts";

const isLinux = Deno.build.os === "linux";

Deno.test("ring: what is written is read, in order, however it wraps; then it is wiped", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.uint8Array({ maxLength: 60 }), fc.nat(3)), { maxLength: 200 }),
      (steps) => {
        const memory = Ring.memory(128);
        const [writer, reader] = [new Ring(memory), new Ring(memory)];
        const waiting: Uint8Array[] = [];
        for (const [message, reads] of steps) {
          const used = waiting.reduce((sum, { length }) => sum + length + 4, 0);
          assert.equal(writer.write(message), used + message.length + 4 <= 128);
          if (used + message.length + 4 <= 128) waiting.push(message);
          for (let i = 0; i < reads; i++) assert.deepEqual(reader.read(), waiting.shift() ?? null);
        }
        while (waiting.length > 0) assert.deepEqual(reader.read(), waiting.shift());
        assert.equal(reader.read(), null);
        assert.ok(new Uint8Array(memory, 16).every((byte) => byte === 0), "no key stays in it");
      },
    ),
  );
});

Deno.test("ring: who waits is woken by a message, and by `wake`", async () => {
  const memory = Ring.memory(64);
  const ring = new Ring(memory);
  // Waiting alone keeps no process alive.
  const alive = setInterval(() => {}, 1000);
  const waits = [ring.wait(60_000)];
  new Ring(memory).write(Uint8Array.of(1));
  await Promise.all(waits);
  await ring.wait(60_000);
  assert.deepEqual(ring.read(), Uint8Array.of(1));
  const waiting = ring.wait(60_000);
  ring.wake();
  await waiting;
  clearInterval(alive);
});

Deno.test("wire: commands and events come out as they went in", () => {
  const wire = new Wire();
  const messages: (MediaCommand | MediaEvent)[] = [
    {
      type: "keys",
      endpoint: 3,
      keys: {
        profile: 8,
        localKey: Uint8Array.from({ length: 32 }, (_, i) => i * 7),
        localSalt: new Uint8Array(12).fill(9),
        remoteKey: new Uint8Array(32).fill(255),
        remoteSalt: new Uint8Array(0),
      },
    },
    { type: "dtls-receive", endpoint: 2 ** 31, data: new Uint8Array(3000).fill(22) },
    { type: "fault", text: 'ünïcode "quoted" \u0000 🙂'.repeat(5000) },
    { type: "shutdown" },
    { type: "statistics", endpoints: [], packets: 2 ** 40, strays: 1 },
  ];
  for (const message of messages) {
    assert.deepEqual(wire.decode(wire.encode(message).slice()), message);
  }
});

Deno.test("wire: statistics by rows, whatever is null or a word", () => {
  const [wire, rows] = [new Wire(), new StatisticsRows()];
  const memory = StateMemory.own(4096);
  let id = 0;
  const number = fc.nat({ max: 2 ** 31 - 1 });
  const one = fc.record({
    receivePackets: number,
    receiveBytes: number,
    sendPackets: number,
    sendBytes: number,
    dropped: number,
    near: fc.option(number),
    far: fc.option(number),
    audioCodec: fc.option(fc.constantFrom("opus", "PCMU", "")),
    videoCodec: fc.option(fc.constantFrom("VP8", "ünï\n")),
  }, { noNullPrototype: true });
  const endpoint = (): Endpoint => new Endpoint(++id, memory, "webrtc", id);
  const all = fc.array(one, { maxLength: 100 });
  fc.assert(fc.property(all, number, (given, packets) => {
    const expected: WorkerStatistics["endpoints"][number][] = [];
    rows.begin(packets * 2 ** 20, 1);
    for (const { near, far, audioCodec, videoCodec, ...counters } of given) {
      const made = Object.assign(endpoint(), counters);
      made.roundTrip.ms = near;
      if (far !== null) (made.peer = endpoint()).roundTrip.ms = far;
      made.receive.audio = codec("audio", audioCodec);
      made.receive.video = codec("video", videoCodec);
      rows.add(made);
      for (const { record } of [made, made.peer ?? made]) record.close();
      const roundTripMs = near === null || far === null ? null : near + far;
      const derived = { receiveLost: 0, jitterMs: 0, roundTripMs, audioCodec, videoCodec };
      expected.push({ endpoint: made.id, statistics: { ...counters, ...derived } });
    }
    const event = {
      type: "statistics",
      endpoints: expected,
      packets: packets * 2 ** 20,
      strays: 1,
    } as const;
    // Wherever in the ring they come to lie, and longer ones before them.
    assert.deepEqual(wire.decode(wire.encodeStatistics(rows).slice()), event);
    assert.deepEqual(rows.event(), event);
  }));
});

function codec(kind: "audio" | "video", name: string | null): PayloadKind | null {
  return name === null ? null : { payloadType: 96, kind, codec: name, clockRate: 8000 };
}

Deno.test("IPv6 addresses: RFC 5952 forms, both ways", () => {
  for (
    const [text, shortest] of [
      ["::", "::"],
      ["::1", "::1"],
      ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
      ["2001:DB8::0:1", "2001:db8::1"],
      ["fe80:0:0:1::", "fe80:0:0:1::"],
      ["1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8"],
      ["::ffff:192.0.2.1", "::ffff:c000:201"],
      ["1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8"],
    ] as const
  ) assert.equal(formatIpv6(parseIpv6(text)!), shortest, text);
  for (const text of ["", ":", ":::", "1::2::3", "1:2:3", "12345::", "::g", "1:2:3:4:5:6:7:8:9"]) {
    assert.equal(parseIpv6(text), null, text);
  }
});

/** Sockets of a test, closed at its end. */
function withSockets(run: (sockets: Sockets, arena: Arena) => void): void {
  const libc = openLibc();
  const descriptors = new Descriptors(Descriptors.memory());
  const arena = new Arena(1 << 20);
  try {
    run(new Sockets(libc, arena, descriptors), arena);
  } finally {
    descriptors.closeAll(libc);
  }
}

Deno.test({
  name: "the structures of this system pass their test",
  ignore: !isLinux,
  fn: () => void checkLayouts(openLibc(), new Arena(LAYOUTS_ARENA)),
});

for (const address of ["127.0.0.1", "::1"]) {
  Deno.test({
    name: `${address}: bursts to one place go as one send and arrive whole, others between them`,
    ignore: !isLinux || (address === "::1" && !hasIpv6()),
    fn() {
      withSockets((sockets, arena) => {
        const [from, to, other] = [0, 0, 0].map(() => sockets.open(address, 0, LEG_BUFFER));
        const slots = arena.allocate(64 * 2048, 64);
        const receive = new ReceiveVector(openLibc(), arena, slots, 32, 2048, 2000);
        const queue = new SendQueue(openLibc(), arena, 64);
        // A frame of video, an audio packet to somebody else, and one more frame with a short end.
        const plan = [
          ...Array(10).fill([to, 1200]),
          [other, 172],
          ...Array(5).fill([to, 900]),
          [to, 500],
          [to, 100],
        ] as [typeof to, number][];
        plan.forEach(([target, length], i) => {
          const at = slots + (32 + i) * 2048;
          arena.bytes.fill(i + 1, at, at + length);
          const nameLength = writeSockaddr(arena, queue.nextName, address, target!.local.port);
          queue.push(from!.descriptor, nameLength, at, length);
        });
        queue.flush();
        assert.equal(queue.failed, 0);
        for (const target of [to, other]) {
          const expected = plan.map(([place, length], i) => [place, length, i + 1] as const)
            .filter(([place]) => place === target);
          assert.equal(receive.receive(target!.descriptor, 0, 32), expected.length);
          expected.forEach(([, length, mark], slot) => {
            assert.equal(receive.take(slot), length);
            const body = arena.bytes.subarray(slots + slot * 2048, slots + slot * 2048 + length);
            assert.ok(body.every((byte) => byte === mark), `datagram ${slot}`);
          });
        }
        const probe = sockets.open(address, 0, LEG_BUFFER).descriptor;
        const canSegment = sockets.setOption(probe, IPPROTO_UDP, UDP_SEGMENT, 1200);
        assert.equal(queue.segmented, canSegment ? 16 : 0, "datagrams in runs");
      });
    },
  });
}

/** Sends that the test lets fail, with an error of its choice, and those that the system gets. */
function playedSends() {
  const error = playedErrno();
  const system = openLibc();
  const plan: number[] = [];
  const calls: Partial<Libc> = {
    __errno_location: error.__errno_location,
    sendmmsg: (...call) => {
      const failure = plan.shift() ?? 0;
      if (failure === 0) return system.sendmmsg(...call);
      error.set(failure);
      return -1;
    },
  };
  return { plan, libc: libcWith(calls) };
}

Deno.test({
  name: "segmentation ends where the system cannot do it, not for errors of other kinds",
  ignore: !isLinux,
  fn() {
    withSockets((sockets, arena) => {
      const { plan, libc } = playedSends();
      const [from, to] = [0, 0].map(() => sockets.open("127.0.0.1", 0, LEG_BUFFER));
      if (!sockets.setOption(to!.descriptor, IPPROTO_UDP, UDP_SEGMENT, 1200)) return;
      const slots = arena.allocate(4 * 2048, 64);
      const queue = new SendQueue(libc, arena, 8);
      const receive = new ReceiveVector(openLibc(), arena, arena.allocate(8 * 2048), 8, 2048, 2000);
      /** A frame of three datagrams; whether it went as one. */
      const send = (error: number): boolean => {
        if (error !== 0) plan.push(error);
        const before = queue.segmented;
        for (let i = 0; i < 3; i++) {
          const length = writeSockaddr(arena, queue.nextName, "127.0.0.1", to!.local.port);
          queue.push(from!.descriptor, length, slots + i * 2048, 1000);
        }
        queue.flush();
        assert.deepEqual(plan, [], "it was tried as one");
        assert.equal(receive.receive(to!.descriptor, 0, 8), 3, "and arrived one way or the other");
        for (let slot = 0; slot < 3; slot++) assert.equal(receive.take(slot), 1000);
        return queue.segmented > before;
      };
      // Buffers that are full, a firewall, no way, a port that is closed.
      for (const error of [EAGAIN, ENOBUFS, EPERM, ENETUNREACH, ECONNREFUSED]) {
        for (let i = 0; i < 4; i++) assert.equal(send(error), false);
        assert.equal(send(0), true, `after error ${error}`);
      }
      // One destination's path is too narrow, others are not.
      for (let i = 0; i < 10; i++) {
        assert.equal(send(EINVAL), false);
        assert.equal(send(EINVAL), false);
        assert.equal(send(0), true);
      }
      for (const error of [EIO, EINVAL, EOPNOTSUPP, ENOPROTOOPT]) {
        for (let i = 0; i < 3; i++) assert.equal(send(error), false);
        for (let i = 0; i < 3; i++) assert.equal(send(0), false, `after error ${error}`);
        queue.forget(from!.descriptor);
        assert.equal(send(0), true, "another socket under its number");
      }
    });
  },
});

/** Of Linux; the queue knows only those that it heeds. */
const [EPERM, EAGAIN, ENETUNREACH, ENOBUFS, ECONNREFUSED] = [1, 11, 101, 105, 111];

function hasIpv6(): boolean {
  try {
    Deno.listenDatagram({ transport: "udp", hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}

Deno.test({
  name: "a port in use is told from an address that is not ours; nothing stays open",
  ignore: !isLinux,
  fn() {
    withSockets((sockets) => {
      const { local } = sockets.open("127.0.0.1", 0, LEG_BUFFER);
      assert.throws(() => sockets.open("127.0.0.1", local.port, LEG_BUFFER), PortInUse);
      assert.throws(() => sockets.open("203.0.113.7", 0, LEG_BUFFER), /203\.0\.113\.7/);
      assert.throws(() => sockets.open("example.org", 0, LEG_BUFFER), /no IP address/);
    });
  },
});

Deno.test({
  name: "a datagram that is too long for a slot is known as such",
  ignore: !isLinux,
  fn() {
    withSockets((sockets, arena) => {
      const { descriptor, local } = sockets.open("127.0.0.1", 0, LEG_BUFFER);
      const slots = arena.allocate(4 * 2048, 64);
      const receive = new ReceiveVector(openLibc(), arena, slots, 4, 2048, 1000);
      const queue = new SendQueue(openLibc(), arena, 4);
      for (const length of [1000, 1001]) {
        const nameLength = writeSockaddr(arena, queue.nextName, "127.0.0.1", local.port);
        queue.push(descriptor, nameLength, slots + 2 * 2048, length);
        queue.flush();
      }
      assert.equal(receive.receive(descriptor, 0, 4), 2);
      assert.deepEqual([receive.take(0), receive.take(1)], [1000, -1]);
    });
  },
});
