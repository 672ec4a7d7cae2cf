import { bridgeSetup } from "./call_setup_bridge.ts";

/** Transfer (RFC 5589) in a call that is up: asked for by this side, asked of it, or by others. */
export const transferStates = bridgeSetup.createStateConfig({
  initial: "idle",
  states: {
    idle: {
      on: {
        "client.transfer": [
          { guard: "isBridgeable", target: "bridging", actions: "prepareBridge" },
          { guard: "isDialable", target: "requesting", actions: "sendRefer" },
          { actions: "tellTransferFailed" },
        ],
        "dialog.referred": [
          { guard: "isReferable", target: "dialling", actions: "acceptRefer" },
          { actions: "refuseRefer" },
        ],
        "invite.replacing": [
          { guard: "isReplaceable", target: "replacing", actions: "takeNewcomer" },
          { actions: "refuseNewcomer" },
        ],
      },
    },
    requesting: {
      entry: { type: "traced", params: { state: "requesting" } },
      on: {
        "dialog.referProgress": [
          { guard: "lacksRefer", target: "bridging", actions: "prepareBridge" },
          { guard: "isDone", target: "idle", actions: ["noteReferProgress", "complete"] },
          {
            guard: "isRefused",
            target: "idle",
            actions: ["noteReferProgress", "tellTransferFailed"],
          },
          { actions: "noteReferProgress" },
        ],
      },
      after: {
        transferTimeout: { target: "idle", actions: ["giveUpRefer", "tellTransferFailed"] },
      },
    },
    dialling: {
      entry: ["dialTarget", { type: "traced", params: { state: "dialling" } }],
      on: {
        "next.progress": { actions: "noteTargetProgress" },
        "next.answered": [
          {
            guard: "fitsTarget",
            target: "idle",
            actions: ["switchOver", "applyFlow", "leaveFormer", "switched"],
          },
          { target: "idle", actions: ["noteTargetProgress", "leaveTarget", "endAlone"] },
        ],
        "next.refused": { target: "idle", actions: ["noteTargetProgress", "endAlone"] },
        // Who asked for it may leave before it is done.
        "dialog.bye": { actions: "noteAlone" },
      },
    },
    /** The far party knows no REFER: the target is called for it. */
    bridging: {
      entry: ["dialBridge", { type: "traced", params: { state: "bridging" } }],
      on: {
        "next.progress": { actions: "noteTargetProgress" },
        "next.answered": { target: "handing", actions: "offerTarget" },
        "next.refused": {
          target: "idle",
          actions: ["noteTargetProgress", "tellTransferFailed"],
        },
      },
      after: {
        transferTimeout: {
          target: "idle",
          actions: ["takeBackTarget", "tellTransferFailed"],
        },
      },
    },
    /** Both are there: the far party is offered the target's media. */
    handing: {
      entry: { type: "traced", params: { state: "handing" } },
      on: {
        "dialog.reanswered": { actions: "completeBridge" },
        "dialog.reofferRefused": {
          target: "idle",
          actions: ["takeBackTarget", "tellTransferFailed", "switched"],
        },
        "next.refused": { target: "restoring", actions: "noteTargetProgress" },
      },
    },
    restoring: {
      entry: { type: "traced", params: { state: "restoring" } },
      on: {
        "dialog.reanswered": {
          target: "idle",
          actions: ["offerOwn", "tellTransferFailed", "switched"],
        },
        "dialog.reofferRefused": {
          target: "idle",
          actions: ["takeBackTarget", "tellTransferFailed", "switched"],
        },
      },
    },
    replacing: {
      entry: ["answerNewcomer", { type: "traced", params: { state: "replacing" } }],
      on: {
        "next.acknowledged": [
          {
            guard: "fitsNewcomer",
            target: "idle",
            actions: ["switchToNewcomer", "applyFlow", "endFormer", "switched"],
          },
          { target: "idle", actions: ["noteTargetProgress", "leaveTarget", "endAlone"] },
        ],
        "next.refused": { target: "idle", actions: ["noteTargetProgress", "endAlone"] },
        "dialog.bye": { actions: "noteAlone" },
      },
    },
  },
});
