import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import type { EndpointToken } from "../../src/core/ids.ts";
import type { RunningMediaPool } from "../../src/rtp/io/start_pool.ts";
import { headerOf } from "../support/fake_phone.ts";
import { startPool } from "../support/media_legs.ts";
import { needs } from "../support/needs.ts";
import { PhoneLeg } from "../support/phone_leg.ts";
import { type PeerOptions, sdesKey } from "../support/rtp_peer.ts";

/** A media worker that dies, and what takes its place: nobody's call may notice more than a gap. */

const { ignore: hasNoLibcrypto } = needs("libcrypto");
const ignore = Deno.build.os !== "linux" || hasNoLibcrypto;

class Stage {
  readonly legs: PhoneLeg[] = [];

  private constructor(readonly pool: RunningMediaPool) {}

  static async run(workers: number, act: (stage: Stage) => Promise<void>): Promise<void> {
    const options = { log: () => {}, rtpAddresses: ["127.0.0.1", "::1"] };
    const stage = new Stage(await startPool(workers, options));
    try {
      await act(stage);
    } finally {
      for (const leg of stage.legs) leg.close();
      await stage.pool.close();
    }
  }

  leg(options: PeerOptions = {}, near?: EndpointToken): PhoneLeg {
    const leg = new PhoneLeg(this.pool, options, near);
    this.legs.push(leg);
    return leg;
  }

  /** Two at one worker, ready to be joined. */
  async pair(): Promise<readonly [PhoneLeg, PhoneLeg]> {
    const a = this.leg({ hertz: 440 });
    const b = this.leg({ hertz: 1000 }, a.handle.token);
    await Promise.all([a.up(), b.up()]);
    return [a, b];
  }

  /** Joined with each other, and each hears the other. */
  async talk(a: PhoneLeg, b: PhoneLeg): Promise<void> {
    a.handle.connect(b.handle.token);
    b.handle.connect(a.handle.token);
    await Promise.all([a.peer.hears(1000), b.peer.hears(440)]);
  }

  /** Kills a worker, and waits until another goes on in its place. */
  async kill(worker: number, how: Parameters<RunningMediaPool["crashWorker"]>[1] = {}) {
    const before = this.pool.workers()[worker]!.adoptions;
    this.pool.crashWorker(worker, how);
    await this.adopted(worker, before + 1);
  }

