import assert from "node:assert/strict";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { keepWorkers } from "../../src/actors/media_worker.ts";
import { systemClock } from "../../src/core/io/system_clock.ts";
import { DEFAULT_DELAY } from "../../src/rtp/codec/contract.ts";
import { CodecEngine, type EngineEvent } from "../../src/rtp/codec/engine.ts";
import { PCMA, PCMU } from "../../src/rtp/codec/g711.ts";
import { parseRtp } from "../../src/rtp/codec/rtp_packet.ts";
import { vowel } from "../../src/rtp/codec/self_test.ts";
import { openCatalogue } from "../../src/rtp/io/codec/catalogue.ts";
import { CodecHops, type HopSocket } from "../../src/rtp/io/codec_hops.ts";
import { createCodecPool } from "../../src/rtp/io/start_codec_pool.ts";
import { encodeStream, side } from "../support/transcoder_bench.ts";

/**
 * What goes wrong in a codec worker costs a datagram or a call, or the worker; never in silence.
 */

const HOST = "127.0.0.1";
const options = { a: side("PCMU"), b: side("PCMA"), ...DEFAULT_DELAY };

function bind(): Deno.DatagramConn {
  return Deno.listenDatagram({ transport: "udp", hostname: HOST, port: 0 });
}

function portOf({ addr }: Pick<Deno.DatagramConn, "addr">): number {
  return (addr as Deno.NetAddr).port;
}

function place(socket: Deno.DatagramConn) {
  return { address: HOST, port: portOf(socket) };
}

async function until(isTrue: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 30_000;
  while (!isTrue()) {
    if (performance.now() > end) throw new Error(`waited 30 s for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

Deno.test("hops: one datagram that we fail at is told, and those after it are heard", async () => {
  const [phone, far] = [bind(), bind()];
  const faults: string[] = [];
  let [heard, failed] = [0, 0];
  const hops = new CodecHops({
    onPackets: () => {
      // Each second one.
      if (++heard % 2 === 0) throw new Error("the engine broke");
    },
    onLoss: () => {},
    onFault: (text) => faults.push(text),
    onSocketFailed: () => failed++,
  });
  try {
    const shared = () => new SharedArrayBuffer(16);
    const hop = {
      a: place(phone),
      b: place(far),
      passed: [],
      places: { a: shared(), b: shared() },
    };
    hops.note({ type: "open", id: 1, options, hop });
    const { address: hostname, port } = hops.local;
    for (const { bytes } of encodeStream(PCMU, vowel(8000, 400), 8000)) {
      await phone.send(bytes, { transport: "udp", hostname, port });
    }
    await until(() => heard === 20, "all packets");
    assert.equal(faults.length, 5, "as many as are told in a second");
    assert.match(faults[0]!, /the engine broke/);
    assert.equal(failed, 0);
  } finally {
    for (const socket of [hops, phone, far]) socket.close();
  }
});

Deno.test("hops: what the network says of one datagram is survived; a socket that only fails is not", async () => {
  const real = bind();
  let [errors, heard] = [8, 0];
  const broken: HopSocket = {
    addr: real.addr,
    receive: (buffer) => errors-- > 0 ? Promise.reject(new Error("reset")) : real.receive(buffer),
    send: (bytes, to) => real.send(bytes, to),
    close: () => real.close(),
  };
  const failures: unknown[] = [];
  const make = () =>
    new CodecHops({
      onPackets: () => heard++,
      onLoss: () => {},
      onFault: () => {},
      onSocketFailed: (error) => failures.push(error),
    }, broken);
  const phone = bind();
  const hops = make();
  const shared = () => new SharedArrayBuffer(16);
  const hop = {
    a: place(phone),
    b: place(phone),
    passed: [],
    places: { a: shared(), b: shared() },
  };
  hops.note({ type: "open", id: 1, options: { ...options, b: options.a }, hop });
  const { bytes } = encodeStream(PCMU, vowel(8000, 40), 8000)[0]!;
  await phone.send(bytes, { transport: "udp", hostname: HOST, port: portOf(real) });
  await until(() => heard === 1, "the packet");
  assert.deepEqual(failures, []);
  hops.close();
  errors = Infinity;
  make();
  await until(() => failures.length === 1, "word of the socket");
  assert.match(String(failures[0]), /reset/);
  phone.close();
});

Deno.test("Opus by WebAssembly that refuses an encoder: that call alone fails, in words", async () => {
  const { codecs } = await openCatalogue({ ffi: false });
  const events: EngineEvent[] = [];
  const engine = new CodecEngine({ codecs, takeBusyMs: () => 0 });
  const to = (bitrate: number | null) => ({ ...options, a: side("OPUS", { bitrate }) });
  engine.handle({ type: "open", id: 1, options: to(-7) }, 0);
  engine.handle({ type: "open", id: 2, options: to(null) }, 0);
  await new Promise((resolve) => setTimeout(resolve, 0));
  const drain = () => {
    for (let event = engine.poll(); event !== undefined; event = engine.poll()) events.push(event);
  };
  for (const { at, bytes } of encodeStream(PCMA, vowel(8000, 500), 8000)) {
    const packets = [1, 2].map((id) => ({ id, side: "b" as const, bytes }));
    engine.handle({ type: "packets", packets }, at);
    engine.wake(at);
    drain();
  }
  const failures = events.filter(({ type }) => type === "failed" || type === "fault");
  assert.equal(failures.length, 1);
  const [failure] = failures;
  assert.ok(failure?.type === "failed" && failure.id === 1);
  assert.match(failure.text, /Opus encoder by WebAssembly cannot be used: bitrate/);
  const made = events.flatMap((event) => event.type === "packets" ? event.packets : []);
  assert.ok(made.length > 15 && made.every(({ id }) => id === 2), "the other one is heard");
  engine.handle({ type: "close", id: 2 }, 600);
});

/** Puts another file in the place of the socket that listens on the port, in this process. */
function breakSocket(port: number): () => void {
  const library = Deno.dlopen("libc.so.6", {
    dup: { parameters: ["i32"], result: "i32" },
    dup2: { parameters: ["i32", "i32"], result: "i32" },
    close: { parameters: ["i32"], result: "i32" },
  });
  const { symbols } = library;
  const hex = port.toString(16).toUpperCase().padStart(4, "0");
  const line = readFileSync("/proc/self/net/udp", "utf8").split("\n")
    .find((line) => line.trim().split(/\s+/)[1]?.endsWith(`:${hex}`));
  const inode = line?.trim().split(/\s+/)[9];
  const descriptor = readdirSync("/proc/self/fd").map(Number).find((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === `socket:[${inode}]`;
    } catch {
      return false;
    }
  });
  assert.ok(descriptor !== undefined, "the socket's descriptor");
  // Kept open, so that the thread still wakes when a datagram comes for it.
  const kept = symbols.dup(descriptor);
  const other = Deno.openSync("/dev/null");
  const [nothing] = readdirSync("/proc/self/fd").map(Number).filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`) === "/dev/null" && fd > 2;
    } catch {
      return false;
    }
  }).slice(-1);
  symbols.dup2(nothing!, descriptor);
  other.close();
  return () => {
    symbols.close(kept);
    library.close();
  };
}

