import { assign, enqueueActions, setup } from "xstate";
import type { Termination } from "../core/termination.ts";
import {
  clientCall,
  eventData,
  farName,
  RING_TIMEOUT_REASON,
  terminationOf,
} from "./call_facts.ts";
import type { CallInput } from "./call_ports.ts";
import { type CallContext, type CallEvent, childrenOf } from "./call_context.ts";
import { dialogInput, terminateDialog } from "./call_signalling.ts";
import { digitOfInfo, infoOfDigits, MAX_DIGITS } from "./dtmf.ts";
import * as plan from "./media_plan.ts";
import { mediaSessionMachine } from "./media_session.ts";
import { sipDialogMachine } from "./sip_dialog.ts";
import * as transfer from "./transfer.ts";
import { iso, toLegs } from "./views.ts";
import { webrtcLegMachine } from "./webrtc_leg.ts";

/** Beyond the children's own deadlines; a call never stays in `ending`. */
const ENDING_LIMIT_MS = 40_000;
/** The callee's own ring timeout answers first; this is for a callee that says nothing. */
const RING_MARGIN_MS = 5_000;
/** As much again: whoever was asked to call the target has a deadline of its own. */
const TRANSFER_MARGIN_MS = 10_000;
/**
 * Whoever asked for a transfer ends its dialog itself once it hears that it is done (RFC 5589 6.1).
 */
const FORMER_GRACE_MS = 2_000;
const REOFFER_RETRY_MS = 500;
const REOFFER_TRIES = 6;

/**
 * What a call does and by what it decides; its states stand in `call.ts`. What belongs to transfer
 * is added by `call_setup_transfer.ts` and `call_setup_bridge.ts`.
 */
export const callSetup = setup({
  types: {
    input: {} as CallInput,
    context: {} as CallContext,
    events: {} as CallEvent,
    output: {} as Termination,
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
    /** A state beside the one that the call's view names. */
    traced: ({ context }, params: { state: string }) => context.ports.trace?.("call", params.state),
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
    notifyFinished: ({ context }) => {
      if (context.told === "finished") return;
      context.ports.notify({
        type: "finished",
        call: clientCall(context),
        termination: context.termination!,
      });
    },

    offerToBrowser: assign(({ context }) => plan.offerToBrowser(context)),
    ringBack: ({ context }) => context.dialog?.send({ type: "ring" }),
    /** A callee's answer: to the SIP leg, and its endpoint towards the caller's. */
    answerOffer: assign(({ context, event }) => {
      if (event.type !== "client.answer") return {};
      const result = plan.answerFromBrowser(context, event.sdp);
      if (!result.ok) return { fault: result.error };
      const { body, remote, peer, transcoded, change } = result.value;
      context.media?.send({ type: "setRemote", remote });
      if (transcoded) context.media?.send({ type: "transcode", sides: transcoded });
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
      context.resources.dialog.usage?.describe(change.localSdp ?? "");
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
      const { hold, wantsHold } = context;
      const flowing = !hold.local && !hold.remote && !wantsHold;
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

    sendDigits: ({ context, event }) => {
      if (event.type !== "client.dtmf") return;
      const { digits, method } = event;
      const peer = plan.peerOf(context);
      if (method !== "RFC2833") context.dialog?.send(infoOfDigits(digits, method));
      else if (peer) context.ports.sendDtmf(peer, digits);
    },
    takeDigit: assign(({ context, event }) => {
      const heard = event.type === "dtmf"
        ? event
        : event.type === "dialog.info"
        ? digitOfInfo(event.contentType, event.body)
        : undefined;
      if (!heard) return {};
      const { digit, method } = heard;
      const at = iso(context.ports.clock.epoch());
      const pressed = { digit, at, from: farName(context), method };
      context.ports.publish("call.dtmf", { ...eventData(context), ...pressed });
      return { dtmf: [...context.dtmf, pressed].slice(-MAX_DIGITS) };
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
    keepLegs: assign(({ context }) => ({ lastLegs: toLegs(context, context.ports) })),
    terminateChildren: ({ context }) => {
      const { sipStatus, reason } = context.termination!;
      // A callee that is turned away gets a final status that refuses, never the BYE's 200.
      const status = sipStatus >= 300 ? sipStatus : reason === "shutdown" ? 503 : 480;
      const why = reason === "ring_timeout" ? { reason: RING_TIMEOUT_REASON } : {};
      const under = transfer.joiningOf(context);
      if (under?.role === "dialling") under.refer.progress(487);
      under?.resources.takeBack?.();
      if (under && under.dialog !== context.dialog) {
        terminateDialog(under.dialog, 487);
      }
      terminateDialog(context.former, 200);
      context.dialog?.send({ type: "terminate", sipStatus: status, ...why });
      context.media?.send({ type: "terminate" });
      context.leg?.send({ type: "terminate" });
    },
  },
  guards: {
    isClient: ({ context }) => context.origin.type === "client",
    isFaulty: ({ context }) => context.fault !== null,
    isStartup: ({ context }) => context.origin.type === "startup",
    wantsChange: ({ context }) =>
      context.wantsHold !== context.hold.local &&
      !(context.transfer?.role === "bridging" && context.transfer.isHanded),
    isSilent: ({ context, event }) =>
      (event.type === "media.silent" || event.type === "wire.silent") &&
      !context.hold.local && !context.hold.remote &&
      event.ms >= context.ports.options.silenceTimeoutMs,
    mayRetry: ({ context, event }) =>
      event.type === "dialog.reofferRefused" && (event.status === 491 || event.status === 500) &&
      context.reofferTries < REOFFER_TRIES,
    childrenGone: ({ context }) =>
      childrenOf(context).every((child) => !child || child.getSnapshot().status !== "active"),
  },
  delays: {
    ringTimeout: ({ context }) => context.ports.options.ringTimeoutMs,
    transferTimeout: ({ context }) => context.ports.options.ringTimeoutMs + TRANSFER_MARGIN_MS,
    formerGrace: FORMER_GRACE_MS,
    ringBackstop: ({ context }) => context.ports.options.ringTimeoutMs + RING_MARGIN_MS,
    reofferRetry: REOFFER_RETRY_MS,
    endingLimit: ENDING_LIMIT_MS,
  },
});
