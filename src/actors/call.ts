import type { ActorRefFrom } from "xstate";
import { termination } from "../core/termination.ts";
import { initialCallContext } from "./call_context.ts";
import { holdStates } from "./call_hold_states.ts";
import { bridgeSetup } from "./call_setup_bridge.ts";
import { transferStates } from "./call_transfer_states.ts";

export type CallActor = ActorRefFrom<typeof callMachine>;

/**
 * One client's call: a browser leg and a SIP leg (design section 2). Outbound, inbound and started
 * by an operator are one machine; every way out goes through `ending`.
 *
 * ```mermaid
 * stateDiagram-v2
 *   [*] --> preparing
 *   preparing --> offering : media.opened [isClient]
 *   preparing --> alerting : media.opened
 *   preparing --> ending : [isFaulty]
 *   offering --> ending : [isFaulty]
 *   offering --> inviting
 *   inviting --> ringing : dialog.progress
 *   inviting --> answered : dialog.answered
 *   inviting --> ending : after ringBackstop
 *   ringing --> answered : dialog.answered
 *   ringing --> ending : after ringBackstop
 *   answered --> ending : [isFaulty]
 *   answered --> active
 *   alerting --> ending : [isFaulty]
 *   alerting --> alerted
 *   alerted --> calling : client.answer [isStartup]
 *   alerted --> answering : client.answer
 *   alerted --> ending : after ringTimeout
 *   note right of alerted : stays on client.attached
 *   calling --> ending : [isFaulty]
 *   calling --> inviting
 *   answering --> active : dialog.acknowledged
 *   answering --> ending : [isFaulty]
 *   state active {
 *     state hold {
 *       [*] --> settled
 *       settled --> settling : client.hold, client.unhold, call.switched
 *       settling --> reoffering : [wantsChange]
 *       settling --> settled
 *       reoffering --> settling : dialog.reanswered, dialog.reofferRefused, call.switched
 *       reoffering --> waiting : dialog.reofferRefused [mayRetry]
 *       waiting --> settling : call.switched, after reofferRetry 500 ms
 *     }
 *     --
 *     state transfer {
 *       [*] --> idle
 *       idle --> bridging : client.transfer [isBridgeable]
 *       idle --> requesting : client.transfer [isDialable]
 *       idle --> dialling : dialog.referred [isReferable]
 *       idle --> replacing : invite.replacing [isReplaceable]
 *       note right of idle : stays on client.transfer, dialog.referred, invite.replacing
 *       requesting --> bridging : dialog.referProgress [lacksRefer]
 *       requesting --> idle : dialog.referProgress [isDone], dialog.referProgress [isRefused]
 *       requesting --> idle : after transferTimeout
 *       note right of requesting : stays on dialog.referProgress
 *       dialling --> idle : next.answered [fitsTarget], next.answered, next.refused
 *       note right of dialling : stays on next.progress, dialog.bye
 *       bridging --> handing : next.answered
 *       bridging --> idle : next.refused, after transferTimeout
 *       note right of bridging : stays on next.progress
 *       handing --> idle : dialog.reofferRefused
 *       handing --> restoring : next.refused
 *       note right of handing : stays on dialog.reanswered
 *       restoring --> idle : dialog.reanswered, dialog.reofferRefused
 *       replacing --> idle : next.acknowledged [fitsNewcomer], next.acknowledged, next.refused
 *       note right of replacing : stays on dialog.bye
 *     }
 *   }
 *   active --> ending : media.silent [isSilent], wire.silent [isSilent], transfer.completed
 *   active --> bridged : bridge.completed
 *   note right of active
 *     stays on client.hold, client.unhold, client.transfer, client.dtmf, dialog.info, dtmf,
 *     dialog.reoffered, former.due
 *   end note
 *   bridged --> ending : bridged.notice [isBridgeOver], wire.silent [isSilent]
 *   note right of bridged
 *     stays on dialog.reoffered, dialog.reanswered, dialog.reofferRefused, dialog.info,
 *     bridged.notice
 *   end note
 *   ending --> ended : [childrenGone], after endingLimit 40 s
 *   note right of ending : stays on dialog.referred
 *   ended --> [*]
 *   note right of preparing
 *     every state stays on media.transport, dialog.referred, invite.replacing
 *     every state to ending on client.hangup, media.failed, media.lost, leg.failed, dialog.refused,
 *     dialog.cancelled, dialog.bye, dialog.unacknowledged, dialog.expired, fault of a child,
 *     terminate
 *   end note
 * ```
 */
