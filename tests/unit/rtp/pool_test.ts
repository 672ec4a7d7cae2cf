import { keepWorkers } from "../../../src/actors/media_worker.ts";
import assert from "node:assert/strict";
import { SeededEntropy } from "../../../src/core/entropy.ts";
import type { EndpointToken } from "../../../src/core/ids.ts";
import { ManualClock } from "../../../src/core/manual_clock.ts";
import type { EndpointEvent, EndpointHandle } from "../../../src/rtp/media_port.ts";
import { MediaPool } from "../../../src/rtp/pool.ts";
import type { PoolWorkerEvent } from "../../../src/rtp/pool_options.ts";
import { Cast } from "../../support/media_workers.ts";

const REMOTE = {
  iceUfrag: "u",
  icePwd: "p",
  fingerprints: [{ algorithm: "sha-256", value: "AB" }],
  payloads: [{ payloadType: 96, kind: "video", codec: "VP8", clockRate: 90000 }],
} as const;

interface Leg {
  readonly handle: EndpointHandle;
  readonly events: EndpointEvent[];
}

class Stage {
  readonly clock = new ManualClock();
  readonly cast = new Cast(this.clock);
  readonly told: PoolWorkerEvent[] = [];
  readonly logged: string[] = [];
  readonly pool: MediaPool;
  started: string | null | undefined;

  constructor(workers: number) {
    this.pool = this.cast.pool(workers, {
      log: (_level, text) => this.logged.push(text),
      onWorkerEvent: (event) => this.told.push(event),
    });
    this.pool.start((fault) => this.started = fault);
    this.clock.flush();
  }

  open(near?: Leg): Leg {
    const events: EndpointEvent[] = [];
    const options = { kind: "webrtc", label: "leg" } as const;
    const handle = this.pool.open(
      near === undefined ? options : { ...options, near: near.handle.token },
      (event) => events.push(event),
    );
    return { handle, events };
  }
}

function workerOf(leg: Leg): number {
  const opened = leg.events.find((event) => event.type === "opened");
  assert.ok(opened, "the endpoint is open");
  return opened.worker;
}

Deno.test("placement: near its peer, else where the fewest are", () => {
  const stage = new Stage(3);
  assert.equal(stage.started, null);
  const legs = [stage.open(), stage.open(), stage.open()];
  const near = stage.open(legs[1]);
  const unknown = stage.pool.open(
    { kind: "webrtc", label: "x", near: "gone" as EndpointToken },
    () => {},
  );
  stage.clock.flush();
  assert.deepEqual(legs.map(workerOf), [0, 1, 2]);
  assert.equal(workerOf(near), 1);
  assert.deepEqual(stage.pool.workers().map(({ endpoints }) => endpoints), [2, 2, 1]);
  unknown.close();
  for (const leg of [...legs, near]) leg.handle.close();
  assert.deepEqual(stage.pool.size, { endpoints: 0, bridges: 0, waiting: 0 });
  assert.equal(stage.clock.pendingTimers, 0);
});

Deno.test("keys, datagrams and fingerprints find their way between the two kinds of worker", () => {
  const stage = new Stage(1);
  const leg = stage.open();
  stage.clock.flush();
  leg.handle.setRemote(REMOTE);
  const [media, handshakes] = [stage.cast.worker(0), stage.cast.handshakes[0]!];
  const endpoint = leg.handle.id;
  assert.deepEqual(handshakes.commands.slice(1), [
    { type: "open", endpoint, profiles: [1] },
    { type: "fingerprints", endpoint, fingerprints: REMOTE.fingerprints },
  ]);
  const data = Uint8Array.of(22);
  media.say({ type: "dtls-receive", endpoint, data });
  assert.deepEqual(handshakes.commands.at(-1), { type: "dtls-receive", endpoint, data });
  handshakes.say({ type: "dtls-send", endpoint, data });
  assert.deepEqual(media.commands.at(-1), { type: "dtls-send", endpoint, data });
  const half = new Uint8Array(16);
  const keys = {
    profile: 1,
    localKey: half,
    localSalt: half,
    remoteKey: half,
    remoteSalt: half,
  } as const;
  handshakes.say({ type: "keys", endpoint, keys });
  assert.deepEqual(media.commands.at(-1), { type: "keys", endpoint, keys });
  handshakes.say({ type: "dtls", endpoint, state: "connected" });
  assert.deepEqual(leg.events.at(-1), { type: "dtls", state: "connected" });
  leg.handle.close();
  const heard = leg.events.length;
  handshakes.say({ type: "dtls", endpoint, state: "closed" });
  media.say({ type: "silent", endpoint, ms: 1 });
  assert.equal(leg.events.length, heard, "no event follows a close");
  leg.handle.close();
});

