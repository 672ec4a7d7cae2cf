import assert from "node:assert/strict";
import type { SimClient } from "./client.ts";
import { EdgeWorld } from "./edge_world.ts";
import type { SimPhone } from "./phone.ts";
import { isReplay, seeds } from "../support/dice.ts";

const SEEDS = seeds(500);

const ACCOUNTS = ["1000", "1001", "1002", "1003"];
const NAMES = [...ACCOUNTS, "alice", "bob"];
const ACTIONS = 14;
const CODECS = [
  [0, "PCMU/8000"],
  [8, "PCMA/8000"],
  [9, "G722/8000"],
  [96, "opus/48000/2"],
  [101, "telephone-event/8000"],
] as const;

/** Phones on lossy and on reliable wires, relayed and direct, with and without keys; browsers. */
function furnish(house: EdgeWorld): { phones: SimPhone[]; windows: SimClient[] } {
  const { chance } = house;
  const phones = ACCOUNTS.flatMap((user, index) => {
    const first = chance.below(CODECS.length - 1);
    const codecs = [...CODECS.slice(first), ...CODECS.slice(0, first)];
    const phone = house.phone({
      user,
      transport: chance.fraction() < 0.6 ? "UDP" : "TCP",
      address: `192.0.2.${10 + index}`,
      codecs: codecs.slice(0, 2 + chance.below(4)),
      keys: chance.fraction() < 0.2,
      lateOffer: chance.fraction() < 0.15,
    });
    return [phone];
  });
  const windows = ["1000", "alice", "bob"].map((login) => {
    const window = house.client(login);
    return window.connect({ password: "1234" });
  });
  return { phones, windows };
}

function play(house: EdgeWorld): void {
  const { chance, clock } = house;
  const { phones, windows } = furnish(house);
  for (const phone of phones) {
    phone.onIncoming = (call) => {
      const dice = chance.fraction();
      if (dice < 0.08) return;
      phone.ring(call, chance.fraction() < 0.3);
      clock.setTimeout(() => {
        if (dice < 0.85) phone.answer(call);
        else phone.reject(call);
      }, chance.below(5_000));
    };
  }
  for (const window of windows) {
    window.onIncoming = (call) => {
      const dice = chance.fraction();
      clock.setTimeout(() => {
        if (call.status !== "ringing") return;
        if (dice < 0.7) window.answer(call);
        else if (dice < 0.85) window.hangup(call);
      }, chance.below(5_000));
    };
  }
  clock.advance(5_000);
  for (let step = 0; step < ACTIONS; step++) {
    if (chance.fraction() < 0.5) actPhone(phones[chance.below(phones.length)]!);
    else actWindow(windows[chance.below(windows.length)]!);
    clock.advance(chance.below(7_000));
  }

  function actPhone(phone: SimPhone): void {
    const call = phone.live[chance.below(Math.max(1, phone.live.length))];
    const dice = chance.fraction();
    if (!phone.registered) return phone.register();
    if (!call || dice < 0.3) phone.call(NAMES[chance.below(NAMES.length)]!);
    else if (dice < 0.55) phone.hangup(call);
    else phone.hold(call, !call.held);
  }

  function actWindow(window: SimClient): void {
    const call = window.live[chance.below(Math.max(1, window.live.length))];
    const dice = chance.fraction();
    if (!call || dice < 0.4) {
      window.call(NAMES[chance.below(NAMES.length)]!, { video: chance.fraction() < 0.3 });
    } else if (dice < 0.6) window.hangup(call);
    else window.hold(call, dice < 0.85);
  }
}

Deno.test("edge: lossy wires, forks, holds: everybody is told the end, nothing is left over", () => {
  const failed: string[] = [];
  const seen = new Map<string, number>();
  let endpoints = 0;
  for (const seed of SEEDS) {
    const house = new EdgeWorld({
      seed,
      accounts: ACCOUNTS,
      wire: { loss: 0.1, duplication: 0.1, delayMs: 400 },
      rtp: { failOpen: 0.02 },
      settings: (flow) => {
        const last = Number(flow.peer?.address.split(".").at(-1));
        return { media: last % 2 === seed % 2 ? "direct" : "relay", srtp: last === 12 };
      },
    });
    play(house);
    failed.push(...house.finish());
    endpoints += house.rtp.all.length;
    for (const [what, count] of house.seen) seen.set(what, (seen.get(what) ?? 0) + count);
  }
  assert.deepEqual(failed.slice(0, 20), [], "replay with TESTS_SEED=<seed>");
  if (isReplay) return;
  // The dice have shown every side: endings of both kinds of party, and endpoints.
  for (const what of ["phone 200", "phone 486", "phone 487", "hangup", "remote_hangup"]) {
    assert((seen.get(what) ?? 0) > 0, `${what} never happened: ${[...seen]}`);
  }
  assert(endpoints > SEEDS.length);
});
