import assert from "node:assert/strict";
import { ManualClock } from "../../../src/core/manual_clock.ts";
import type { MediaCommand, SrtpKeys } from "../../../src/rtp/contract.ts";
import type { EndpointEvent, EndpointHandle } from "../../../src/rtp/media_port.ts";
import type { MediaPool } from "../../../src/rtp/pool.ts";
import type { PoolWorkerEvent } from "../../../src/rtp/pool_options.ts";
import type { RtpEndpointEvent, RtpEndpointHandle } from "../../../src/rtp/rtp_media_port.ts";
import { Cast } from "../../support/media_workers.ts";

/** What the pool tells a worker that has come in the place of another. */

const PAYLOADS = [{ payloadType: 0, kind: "audio", codec: "PCMU", clockRate: 8000 }] as const;
const REMOTE = { iceUfrag: "u", icePwd: "p", fingerprints: [], payloads: PAYLOADS } as const;
const half = new Uint8Array(16);
const KEYS: SrtpKeys = {
  profile: 1,
  localKey: half,
  localSalt: half,
  remoteKey: half,
  remoteSalt: half,
};
const PHONE = {
  address: "192.0.2.7",
  port: 4000,
  rtcpPort: null,
  keys: null,
  payloads: [{ payloadType: 0, codec: "PCMU", clockRate: 8000 }],
  hasFeedback: false,
};

class Stage {
  readonly clock = new ManualClock();
  readonly cast = new Cast(this.clock);
  readonly told: PoolWorkerEvent[] = [];
  readonly pool: MediaPool;

  constructor(workers: number) {
    this.cast.adopts = true;
    this.pool = this.cast.pool(workers, {
      log: () => {},
      onWorkerEvent: (event) => this.told.push(event),
    });
    this.pool.start(() => {});
    this.clock.flush();
  }

  browser(near?: { readonly handle: EndpointHandle }) {
    const events: EndpointEvent[] = [];
    const options = near === undefined ? {} : { near: near.handle.token };
    const handle = this.pool.open({ kind: "webrtc", label: "leg", ...options }, (event) => {
      events.push(event);
    });
    this.clock.flush();
    return { handle, events };
  }

  phone(near?: { readonly handle: EndpointHandle }) {
    const events: RtpEndpointEvent[] = [];
    const options = near === undefined ? {} : { near: near.handle.token };
    const handle: RtpEndpointHandle = this.pool.openRtp(
      { label: "phone", towards: "127.0.0.1", media: ["audio"], ...options },
      (event) => events.push(event),
    );
    this.clock.flush();
    return { handle, events };
  }

  /** The present worker dies and another one is up; gives what that was told. */
  replace(worker: number, between: () => void = () => {}): readonly MediaCommand[] {
    this.cast.worker(worker).die("test");
    between();
    this.clock.step();
    this.clock.flush();
    return this.cast.worker(worker).commands;
  }
}

Deno.test("all is told again that was told before, then that it is all", () => {
  const stage = new Stage(1);
  const browser = stage.browser();
  const phone = stage.phone(browser);
  const [a, b] = [browser.handle.id as number, phone.handle.id as number];
  browser.handle.setRemote({ ...REMOTE, transportWideId: 5 });
  stage.cast.handshakes[0]!.say({ type: "keys", endpoint: a, keys: KEYS });
  phone.handle.setRemote([PHONE]);
  phone.handle.connect(browser.handle.token);
  browser.handle.connect(phone.handle.token);
  phone.handle.setFlowing(false);
  const before = stage.cast.worker(0).commands;
  const heard = [browser.events.length, phone.events.length];
  const told = stage.replace(0);
  const of = (commands: readonly MediaCommand[], type: MediaCommand["type"]) =>
    commands.filter((command) => command.type === type);
  for (const type of ["open", "set-remote", "set-remote-rtp", "keys", "set-flowing"] as const) {
    assert.deepEqual(of(told, type), of(before, type), type);
  }
  assert.deepEqual(of(told, "connect"), [
    { type: "connect", endpoint: b, peer: a },
    { type: "connect", endpoint: a, peer: b },
  ]);
  const types = told.map(({ type }) => type);
  assert.equal(types.at(-1), "adopt");
  assert.ok(types.lastIndexOf("open") < types.indexOf("set-remote"), types.join(" "));
  assert.ok(types.indexOf("keys") < types.indexOf("connect"), types.join(" "));
  assert.deepEqual([browser.events.length, phone.events.length], heard, "nobody is told anything");
  const fingerprints = of(stage.cast.handshakes[0]!.commands as never, "fingerprints" as never);
  assert.equal(fingerprints.length, 1, "the handshake is over and hears nothing of it");
  const [view] = stage.pool.workers();
  assert.deepEqual([view!.adoptions, view!.endpoints], [1, 2]);
  assert.equal(stage.told.at(-1)!.type, "worker.adopted");
});

