import { Lab } from "../support/lab.ts";
import { needs } from "../support/needs.ts";
import { callThrough } from "../support/sipp_calls.ts";
import {
  CANCEL_RACE,
  CANCELLED,
  HELD,
  lossy,
  PRACK,
  type Scenario,
} from "../support/sipp_scenarios.ts";

/** SIPp at both ends and our proxy between them, media relayed. */

const SIPP = needs("sipp");

interface Trial {
  readonly name: string;
  readonly scenario: Scenario;
  readonly transport?: "t1";
  readonly calls: number;
  readonly rate: number;
  readonly callerVouches?: boolean;
}

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
    name: "one in six of all 200, ACK and BYE is lost",
    scenario: lossy(16),
    callerVouches: true,
    calls: 20,
    rate: 10,
  },
];

Deno.test({
  name: "SIPp calls SIPp through us",
  ignore: SIPP.ignore,
  async fn(t) {
    await using lab = await Lab.start();
    for (const { name, transport = "u1", ...trial } of TRIALS) {
      await t.step(name, async () => {
        await callThrough({ path: SIPP.path, lab, transport, ...trial });
        await lab.noLiveCalls(10_000);
      });
    }
  },
});
