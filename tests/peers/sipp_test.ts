import assert from "node:assert/strict";
import { SeededEntropy } from "../../src/core/entropy.ts";
import { Lab } from "../support/lab.ts";
import { needs } from "../support/needs.ts";
import type { Glance } from "../support/sip_path.ts";
import { callThrough, type RoadReport, type SippCalls } from "../support/sipp_calls.ts";
import { CANCEL_RACE, CANCELLED, HARDY, HELD, PATIENT, PRACK } from "../support/sipp_scenarios.ts";

/** SIPp at both ends and our proxy between them, media relayed. */

const SIPP = needs("sipp");

interface Trial extends Pick<SippCalls, "scenario" | "calls" | "rate" | "isLost" | "isCut"> {
  readonly name: string;
  readonly transport?: "t1";
  /** What the roads must have done. */
  readonly proves?: (roads: RoadReport) => void;
}

/** Of all messages a quarter is lost; none more often than this, so that its timer lives on. */
const MOST_LOST = 2;
/** The dice are thrown by this and by what a message is: the same ones are lost in each run. */
const SEED = 7;

/** How many of a message's first copies are lost. */
function quarter(
  { method, status, callId, toServer, copy }: Glance,
  phone: string,
): boolean {
  // SIPp counts its calls in front of the dash; behind it is the number of its process.
  const key = [SEED, phone, toServer, method, status, callId.split("-")[0]].join();
  let hash = 0x811c9dc5;
  for (const letter of key) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193);
  const chance = new SeededEntropy(hash);
  let count = 0;
  while (count < MOST_LOST && chance.fraction() < 0.25) count++;
  return copy <= count;
}

const isAck = ({ method, status }: Glance) => method === "ACK" && status === undefined;
const is200 = ({ method, status }: Glance) => method === "INVITE" && status === 200;

const TRIALS: readonly Trial[] = [
  { name: "calls with hold by re-INVITE over UDP", scenario: HELD, calls: 40, rate: 20 },
  {
    name: "calls from TCP to UDP, many on one connection",
    scenario: HELD,
    transport: "t1",
    calls: 40,
    rate: 20,
  },
  { name: "PRACK", scenario: PRACK, calls: 10, rate: 10 },
  { name: "CANCEL while it rings", scenario: CANCELLED, calls: 10, rate: 10 },
  { name: "CANCEL crosses the 200", scenario: CANCEL_RACE, calls: 10, rate: 10 },
  {
    name: "TCP byte by byte, cut in heads and bodies, two messages in one segment",
    scenario: HELD,
    transport: "t1",
    isCut: true,
    calls: 40,
    rate: 20,
    proves: ({ cuts }) => {
      const counts = Object.values(cuts!);
      assert.ok(counts.every((count) => count >= 5), JSON.stringify(cuts));
    },
  },
  {
    name: "the first 200 is lost, on both hops",
    scenario: PATIENT,
    calls: 10,
    rate: 10,
    isLost: (message) => is200(message) && message.copy === 1,
    proves: ({ lost }) => {
      assert.deepEqual(lost.map(({ phone }) => phone).sort(), [
        ...Array(10).fill("callee"),
        ...Array(10).fill("caller"),
      ]);
    },
  },
  {
    name: "the first ACK is lost, on both hops",
    scenario: PATIENT,
    calls: 10,
    rate: 10,
    // That of the 407, to which the same befalls, is no matter of the callee's.
    isLost: (message) => isAck(message) && message.copy === 1,
    proves: ({ lost }) => {
      assert.equal(lost.filter(({ phone }) => phone === "callee").length, 10);
      assert.equal(lost.filter(({ phone }) => phone === "caller").length, 20);
    },
  },
  {
    name: "a quarter of all messages is lost",
    scenario: HARDY,
    calls: 30,
    rate: 10,
    isLost: quarter,
    proves: ({ lost, seen }) => {
      const share = lost.length / seen;
      assert.ok(share > 0.15 && share < 0.35, `${lost.length} of ${seen}`);
    },
  },
];

Deno.test({
  name: "SIPp calls SIPp through us",
  ignore: SIPP.ignore,
  async fn(t) {
    await using lab = await Lab.start();
    for (const [index, { name, transport = "u1", proves, ...trial }] of TRIALS.entries()) {
      // An account of its own: phones of earlier trials are gone, and their registrations are not.
      const callee = `${1000 + index}`;
      await t.step(name, async () => {
        const roads = await callThrough({ path: SIPP.path, lab, callee, transport, ...trial });
        proves?.(roads);
        await lab.noLiveCalls(10_000);
      });
    }
  },
});
