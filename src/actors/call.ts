import { type ActorRefFrom, assign, enqueueActions, setup } from "xstate";
import { type Termination, termination, terminationOfStatus } from "../core/termination.ts";
import type { ClientCall } from "./client.ts";
import type { CallInput } from "./call_ports.ts";
import { initialCallContext } from "./call_context.ts";
import type { CallContext, CallEvent } from "./call_context.ts";
import * as plan from "./media_plan.ts";
import { mediaSessionMachine } from "./media_session.ts";
import { dialogInput } from "./call_signalling.ts";
import { sipDialogMachine } from "./sip_dialog.ts";
import { webrtcLegMachine } from "./webrtc_leg.ts";

export type CallActor = ActorRefFrom<typeof callMachine>;

/** Beyond the children's own deadlines; a call never stays in `ending`. */
const ENDING_LIMIT_MS = 40_000;
/** The callee's own ring timeout answers first; this is for a callee that says nothing. */
const RING_MARGIN_MS = 5_000;
/** Tells a callee that nobody answered from one that can't be reached (RFC 3326). */
const RING_TIMEOUT_REASON = 'SIP;cause=480;text="Ring timeout"';
const REOFFER_RETRY_MS = 500;
const REOFFER_TRIES = 6;

/**
 * One client's call: a browser leg and a SIP leg (design section 2). Outbound, inbound and started by
 * an operator are one machine; every way out goes through `ending`.
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
 *     [*] --> settled
 *     settled --> settling : client.hold, client.unhold
 *     settling --> reoffering : [wantsChange]
 *     settling --> settled
 *     reoffering --> settling : dialog.reanswered, dialog.reofferRefused
 *     reoffering --> waiting : dialog.reofferRefused [mayRetry]
 *     waiting --> settling : after reofferRetry 500 ms
 *   }
 *   active --> ending : media.silent [isSilent]
 *   note right of active
 *     stays on client.hold, client.unhold, client.unsupported, dialog.reoffered
 *   end note
 *   ending --> ended : [childrenGone], after endingLimit 40 s
 *   ended --> [*]
 *   note right of preparing
 *     every state stays on media.transport
 *     every state to ending on client.hangup, media.failed, media.lost, leg.failed, dialog.refused,
 *     dialog.cancelled, dialog.bye, dialog.unacknowledged, fault of a child, terminate
 *   end note
 * ```
 */
