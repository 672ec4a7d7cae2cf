import { AesCmCipher } from "../../../src/rtp/srtp/aes_cm.ts";
import { SrtpReceiver, SrtpSender } from "../../../src/rtp/srtp/context.ts";
import { checkOf } from "./greeting.ts";
import { type LegPlan, planLegs } from "./plan.ts";

/**
 * Traffic source and sink: `load.ts CALLS PORT BYTES SECONDS`. Each leg sends 50 RTP packets a
 * second of so many bytes; one received packet in 16 is decrypted, its body checked and its way
 * timed.
 */
const [calls, relayPort, size, seconds] = Deno.args.map(Number) as [number, number, number, number];
const PERIOD = 20;
/** Sends that are later than this are left out, ms. */
const MOST_BEHIND = 4;
const WARM_UP = 1;
const CHECK_EVERY = 16;
const RELAY: Deno.NetAddr = { transport: "udp", hostname: "127.0.0.1", port: relayPort };

let sent = 0;
let received = 0;
let bad = 0;
let refused = 0;
let measuring = false;
const delays: number[] = [];

class Leg {
  readonly #socket: Deno.DatagramConn;
  readonly #sender: SrtpSender;
  readonly #receiver: SrtpReceiver;
  readonly #free: Uint8Array[] = [];
  #sequence = 0;
  #answered: () => void = () => {};
  readonly up: Promise<void>;

  constructor(readonly plan: LegPlan) {
    this.#socket = Deno.listenDatagram({
      transport: "udp",
      hostname: "127.0.0.1",
      port: plan.port,
    });
    this.#sender = new SrtpSender(new AesCmCipher(plan.remoteKey, plan.remoteSalt));
    this.#receiver = new SrtpReceiver(new AesCmCipher(plan.localKey, plan.localSalt));
    this.up = new Promise((resolve) => this.#answered = resolve);
    this.#pump();
  }

  async check(): Promise<void> {
    await this.#socket.send(checkOf(this.plan), RELAY);
    await this.up;
  }

  send(): void {
    const packet = this.#free.pop() ?? new Uint8Array(size + 32);
    const sequence = this.#sequence++;
    const view = new DataView(packet.buffer);
    packet[0] = 0x80;
    packet[1] = 0;
    view.setUint16(2, sequence & 0xffff);
    view.setUint32(4, sequence * 160);
    view.setUint32(8, this.plan.ssrc);
    view.setFloat64(12, performance.now());
    packet.fill(sequence & 0xff, 20, size);
    const length = this.#sender.protectRtp(packet, 0, size);
    if (measuring) sent++;
    const done = () => {
      this.#free.push(packet);
    };
    this.#socket.send(packet.subarray(0, length), RELAY).then(done, () => {
      refused++;
      done();
    });
  }

  async #pump(): Promise<void> {
    const slot = new Uint8Array(2048);
    for (;;) {
      const [data] = await this.#socket.receive(slot);
      if (data[0]! < 4) this.#answered();
      else if (data[1]! < 192 && measuring && ++received % CHECK_EVERY === 0) this.#check(data);
    }
  }

  #check(data: Uint8Array): void {
    const now = performance.now();
    const length = this.#receiver.unprotectRtp(data, 0, data.length);
    const sequence = data[3]!;
    if (length !== size || data[20] !== sequence || data[size - 1] !== sequence) bad++;
    else delays.push(now - new DataView(data.buffer).getFloat64(12));
  }
}

const legs = planLegs(calls).map((plan) => new Leg(plan));
for (let at = 0; at < legs.length; at += 20) {
  await Promise.all(legs.slice(at, at + 20).map((leg) => leg.check()));
}

const start = performance.now();
let slot = 0;
const state = { phase: "warm" };
while (state.phase !== "done") {
  const elapsed = performance.now() - start;
  // Legs are spread over the period, so that the relay sees no bursts of ours. Time in which this
  // process did not run is not made up for.
  slot = Math.max(slot, Math.floor(elapsed) - MOST_BEHIND);
  for (; slot < elapsed; slot++) {
    for (let leg = slot % PERIOD; leg < legs.length; leg += PERIOD) legs[leg]!.send();
  }
  if (state.phase === "warm" && elapsed > WARM_UP * 1000) {
    state.phase = "measuring";
    measuring = true;
    console.log("begin");
  } else if (elapsed > (WARM_UP + seconds) * 1000) state.phase = "done";
  await new Promise((resolve) => setTimeout(resolve, 1));
}
// What is still under way counts as received.
await new Promise((resolve) => setTimeout(resolve, 100));
delays.sort((a, b) => a - b);
const percentile = (p: number) => delays[Math.floor((delays.length - 1) * p)] ?? -1;
console.log(JSON.stringify({
  sent,
  received,
  bad,
  refused,
  p50: percentile(0.5),
  p99: percentile(0.99),
}));
Deno.exit(0);