Deno.test("joining: in one worker directly, across workers by one bridge for both ways", () => {
  const stage = new Stage(2);
  const [a, b] = [stage.open(), stage.open()];
  const c = stage.open(a);
  stage.clock.flush();
  c.handle.connect(a.handle.token);
  assert.deepEqual(stage.cast.worker(0).commands.at(-1), {
    type: "connect",
    endpoint: c.handle.id,
    peer: a.handle.id,
  });
  b.handle.setRemote(REMOTE);
  a.handle.connect(b.handle.token);
  b.handle.connect(a.handle.token);
  stage.clock.flush();
  assert.deepEqual(stage.pool.size.bridges, 1);
  assert.deepEqual(stage.pool.workers().map(({ bridges }) => bridges), [1, 1]);
  const introduced = [0, 1].map((worker) =>
    stage.cast.worker(worker).commands.findLast((command) => command.type === "set-remote")!
  );
  const [left, right] = introduced as {
    endpoint: number;
    remote: { port: number };
    payloads: unknown;
  }[];
  assert.equal(left!.remote.port, 30_000 + right!.endpoint);
  assert.equal(right!.remote.port, 30_000 + left!.endpoint);
  assert.deepEqual(left!.payloads, REMOTE.payloads, "the plain end speaks as the far one does");
  a.handle.connect(c.handle.token);
  assert.equal(stage.pool.size.bridges, 1, "the other way still uses it");
  b.handle.close();
  assert.equal(stage.pool.size.bridges, 0);
  assert.deepEqual(stage.cast.worker(0).commands.at(-1), {
    type: "close",
    endpoint: left!.endpoint,
  });
});

Deno.test("what was asked before there was a worker is told to it afterwards", () => {
  const stage = new Stage(1);
  stage.cast.worker(0).die("test");
  const [a, b] = [stage.open(), stage.open()];
  a.handle.setRemote(REMOTE);
  a.handle.setFlowing(false);
  a.handle.connect(b.handle.token);
  assert.equal(stage.pool.size.waiting, 3);
  stage.clock.advance(200);
  const types = stage.cast.worker(0).commands.map(({ type }) => type);
  assert.deepEqual(types, ["start", "open", "set-remote", "set-flowing", "open", "connect"]);
  assert.equal(stage.pool.size.waiting, 0);
  assert.equal(workerOf(a), 0);
});

Deno.test("no answer in time: failed, and nothing is left", () => {
  const stage = new Stage(1);
  stage.cast.mute = true;
  const leg = stage.open();
  stage.clock.advance(4000);
  assert.deepEqual(leg.events, [
    { type: "failed", reason: "no_worker", text: "the media worker did not answer" },
  ]);
  assert.deepEqual(stage.pool.size, { endpoints: 0, bridges: 0, waiting: 0 });
  stage.cast.worker(0).die("test");
  const other = stage.open();
  stage.clock.advance(4000);
  assert.equal(other.events[0]?.type, "failed");
});

Deno.test("death: open endpoints are lost, unanswered ones go elsewhere, bridges go", () => {
  const stage = new Stage(2);
  const [a, b] = [stage.open(), stage.open()];
  stage.clock.flush();
  a.handle.connect(b.handle.token);
  stage.clock.flush();
  const unanswered = stage.open(a);
  const dead = stage.cast.worker(0);
  dead.die("out of memory");
  assert.deepEqual(a.events.at(-1), { type: "lost", text: "its media worker died: out of memory" });
  assert.ok(!b.events.some(({ type }) => type === "lost"));
  assert.equal(stage.pool.size.bridges, 0);
  stage.clock.flush();
  assert.equal(workerOf(unanswered), 1);
  dead.say({ type: "ice", endpoint: b.handle.id, state: "disconnected", remoteAddress: null });
  assert.ok(!b.events.some(({ type }) => type === "ice"), "a dead worker is not listened to");
  assert.ok(dead.isTerminated);
});