Deno.test({
  name: "a codec worker whose socket fails ends, and another takes its place: the call is heard",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const told: string[] = [];
    const pool = await createCodecPool({
      clock: systemClock,
      keepWorker: keepWorkers(systemClock),
      workers: 1,
      allowCrash: false,
      onWorkerEvent: ({ type, text }) => told.push(`${type} ${text}`),
    });
    const [a, b] = [bind(), bind()];
    const places: number[] = [];
    const handle = pool.open(options, (event) => {
      if (event.type === "placed") places.push(event.local.port);
    }, { a: place(a), b: place(b), passed: [] });
    let heard = 0;
    const reading = (async () => {
      for await (const [bytes] of b) heard += parseRtp(bytes) === undefined ? 0 : 1;
    })();
    const sent = encodeStream(PCMU, vowel(8000, 40_000), 8000);
    let next = 0;
    const feeder = setInterval(() => {
      const [packet, port] = [sent[next++], places.at(-1)];
      if (packet === undefined || port === undefined) return;
      a.send(packet.bytes, { transport: "udp", hostname: HOST, port }).catch(() => {});
    }, 20);
    let mend = () => {};
    try {
      await until(() => heard > 20, "packets");
      mend = breakSocket(places[0]!);
      await until(() => places.length > 1, "another worker");
      assert.match(told.join("\n"), /died .*the socket of the hops fails/);
      const before = heard;
      await until(() => heard > before + 20, "packets of another worker");
    } finally {
      clearInterval(feeder);
      handle.close();
      for (const socket of [a, b]) socket.close();
      await reading;
      await pool.close();
      mend();
    }
  },
});