Deno.test("what changes while there is no worker is told as it is then", () => {
  const stage = new Stage(2);
  const first = stage.browser();
  const [gone, kept] = [stage.browser(first), stage.browser(first)];
  const told = stage.replace(0, () => {
    gone.handle.close();
    kept.handle.setRemote(REMOTE);
    kept.handle.connect(first.handle.token);
    stage.cast.handshakes[0]!.say({ type: "keys", endpoint: kept.handle.id, keys: KEYS });
  });
  const ids = told.flatMap((command) => command.type === "open" ? [command.endpoint] : []);
  assert.deepEqual(ids, [first.handle.id, kept.handle.id]);
  const about = told.filter((command) => "endpoint" in command && command.endpoint === ids[1]);
  assert.deepEqual(about.map(({ type }) => type), ["open", "set-remote", "keys", "connect"]);
});

Deno.test("a bridge: its end is opened and joined again, the other worker's stays", () => {
  const stage = new Stage(2);
  const [a, b] = [stage.browser(), stage.browser()];
  a.handle.connect(b.handle.token);
  b.handle.connect(a.handle.token);
  stage.clock.flush();
  const plain = (worker: number) =>
    stage.cast.worker(worker).commands.findLast((command) =>
      command.type === "open" && command.kind === "plain"
    ) as Extract<MediaCommand, { type: "open" }>;
  const [before, other] = [plain(0).endpoint, stage.cast.worker(1).commands.length];
  const told = stage.replace(0);
  assert.equal(plain(0).endpoint, before);
  const joined = told.filter(({ type }) => type === "connect");
  assert.deepEqual(joined, [
    { type: "connect", endpoint: a.handle.id, peer: before },
    { type: "connect", endpoint: a.handle.id, peer: before },
    { type: "connect", endpoint: before, peer: a.handle.id },
  ]);
  const news = stage.cast.worker(1).commands.slice(other).map(({ type }) => type);
  assert.ok(!news.includes("open") && !news.includes("close"), news.join(" "));
  assert.equal(stage.pool.size.bridges, 1);
});

Deno.test("a torn endpoint is lost, and closed; a bridge's end takes both with it", () => {
  const stage = new Stage(2);
  const [a, b] = [stage.browser(), stage.browser()];
  const c = stage.browser(a);
  a.handle.connect(b.handle.token);
  stage.clock.flush();
  stage.replace(0);
  const worker = stage.cast.worker(0);
  worker.say({ type: "torn", endpoint: c.handle.id });
  assert.equal(c.events.at(-1)?.type, "lost");
  assert.ok(![...a.events, ...b.events].some(({ type }) => type === "lost"));
  const open = worker.commands.findLast((command) =>
    command.type === "open" && command.kind === "plain"
  );
  assert.ok(open?.type === "open");
  worker.say({ type: "torn", endpoint: open.endpoint });
  assert.deepEqual([a, b].map(({ events }) => events.at(-1)?.type), ["lost", "lost"]);
  assert.deepEqual(stage.pool.size, { endpoints: 0, bridges: 0, waiting: 0 });
});

Deno.test("where the next worker cannot go on, or none comes, the endpoints are lost", () => {
  const stage = new Stage(1);
  const leg = stage.browser();
  stage.cast.adopts = false;
  stage.replace(0);
  assert.equal(leg.events.at(-1)?.type, "lost");
  assert.equal(stage.pool.workers()[0]!.adoptions, 0);

  const other = new Stage(1);
  const last = other.browser();
  for (let death = 0; death < 6; death++) {
    assert.notEqual(last.events.at(-1)?.type, "lost");
    if (death < 5) other.replace(0);
    else other.cast.worker(0).die("test");
  }
  assert.equal(last.events.at(-1)?.type, "lost");
  assert.ok(other.cast.worker(0).isTerminated);
  assert.deepEqual(other.pool.size, { endpoints: 0, bridges: 0, waiting: 0 });
});

Deno.test("replaced on purpose as often as one likes: that is no death", () => {
  const stage = new Stage(1);
  const leg = stage.browser();
  for (let times = 1; times <= 20; times++) {
    assert.ok(stage.pool.restartWorker(0));
    stage.clock.step();
    stage.clock.flush();
    const [view] = stage.pool.workers();
    assert.deepEqual([view!.state, view!.adoptions], ["running", times]);
  }
  assert.deepEqual(leg.events.map(({ type }) => type), ["opened"]);
  const types = new Set(stage.told.map(({ type }) => type));
  assert.deepEqual([...types].sort(), ["worker.adopted", "worker.replaced", "worker.started"]);
  const { text } = stage.told.find(({ type }) => type === "worker.replaced")!;
  assert.equal(text, "media worker 0 gives way to another: an operator restarted it");
});

Deno.test("an ICE restart that may be pending is told as one: the browser may still use the old", () => {
  const stage = new Stage(1);
  const leg = stage.browser();
  const endpoint = leg.handle.id as number;
  const restart = leg.handle.restartIce();
  const before = stage.cast.worker(0).commands;
  const open = before.find(({ type }) => type === "open");
  const isIce = ({ type }: MediaCommand) => type === "open" || type === "ice-restart";
  for (let times = 0; times < 2; times++) {
    assert.deepEqual(stage.replace(0).filter(isIce), [
      open,
      { type: "ice-restart", endpoint, ...restart },
    ]);
  }
  // Begun while there is no worker.
  let next: typeof restart | undefined;
  const told = stage.replace(0, () => next = leg.handle.restartIce());
  assert.deepEqual(told.filter(isIce), [
    { ...open, ...restart },
    { type: "ice-restart", endpoint, ...next! },
  ]);
});