  async adopted(worker: number, times: number): Promise<void> {
    const end = performance.now() + 20_000;
    while (this.pool.workers()[worker]!.adoptions < times) {
      assert.ok(performance.now() < end, `no adoption: ${JSON.stringify(this.pool.workers())}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}

/** Sequence numbers only ever go up from one packet to the next, and no packet comes twice. */
function assertForwards(packets: readonly Uint8Array[]): void {
  for (let i = 1; i < packets.length; i++) {
    const [before, now] = [headerOf(packets[i - 1]!), headerOf(packets[i]!)];
    const step = (now.sequence - before.sequence) & 0xffff;
    assert.ok(step > 0 && step < 0x8000, `packet ${i}: ${before.sequence}, then ${now.sequence}`);
    assert.equal(now.ssrc, before.ssrc, `packet ${i} is of the same stream`);
  }
}

/** Waits until one that hung has come to again. */
async function comesTo(peer: PhoneLeg["peer"], ms: number): Promise<void> {
  const until = performance.now() + ms;
  await peer.until("the hung one has come to", () => performance.now() > until);
}

/** Heard from now on: a tone that is not made of what has been heard before. */
async function goesOn(leg: PhoneLeg, hertz: number): Promise<void> {
  const from = leg.peer.packets.length;
  await leg.peer.until("packets after the adoption", () => leg.peer.packets.length > from + 12);
  await leg.peer.hears(hertz);
}

async function bothGoOn(a: PhoneLeg, b: PhoneLeg): Promise<void> {
  await Promise.all([goesOn(a, 1000), goesOn(b, 440)]);
}

Deno.test({
  name: "a worker dies: RTP and SRTP legs talk on, no index comes twice, nothing is told",
  ignore,
  async fn() {
    await Stage.run(1, async (stage) => {
      const suite = "AES_CM_128_HMAC_SHA1_80";
      const keys = { send: sdesKey(suite), receive: sdesKey(suite) };
      const a = stage.leg({ hertz: 440, keys });
      const b = stage.leg({ hertz: 1000 }, a.handle.token);
      await a.up();
      // Behind a NAT: the description names a port where nobody listens.
      await b.up({ port: 9, rtcpPort: 10 });
      await stage.talk(a, b);
      for (let i = 0; i < 3; i++) {
        await stage.kill(0);
        await bothGoOn(a, b);
      }
      for (const leg of [a, b]) {
        assertForwards(leg.peer.packets);
        assert.equal(leg.peer.unreadable, 0);
        assert.deepEqual([leg.of("lost").length, leg.of("opened").length], [0, 1]);
        assert.equal(leg.of("latched").length, 1, "where the phone is was not learned again");
      }
      const view = stage.pool.workers()[0]!;
      assert.deepEqual([view.adoptions, view.restarts, view.endpoints], [3, 3, 2]);
      assert.ok(view.lastGapMs !== null && view.lastGapMs < 10_000, `${view.lastGapMs} ms`);
    });
  },
});

Deno.test({
  name: "two workers with a bridge between them: each of the two may die",
  ignore,
  async fn() {
    await Stage.run(2, async (stage) => {
      const [a, b] = [stage.leg({ hertz: 440 }), stage.leg({ hertz: 1000 })];
      await Promise.all([a.up(), b.up()]);
      await stage.talk(a, b);
      assert.equal(stage.pool.size.bridges, 1);
      for (const worker of [0, 1, 0]) {
        await stage.kill(worker);
        await bothGoOn(a, b);
      }
      for (const leg of [a, b]) assertForwards(leg.peer.packets);
      assert.equal(stage.pool.size.bridges, 1);
    });
  },
});

Deno.test({
  name: "a phone at an IPv6 address that only its packets have told",
  ignore,
  async fn() {
    await Stage.run(1, async (stage) => {
      const a = stage.leg({ hertz: 440, hostname: "::1" });
      const b = stage.leg({ hertz: 1000 }, a.handle.token);
      await a.up({ port: 9, rtcpPort: 10 });
      await b.up();
      await stage.talk(a, b);
      await stage.kill(0);
      await bothGoOn(a, b);
      assert.equal(a.of("latched").length, 1);
    });
  },
});

Deno.test({
  name: "what is torn ends alone, and says so",
  ignore,
  async fn() {
    await Stage.run(1, async (stage) => {
      const [a, b, c] = [
        stage.leg({ hertz: 440 }),
        stage.leg({ hertz: 1000 }),
        stage.leg({ hertz: 700 }),
      ];
      for (const leg of [a, b, c]) await leg.up();
      await stage.talk(a, b);
      await stage.kill(0, { tear: c.handle.id });
      await c.peer.until("lost", () => c.of("lost").length === 1);
      assert.match(c.of("lost")[0]!.text, /died while it changed/);
      await bothGoOn(a, b);
      assert.deepEqual([a, b].flatMap((leg) => leg.of("lost")), []);
      assert.equal(stage.pool.workers()[0]!.endpoints, 2);
    });
  },
});

Deno.test({
  name: "a worker that hangs is noticed and replaced; when it comes to again it touches nothing",
  ignore,
  async fn() {
    await Stage.run(1, async (stage) => {
      const [a, b] = await stage.pair();
      await stage.talk(a, b);
      await stage.kill(0, { hangMs: 6000 });
      await bothGoOn(a, b);
      await comesTo(b.peer, 4500);
      await bothGoOn(a, b);
      for (const leg of [a, b]) assertForwards(leg.peer.packets);
      assert.equal(stage.pool.workers()[0]!.adoptions, 1);
    });
  },
});

Deno.test({
  name: "an operator's restart is no death: often, at once, and what is joined meanwhile talks",
  ignore,
  async fn() {
    await Stage.run(1, async (stage) => {
      const [a, b] = await stage.pair();
      assert.ok(stage.pool.restartWorker(0));
      // While there is no worker: the next one is told.
      await stage.talk(a, b);
      for (let i = 2; i < 9; i++) {
        assert.ok(stage.pool.restartWorker(0));
        await stage.adopted(0, i);
      }
      await bothGoOn(a, b);
      for (const leg of [a, b]) assertForwards(leg.peer.packets);
    });
  },
});

Deno.test({
  name: "an operator need not wait until a hung worker is noticed",
  ignore,
  async fn() {
    await Stage.run(1, async (stage) => {
      const [a, b] = await stage.pair();
      await stage.talk(a, b);
      stage.pool.crashWorker(0, { hangMs: 3000 });
      // Once the loop is in it, its orders are not taken any more.
      await new Promise((resolve) => setTimeout(resolve, 300));
      assert.ok(stage.pool.restartWorker(0));
      await stage.adopted(0, 1);
      await comesTo(b.peer, 3500);
      await bothGoOn(a, b);
      for (const leg of [a, b]) assertForwards(leg.peer.packets);
    });
  },
});

Deno.test({
  name:
    "no descriptor stays behind: of calls that end before, while and after a worker is replaced",
  ignore,
  async fn() {
    const count = () => readdirSync("/proc/self/fd").length;
    const once = () =>
      Stage.run(1, async (stage) => {
        const legs = Array.from({ length: 6 }, () => new PhoneLeg(stage.pool));
        for (const leg of legs) await leg.up();
        const open = count();
        for (const leg of legs.slice(0, 2)) leg.close();
        stage.pool.crashWorker(0);
        for (const leg of legs.slice(2, 4)) leg.close();
        await stage.adopted(0, 1);
        await legs[4]!.opened();
        // Two sockets of ours and two of the phone's for each of the four that have ended.
        assert.ok(count() <= open - 16, `${count()} descriptors, ${open} before`);
        for (const leg of legs.slice(4)) leg.close();
      });
    await once();
    const before = count();
    for (let i = 0; i < 3; i++) await once();
    // Threads take some time to end.
    const end = performance.now() + 20_000;
    while (count() > before) {
      assert.ok(performance.now() < end, `${count()} descriptors, ${before} before`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  },
});