export const callMachine = bridgeSetup.createMachine({
  id: "call",
  context: ({ input }) => initialCallContext(input),
  initial: "preparing",
  output: ({ context }) => context.termination ?? termination("internal_error"),
  on: {
    "media.transport": { actions: "toLeg" },
    "client.hangup": { target: ".ending", actions: "end" },
    "media.failed": { target: ".ending", actions: "end" },
    "media.lost": { target: ".ending", actions: "end" },
    "leg.failed": { target: ".ending", actions: "end" },
    "dialog.refused": { target: ".ending", actions: "end" },
    "dialog.cancelled": { target: ".ending", actions: "end" },
    "dialog.bye": { target: ".ending", actions: "end" },
    "dialog.unacknowledged": { target: ".ending", actions: "end" },
    "dialog.expired": { target: ".ending", actions: "end" },
    "xstate.error.actor.*": { target: ".ending", actions: "end" },
    "dialog.referred": { actions: "refuseRefer" },
    "invite.replacing": { actions: "refuseNewcomer" },
    terminate: { target: ".ending", actions: "end" },
  },
  states: {
    preparing: {
      entry: ["takeInvite", "spawnMedia", { type: "entered", params: { state: "preparing" } }],
      always: { guard: "isFaulty", target: "ending", actions: "end" },
      on: {
        "media.opened": [
          { guard: "isClient", target: "offering", actions: ["takeTransport", "takeBrowserOffer"] },
          { target: "alerting", actions: "takeTransport" },
        ],
      },
    },
    offering: {
      entry: { type: "entered", params: { state: "offering" } },
      always: [
        { guard: "isFaulty", target: "ending", actions: "end" },
        { target: "inviting", actions: "startDialog" },
      ],
    },
    inviting: {
      entry: { type: "entered", params: { state: "inviting" } },
      on: {
        "dialog.progress": { target: "ringing" },
        "dialog.answered": { target: "answered", actions: "takeAnswer" },
      },
      after: {
        ringBackstop: {
          target: "ending",
          actions: { type: "endAs", params: { termination: termination("request_timeout") } },
        },
      },
    },
    ringing: {
      entry: [
        { type: "entered", params: { state: "ringing" } },
        "notifyRinging",
        { type: "publish", params: { type: "call.ringing" } },
      ],
      on: {
        "dialog.progress": {},
        "dialog.answered": { target: "answered", actions: "takeAnswer" },
      },
      after: {
        ringBackstop: {
          target: "ending",
          actions: { type: "endAs", params: { termination: termination("ring_timeout") } },
        },
      },
    },
    answered: {
      entry: { type: "entered", params: { state: "answered" } },
      always: [
        { guard: "isFaulty", target: "ending", actions: "end" },
        { target: "active", actions: "notifyTalking" },
      ],
    },
    alerting: {
      entry: ["offerToBrowser", { type: "entered", params: { state: "alerting" } }],
      always: [
        { guard: "isFaulty", target: "ending", actions: "end" },
        { target: "alerted", actions: ["notifyIncoming", "ringBack"] },
      ],
    },
    alerted: {
      entry: [
        { type: "entered", params: { state: "alerted" } },
        { type: "publish", params: { type: "call.ringing" } },
      ],
      on: {
        "client.answer": [
          { guard: "isStartup", target: "calling", actions: "takeStartupAnswer" },
          { target: "answering", actions: "answerOffer" },
        ],
        // A client that came back by its token knows nothing of what rang before.
        "client.attached": { actions: "notifyIncoming" },
      },
      after: {
        ringTimeout: {
          target: "ending",
          actions: { type: "endAs", params: { termination: termination("ring_timeout") } },
        },
      },
    },
    /** An operator's call: the first side is up, now the callee is called. */
    calling: {
      entry: { type: "entered", params: { state: "calling" } },
      always: [
        { guard: "isFaulty", target: "ending", actions: "end" },
        { target: "inviting", actions: ["notifyTalking", "startDialog"] },
      ],
    },
    answering: {
      entry: { type: "entered", params: { state: "answering" } },
      always: { guard: "isFaulty", target: "ending", actions: "end" },
      on: { "dialog.acknowledged": { target: "active", actions: "notifyTalking" } },
    },
    active: {
      type: "parallel",
      entry: [
        "keepDialogFacts",
        { type: "entered", params: { state: "active" } },
        { type: "publish", params: { type: "call.connected" } },
      ],
      on: {
        "client.hold": { actions: "wantHold" },
        "client.unhold": { actions: "wantHold" },
        "client.transfer": { actions: "confirmHold" },
        "client.dtmf": { actions: "sendDigits" },
        "dialog.info": { actions: "takeDigit" },
        dtmf: { actions: "takeDigit" },
        "dialog.reoffered": { actions: ["answerReoffer", "applyFlow"] },
        "media.silent": { guard: "isSilent", target: "ending", actions: "end" },
        "wire.silent": { guard: "isSilent", target: "ending", actions: "end" },
        "former.due": { actions: "endFormer" },
        "transfer.completed": { target: "ending", actions: "end" },
        "bridge.completed": "bridged",
      },
      states: {
        hold: holdStates,
        transfer: transferStates,
      },
    },
    /** Its browser has left: the far party and whom it was handed on to, joined by us. */
    bridged: {
      entry: ["leaveBrowser", { type: "entered", params: { state: "bridged" } }],
      on: {
        "dialog.reoffered": { actions: "passToTarget" },
        "dialog.reanswered": { actions: "passToTarget" },
        "dialog.reofferRefused": { actions: "passToTarget" },
        "dialog.info": { actions: "passToTarget" },
        "bridged.notice": [
          { guard: "isBridgeOver", target: "ending", actions: "end" },
          { actions: "passToFarParty" },
        ],
        "wire.silent": { guard: "isSilent", target: "ending", actions: "end" },
        "client.hangup": {},
        "leg.failed": {},
        "media.failed": {},
        "media.lost": {},
      },
    },
    ending: {
      entry: [
        "keepDialogFacts",
        "keepLegs",
        { type: "entered", params: { state: "ending" } },
        "notifyFinished",
        "terminateChildren",
      ],
      always: { guard: "childrenGone", target: "ended" },
      on: {
        "xstate.done.actor.*": {},
        // Once is enough: what else would end the call changes nothing any more.
        "xstate.error.actor.*": {},
        "client.hangup": {},
        "media.failed": {},
        "media.lost": {},
        "leg.failed": {},
        "dialog.refused": {},
        "dialog.cancelled": {},
        "dialog.bye": {},
        "dialog.unacknowledged": {},
        "dialog.expired": {},
        "dialog.referred": { actions: "refuseRefer" },
        terminate: {},
      },
      after: { endingLimit: "ended" },
    },
    ended: {
      type: "final",
      entry: { type: "entered", params: { state: "ended" } },
    },
  },
});