Deno.test("restart: with growing pauses, and given up after the sixth death in a minute", () => {
  const stage = new Stage(1);
  const pauses: number[] = [];
  for (let death = 0; death < 6; death++) {
    stage.cast.worker(0).die("test");
    const count = stage.cast.media.length;
    const from = stage.clock.now();
    while (stage.cast.media.length === count && stage.clock.step());
    if (stage.cast.media.length > count) pauses.push(stage.clock.now() - from);
    stage.clock.flush();
  }
  assert.deepEqual(pauses, [0, 100, 200, 400, 800]);
  assert.equal(stage.pool.workers()[0]!.state, "stopped");
  assert.equal(stage.pool.workers()[0]!.restarts, 5);
  assert.equal(stage.told.at(-1)!.type, "worker.stopped");
  assert.equal(stage.clock.pendingTimers, 0);
});

Deno.test("restart: deaths that lie far apart are forgotten", () => {
  const stage = new Stage(1);
  for (let death = 0; death < 20; death++) {
    stage.cast.worker(0).die("test");
    stage.clock.advance(61_000);
    assert.equal(stage.pool.workers()[0]!.state, "running");
  }
});

Deno.test("handshake worker: its death fails what was under way, the rest is told anew", () => {
  const stage = new Stage(1);
  const [young, busy, done] = [stage.open(), stage.open(), stage.open()];
  stage.clock.flush();
  young.handle.setRemote(REMOTE);
  const first = stage.cast.handshakes[0]!;
  first.say({ type: "dtls", endpoint: busy.handle.id, state: "handshaking" });
  first.say({ type: "dtls", endpoint: done.handle.id, state: "connected" });
  first.die("test");
  assert.deepEqual([busy, done, young].map(({ events }) => events.at(-1)!.type), [
    "dtls",
    "dtls",
    "opened",
  ]);
  assert.deepEqual(done.events.at(-1), { type: "dtls", state: "connected" });
  stage.clock.advance(200);
  const second = stage.cast.handshakes[1]!;
  assert.deepEqual(second.commands.map(({ type }) => type), ["start", "open", "fingerprints"]);
  const [start] = second.commands;
  assert.ok(start?.type === "start" && start.certificate?.fingerprint === "1");
});

Deno.test("a listener that throws harms nobody", () => {
  const stage = new Stage(1);
  stage.pool.open({ kind: "webrtc", label: "bad" }, () => {
    throw new Error("a fault of the test");
  });
  const good = stage.open();
  stage.clock.flush();
  assert.equal(workerOf(good), 0);
  assert.match(stage.logged.join(), /listener of endpoint bad threw/);
});

Deno.test("a worker that cannot start at first is told to whoever started the pool", () => {
  const clock = new ManualClock();
  const cast = new Cast(clock);
  let fault: string | null | undefined;
  const pool = new MediaPool({
    clock,
    entropy: new SeededEntropy(1),
    workers: 1,
    keepWorker: keepWorkers(clock),
    mediaFactory: (name, listener) => {
      clock.defer(() => listener.onEvent({ type: "start-failed", text: "no port" }));
      return cast.mediaFactory(name, { onEvent: () => {}, onDeath: () => {} });
    },
    handshakeFactory: cast.handshakeFactory,
    addresses: ["127.0.0.1"],
    portRange: [1, 1],
    silentAfterMs: 1,
    allowCrash: false,
    log: () => {},
    onWorkerEvent: () => {},
  });
  pool.start((text) => fault = text);
  clock.flush();
  assert.equal(fault, "no port");
  pool.terminate();
  assert.equal(clock.pendingTimers, 0);
});
