import assert from "node:assert/strict";
import { Leg, startPool } from "../support/media_legs.ts";
import type { PoolWorkerEvent } from "../../src/rtp/io/start_pool.ts";

Deno.test("portable shell, a worker dies: its endpoints are lost, new ones work", async () => {
  const told: PoolWorkerEvent[] = [];
  let restarted = () => {};
  const back = new Promise<void>((resolve) => restarted = resolve);
  const pool = await startPool(2, {
    ffi: false,
    log: () => {},
    onWorkerEvent: (event) => {
      told.push(event);
      if (told.at(-2)?.type === "worker.died" && event.type === "worker.started") restarted();
    },
  });
  try {
    const [a, b] = [new Leg(pool, "a"), new Leg(pool, "b")];
    const { worker } = await a.until("opened");
    await b.until("opened");
    const before = pool.workers()[worker]!.addresses;
    pool.crashWorker(worker);
    const { text } = await a.until("lost", undefined, 2000);
    assert.match(text, /crash command/);
    assert.ok(!b.events.some(({ type }) => type === "lost"), "the other worker lives");
    await back;
    const view = pool.workers()[worker]!;
    assert.deepEqual([view.state, view.restarts, view.endpoints], ["running", 1, 0]);
    assert.deepEqual(view.addresses, before, "its port is free again and taken again");
    const fresh = new Leg(pool, "fresh");
    assert.equal((await fresh.until("opened")).worker, worker);
    for (const leg of [a, b, fresh]) leg.handle.close();
    assert.deepEqual(pool.size, { endpoints: 0, bridges: 0, waiting: 0 });
  } finally {
    await pool.close();
  }
});

Deno.test("with its only worker dead, an endpoint waits for the restart", async () => {
  const pool = await startPool(1, { ffi: false, log: () => {} });
  try {
    const first = new Leg(pool, "first");
    await first.until("opened");
    pool.crashWorker(0);
    await first.until("lost");
    const next = new Leg(pool, "next");
    await next.until("opened", undefined, 3000);
    next.handle.close();
  } finally {
    await pool.close();
  }
});

Deno.test("a dead handshake worker is replaced with the same certificate", async () => {
  const pool = await startPool(1, { log: () => {} });
  try {
    const before = await new Leg(pool, "before").local();
    pool.crashHandshakeWorker();
    // Opens wait while the handshake worker is away.
    await new Promise((resolve) => setTimeout(resolve, 20));
    const after = await new Leg(pool, "after").local();
    assert.equal(after.fingerprint, before.fingerprint);
  } finally {
    await pool.close();
  }
});

Deno.test("all addresses are announced with one port, the public one behind them", async () => {
  const pool = await startPool(1, {
    addresses: ["127.0.0.1", "127.0.0.2"],
    publicAddress: "192.0.2.9",
  });
  try {
    const { candidates, iceUfrag, icePwd, fingerprint } = await new Leg(pool, "a").local();
    const port = candidates[0]!.port;
    assert.deepEqual(candidates, [
      { address: "127.0.0.1", port },
      { address: "127.0.0.2", port },
      { address: "192.0.2.9", port },
    ]);
    assert.ok(iceUfrag.length >= 4 && icePwd.length >= 22, "RFC 8839 5.4");
    assert.match(fingerprint, /^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
  } finally {
    await pool.close();
  }
});

Deno.test("what cannot be started says why in one sentence, and leaves no port taken", async () => {
  const quiet = { log: () => {} };
  const blocker = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 21990 });
  await assert.rejects(
    startPool(1, { ...quiet, portRange: [21990, 21990] }),
    /no UDP port from 21990 to 21990 is free on 127\.0\.0\.1/,
  );
  blocker.close();
  await assert.rejects(startPool(1, { ...quiet, addresses: ["203.0.113.7"] }), /203\.0\.113\.7/);
  await assert.rejects(startPool(1, { ...quiet, addresses: ["localhost"] }), /not understood/);
  await assert.rejects(startPool(1, { ...quiet, addresses: [] }), /expected at least one/);
  // Two workers, one port: the second cannot come up, and the first must not keep it.
  await assert.rejects(startPool(2, { ...quiet, portRange: [21991, 21991] }), /no UDP port/);
  await (await startPool(1, { portRange: [21991, 21991] })).close();
});