export const callMachine = setup({
  types: {
    input: {} as CallInput,
    context: {} as CallContext,
    events: {} as CallEvent,
    output: {} as Termination,
    children: {} as {
      dialog: "sipDialog";
      leg: "webrtcLeg";
      media: "mediaSession";
    },
  },
  actors: {
    sipDialog: sipDialogMachine,
    webrtcLeg: webrtcLegMachine,
    mediaSession: mediaSessionMachine,
  },
  actions: {
    entered: assign(({ context }, params: { state: string }) => {
      context.ports.trace?.("call", params.state);
      return {
        since: context.ports.clock.epoch(),
        isRinging: context.isRinging || params.state === "ringing",
      };
    }),
    spawnMedia: assign(({ context, spawn }) => ({
      leg: spawn("webrtcLeg", { id: "leg", input: { ports: context.ports } }),
      media: spawn("mediaSession", {
        id: "media",
        input: {
          ports: context.ports,
          resources: context.resources,
          near: context.near,
          label: context.callId,
        },
      }),
    })),
    takeTransport: assign(({ event }) => {
      if (event.type !== "media.opened") return {};
      return { local: event.local, token: event.token };
    }),
    startDialog: assign(({ context, spawn }) => ({
      dialog: spawn("sipDialog", { id: "dialog", input: dialogInput(context) }),
    })),
    /** An INVITE that has come is answered by its dialog whatever happens to the rest. */
    takeInvite: assign(({ context, spawn }) =>
      context.origin.type === "invite"
        ? { dialog: spawn("sipDialog", { id: "dialog", input: dialogInput(context) }) }
        : {}
    ),
    toLeg: ({ context, event }) => {
      if (event.type === "media.transport") {
        context.leg?.send({ type: "transport", event: event.event });
      }
    },
    publish: ({ context }, params: { type: "call.ringing" | "call.connected" }) =>
      context.ports.publish(params.type, eventData(context)),

    notifyTrying: ({ context }) =>
      context.ports.notify({ type: "trying", call: clientCall(context) }),
    notifyRinging: ({ context }) => {
      if (context.origin.type === "startup" || context.told === "talking") return;
      context.ports.notify({ type: "ringing", call: clientCall(context), sipStatus: 180 });
    },
    notifyIncoming: ({ context }) => {
      const { ports, callId, offer } = context;
      const call = clientCall(context);
      ports.notify({ type: "remoteDescription", callId, sdp: offer ?? "", isAnswer: false });
      ports.notify({ type: "incoming", call });
      ports.notify({ type: "ringing", call, sipStatus: 180 });
    },
    notifyTalking: assign(({ context }) => {
      context.ports.notify({ type: "talking", call: clientCall(context) });
      return { told: "talking" as const };
    }),
    notifyHeld: ({ context }) => context.ports.notify({ type: "held", call: clientCall(context) }),
    notifyFinished: ({ context }) =>
      context.ports.notify({
        type: "finished",
        call: clientCall(context),
        termination: context.termination!,
      }),

    offerToBrowser: assign(({ context }) => plan.offerToBrowser(context)),
    ringBack: ({ context }) => context.dialog?.send({ type: "ring" }),
    /** A callee's answer: to the SIP leg, and its endpoint towards the caller's. */
    answerOffer: assign(({ context, event }) => {
      if (event.type !== "client.answer") return {};
      const result = plan.answerFromBrowser(context, event.sdp);
      if (!result.ok) return { fault: result.error };
      const { body, remote, peer, change } = result.value;
      context.media?.send({ type: "setRemote", remote });
      if (peer) context.media?.send({ type: "connect", peer });
      context.leg?.send({ type: "negotiated" });
      context.dialog?.send({ type: "accept", body });
      return change;
    }),
    /** An operator's call: the browser that rang first has answered our own offer. */
    takeStartupAnswer: assign(({ context, event }) => {
      if (event.type !== "client.answer") return {};
      const result = plan.startupAnswer(context, event.sdp);
      if (!result.ok) return { fault: result.error };
      const { remote, change } = result.value;
      context.media?.send({ type: "setRemote", remote });
      context.leg?.send({ type: "negotiated" });
      return change;
    }),
    /** The offer of a calling browser, before its INVITE. */
    takeBrowserOffer: assign(({ context }) => {
      const result = plan.offerFromBrowser(context);
      if (!result.ok) return { fault: result.error };
      context.media?.send({ type: "setRemote", remote: result.value.remote });
      return result.value.change;
    }),
    /** The SIP leg's answer: to the browser, and our endpoint towards the callee's. */
    takeAnswer: assign(({ context, event }) => {
      if (event.type !== "dialog.answered") return {};
      const result = plan.answerToBrowser(context, event.body);
      if (!result.ok) return { fault: result.error };
      const { browser, peer, change } = result.value;
      if (peer) context.media?.send({ type: "connect", peer });
      if (browser !== null) {
        const { ports, callId } = context;
        ports.notify({ type: "remoteDescription", callId, sdp: browser, isAnswer: true });
        context.leg?.send({ type: "negotiated" });
      }
      return change;
    }),

    wantHold: assign(({ event }) => ({ wantsHold: event.type === "client.hold", reofferTries: 0 })),
    confirmHold: ({ context }) => {
      const call = clientCall(context);
      context.ports.notify(context.hold.local ? { type: "held", call } : { type: "talking", call });
    },
    sendReoffer: enqueueActions(({ context, enqueue }) => {
      const { body, change } = plan.holdOffer(context);
      enqueue.assign({ ...change, reofferTries: context.reofferTries + 1 });
      enqueue(() => {
        if (context.wantsHold) context.media?.send({ type: "setFlowing", flowing: false });
        context.dialog?.send({ type: "reoffer", body });
      });
    }),
    settleHold: assign(({ context }) => {
      context.ports.publish(context.wantsHold ? "call.held" : "call.unheld", eventData(context));
      return {
        hold: { ...context.hold, local: context.wantsHold },
        since: context.ports.clock.epoch(),
      };
    }),
    giveUpHold: assign(({ context }) => ({ wantsHold: context.hold.local })),
    applyFlow: ({ context }) => {
      const flowing = !context.hold.local && !context.hold.remote;
      context.media?.send({ type: "setFlowing", flowing });
      if (flowing && context.hasVideo) context.media?.send({ type: "requestKeyFrame" });
    },
    answerReoffer: assign(({ context, event }) => {
      if (event.type !== "dialog.reoffered") return {};
      const result = plan.answerReoffer(context, event.body);
      if (!result.ok) {
        context.dialog?.send({ type: "refuseReoffer", status: 488 });
        return {};
      }
      context.dialog?.send({ type: "reanswer", body: result.value.body });
      return result.value.change;
    }),

    end: assign(({ context, event }) => ({
      termination: context.termination ?? context.fault ?? terminationOf(context, event),
      endedAt: context.ports.clock.epoch(),
    })),
    endAs: assign(({ context }, params: { termination: Termination }) => ({
      termination: context.termination ?? params.termination,
      endedAt: context.ports.clock.epoch(),
    })),
    keepDialogFacts: assign(({ context }) => plan.dialogFacts(context)),
    terminateChildren: ({ context }) => {
      const { sipStatus, reason } = context.termination!;
      // A callee that is turned away gets a final status that refuses, never the BYE's 200.
      const status = sipStatus >= 300 ? sipStatus : reason === "shutdown" ? 503 : 480;
      const why = reason === "ring_timeout" ? { reason: RING_TIMEOUT_REASON } : {};
      context.dialog?.send({ type: "terminate", sipStatus: status, ...why });
      context.media?.send({ type: "terminate" });
      context.leg?.send({ type: "terminate" });
    },
  },
  guards: {
    isClient: ({ context }) => context.origin.type === "client",
    isFaulty: ({ context }) => context.fault !== null,
    isStartup: ({ context }) => context.origin.type === "startup",
    wantsChange: ({ context }) => context.wantsHold !== context.hold.local,
    isSilent: ({ context, event }) =>
      event.type === "media.silent" && !context.hold.local && !context.hold.remote &&
      event.ms >= context.ports.options.silenceTimeoutMs,
    mayRetry: ({ context, event }) =>
      event.type === "dialog.reofferRefused" && (event.status === 491 || event.status === 500) &&
      context.reofferTries < REOFFER_TRIES,
    childrenGone: ({ context }) =>
      [context.dialog, context.leg, context.media].every((child) =>
        !child || child.getSnapshot().status !== "active"
      ),
  },
  delays: {
    ringTimeout: ({ context }) => context.ports.options.ringTimeoutMs,
    ringBackstop: ({ context }) => context.ports.options.ringTimeoutMs + RING_MARGIN_MS,
    reofferRetry: REOFFER_RETRY_MS,
    endingLimit: ENDING_LIMIT_MS,
  },
}).createMachine({
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
    "xstate.error.actor.*": { target: ".ending", actions: "end" },
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
      entry: [
        "keepDialogFacts",
        { type: "entered", params: { state: "active" } },
        { type: "publish", params: { type: "call.connected" } },
      ],
      initial: "settled",
      on: {
        "client.hold": { actions: "wantHold" },
        "client.unhold": { actions: "wantHold" },
        "client.unsupported": { actions: "confirmHold" },
        "dialog.reoffered": { actions: ["answerReoffer", "applyFlow"] },
        "media.silent": { guard: "isSilent", target: "ending", actions: "end" },
      },
      states: {
        settled: {
          entry: { type: "entered", params: { state: "settled" } },
          on: {
            "client.hold": { target: "settling", actions: "wantHold" },
            "client.unhold": { target: "settling", actions: "wantHold" },
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
          },
        },
        waiting: {
          entry: { type: "entered", params: { state: "waiting" } },
          after: { reofferRetry: "settling" },
        },
      },
    },
    ending: {
      entry: [
        "keepDialogFacts",
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

/** The call as its client is told of it. */
export function clientCall(context: CallContext): ClientCall {
  const isStartup = context.origin.type === "startup";
  return {
    callId: context.callId,
    incoming: context.origin.type !== "client",
    // Who rings at the first side of an operator's call is whom it will be connected to.
    caller: isStartup ? context.callee : context.caller,
    callee: isStartup ? context.caller : context.callee,
    visibleName: context.visibleName,
    hasAudio: context.hasAudio,
    hasVideo: context.hasVideo,
    inviteParameters: context.inviteParameters,
    custom: context.custom,
  };
}

/** What events on the bus say of a call. */
export function eventData(context: CallContext): Readonly<Record<string, unknown>> {
  return {
    id: context.callId,
    sessionId: context.party.sessionId,
    direction: context.direction,
    caller: context.caller,
    callee: context.callee,
    sipCallId: context.sipCallId,
  };
}

function terminationOf(context: CallContext, event: CallEvent): Termination {
  switch (event.type) {
    case "terminate":
      return event.termination;
    case "client.hangup":
      return hangup(context);
    case "media.failed":
      return termination("internal_error", { sipStatus: 503, text: event.text });
    case "media.lost":
      return termination("worker_lost", { text: event.text });
    case "leg.failed": {
      const reason = event.reason === "consent_lost" || event.reason === "closed"
        ? "media_silent"
        : "media_timeout";
      return termination(reason, { text: event.text });
    }
    case "media.silent":
      return termination("media_silent", {
        text: `No packet came from the browser for ${Math.round(event.ms / 1000)} s`,
      });
    case "dialog.refused":
      if (event.status === 480 && event.why === RING_TIMEOUT_REASON) {
        return termination("ring_timeout", { sipStatus: 480 });
      }
      // Whoever rang was online; it is gone, or can't be reached any more.
      return event.status === 480 && context.isRinging
        ? termination("unavailable", { by: "remote", text: "The callee went away while it rang" })
        : terminationOfStatus(event.status, event.reason);
    case "dialog.cancelled":
      return /completed elsewhere/i.test(event.reason ?? "")
        ? termination("answered_elsewhere")
        : termination("cancelled", { by: "remote" });
    case "dialog.bye":
      return termination("remote_hangup");
    case "dialog.unacknowledged":
      return termination("request_timeout", { text: "The caller never confirmed the answer" });
    default:
      return termination("internal_error");
  }
}

function hangup(context: CallContext): Termination {
  if (context.answeredAt !== null) return termination("hangup");
  if (context.origin.type !== "invite") return termination("cancelled");
  const status = context.ports.options.rejectStatus;
  return termination(status === 486 ? "busy" : "rejected", { sipStatus: status, by: "local" });
}
