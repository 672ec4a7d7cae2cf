/**
 * Calls a second through the control plane: real actors, real SIP through both elements, no media
 * and no sockets. `deno task bench:control` prints a table; nothing here passes or fails.
 */
import { SimWorld } from "../sim/world.ts";

const ROUNDS = 3;
const WARM_UP = 500;
const CALLS = 3_000;
const STANDING = [0, 1_000, 5_000];

/** One whole call: INVITE to ACK, then BYE; both sides' actors, both SIP elements. */
function oneCall(world: SimWorld, caller: ReturnType<SimWorld["client"]>): void {
  const call = caller.call("callee");
  world.clock.advance(400);
  caller.hangup(call);
  world.clock.advance(100);
}

function world(standing: number) {
  const sim = new SimWorld({ seed: 1 });
  const callee = sim.client("callee").connect();
  callee.onIncoming = (call) => callee.answer(call);
  const caller = sim.client("caller").connect();
  for (let i = 0; i < standing / 10; i++) {
    const a = sim.client(`standing${i}`).connect();
    const b = sim.client(`partner${i}`).connect();
    b.onIncoming = (call) => b.answer(call);
    for (let n = 0; n < 10; n++) a.call(`partner${i}`);
    sim.clock.advance(400);
  }
  return { sim, caller, callee };
}

function measure(standing: number): { perSecond: number; microseconds: number; heapKb: number } {
  const { sim, caller, callee } = world(standing);
  for (let i = 0; i < WARM_UP; i++) oneCall(sim, caller);
  const start = performance.now();
  for (let i = 0; i < CALLS; i++) {
    oneCall(sim, caller);
    if (i % 500 === 0) { for (const client of [caller, callee]) client.calls.clear(); }
  }
  const ms = performance.now() - start;
  const heap = Deno.memoryUsage().heapUsed;
  sim.plane.close();
  return {
    perSecond: Math.round(CALLS / (ms / 1000)),
    microseconds: Math.round(1000 * ms / CALLS),
    heapKb: Math.round(heap / 1024),
  };
}

console.log("standing calls | calls a second | us a call (both sides) ; median of", ROUNDS);
for (const standing of STANDING) {
  const rounds = Array.from({ length: ROUNDS }, () => measure(standing));
  rounds.sort((a, b) => a.microseconds - b.microseconds);
  const median = rounds[Math.floor(ROUNDS / 2)]!;
  console.log(
    `${String(standing).padStart(14)} | ${
      String(median.perSecond).padStart(14)
    } | ${median.microseconds}`,
  );
}
