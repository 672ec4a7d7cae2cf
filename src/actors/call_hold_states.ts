import { callSetup } from "./call_setup.ts";

/** Hold in a call that is up: what the client wants, one offer at a time. */
export const holdStates = callSetup.createStateConfig({
  initial: "settled",
  states: {
    settled: {
      entry: { type: "entered", params: { state: "settled" } },
      on: {
        "client.hold": { target: "settling", actions: "wantHold" },
        "client.unhold": { target: "settling", actions: "wantHold" },
        "call.switched": "settling",
      },
    },
    settling: {
      entry: { type: "entered", params: { state: "settling" } },
      always: [
        { guard: "wantsChange", target: "reoffering" },
        { target: "settled", actions: "confirmHold" },
      ],
    },
    reoffering: {
      entry: ["sendReoffer", { type: "entered", params: { state: "reoffering" } }],
      on: {
        "dialog.reanswered": { target: "settling", actions: ["settleHold", "applyFlow"] },
        "dialog.reofferRefused": [
          { guard: "mayRetry", target: "waiting" },
          { target: "settling", actions: ["giveUpHold", "applyFlow"] },
        ],
        // What was offered to the side that has left is offered to the new one.
        "call.switched": "settling",
      },
    },
    waiting: {
      entry: { type: "entered", params: { state: "waiting" } },
      on: { "call.switched": "settling" },
      after: { reofferRetry: "settling" },
    },
  },
});
