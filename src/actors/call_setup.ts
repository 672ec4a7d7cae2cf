import { assign, enqueueActions, raise, setup } from "xstate";
import { type Termination, termination } from "../core/termination.ts";
import {
  clientCall,
  eventData,
  farName,
  RING_TIMEOUT_REASON,
  terminationOf,
} from "./call_facts.ts";
import { type CallInput, refuseInvite } from "./call_ports.ts";
import { type CallContext, type CallEvent, childrenOf } from "./call_context.ts";
import {
  bridgeDialogInput,
  dialogInput,
  newcomerDialogInput,
  nextDialogInput,
} from "./call_signalling.ts";
import { digitOfInfo, infoOfDigits, MAX_DIGITS } from "./dtmf.ts";
import * as plan from "./media_plan.ts";
import { mediaSessionMachine } from "./media_session.ts";
import { sipDialogMachine } from "./sip_dialog.ts";
import * as transfer from "./transfer.ts";
import { iso } from "./views.ts";
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

/** What a call does and by what it decides; its states stand in `call.ts`. */
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
    /** Where a call stands after a transfer that failed, and why it did. */
    tellTransferFailed: ({ context, event }) =>
      context.ports.notify({
        type: context.hold.local ? "held" : "talking",
        call: clientCall(context),
        transferStatus: event.type === "client.transfer"
          ? context.ports.parseTarget(event.target).ok ? 403 : 404
          : context.transfer?.view.sipStatus ?? 500,
      }),
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

    sendRefer: assign(({ context, event }) => {
      const found = event.type === "client.transfer"
        ? context.ports.parseTarget(event.target)
        : null;
      if (!found?.ok) return {};
      context.dialog?.send({ type: "refer", target: found.value.uri });
      return transfer.told(context, transfer.requested(found.value));
    }),
    noteReferProgress: assign(({ context, event }) =>
      event.type === "dialog.referProgress" ? transfer.progressed(context, event.status) : {}
    ),
    giveUpRefer: assign(({ context }) => transfer.progressed(context, 408)),
    complete: raise({ type: "transfer.completed" }),
    completeBridge: raise({ type: "bridge.completed" }),

    prepareBridge: assign(({ context, event }) => {
      const { transfer: under, ports } = context;
      const found = event.type === "client.transfer" ? ports.parseTarget(event.target) : undefined;
      const target = found?.ok ? found.value : under?.role === "requested" ? under.target : null;
      const bridging = target && transfer.bridgingOf(context, target);
      return bridging ? transfer.told(context, bridging) : {};
    }),
    dialBridge: assign(({ context, spawn }) => {
      const under = context.transfer;
      if (under?.role !== "bridging") return {};
      context.resources.others.add(under.resources);
      const dialog = spawn("sipDialog", {
        id: `dialog ${context.sipCallIds.length + 1} ${under.callId}`,
        input: bridgeDialogInput(context, under),
      });
      return { transfer: { ...under, dialog } };
    }),
    offerTarget: assign(({ context, event }) => {
      const under = context.transfer;
      if (under?.role !== "bridging" || event.type !== "next.answered") return {};
      context.dialog?.send({ type: "reoffer", body: event.body });
      return { transfer: { ...under, isHanded: true } };
    }),
    /** The target has gone while the far party was told of it: all as it was. */
    offerOwn: assign(({ context }) => {
      const under = context.transfer;
      const { body, change } = plan.holdOffer(context);
      context.dialog?.send({ type: "reoffer", body });
      return under?.role === "bridging"
        ? { ...change, transfer: { ...under, isHanded: false } }
        : change;
    }),
    takeBackTarget: assign(({ context, event }) => {
      const under = context.transfer;
      if (under?.role !== "bridging") return {};
      const status = event.type === "dialog.reofferRefused" ? event.status : 408;
      sendTo(under.dialog, { type: "terminate", sipStatus: status });
      return transfer.takenBack(context, status);
    }),
    /** The browser is through with its call, which goes on between the two others. */
    leaveBrowser: assign(({ context }) => {
      const under = context.transfer;
      if (under?.role !== "bridging") return {};
      const text = `The other side was handed on to ${under.view.target}`;
      const end = termination("transferred", { text });
      context.ports.notify({ type: "finished", call: clientCall(context), termination: end });
      context.media?.send({ type: "terminate" });
      context.leg?.send({ type: "terminate" });
      context.ports.leftClient();
      return { ...transfer.bridged(context, under), told: "finished" as const };
    }),
    /** What the call's own far party says goes to the other one. */
    passToTarget: ({ context, event }) => {
      passOn(transfer.joiningOf(context)?.dialog ?? null, event);
    },
    passToFarParty: ({ context, event }) => {
      if (event.type === "bridged.notice") passOn(context.dialog, event.notice);
    },

    refuseRefer: ({ context, event }) => {
      if (event.type === "dialog.referred") {
        event.refer.refuse(transfer.refusal(context, event.refer));
      }
    },
    acceptRefer: assign(({ context, event }) => {
      if (event.type !== "dialog.referred") return {};
      const offer = transfer.diallingOf(context, event.refer);
      if (!offer.ok) return {};
      event.refer.accept();
      return transfer.told(context, offer.value);
    }),
    dialTarget: assign(({ context, spawn }) => {
      const under = context.transfer;
      if (under?.role !== "dialling") return {};
      const { rights } = context.ports;
      // The will finds it here, whatever becomes of this machine.
      context.resources.others.add(under.resources);
      under.resources.takeBack = () => rights.takeBack(under.callId);
      rights.lend(under.callId, context.remoteUri);
      const dialog = spawn("sipDialog", {
        id: `dialog ${context.sipCallIds.length + 1} ${under.callId}`,
        input: nextDialogInput(context, under),
      });
      return { transfer: { ...under, dialog } };
    }),
    refuseNewcomer: ({ context, event }) => {
      if (event.type !== "invite.replacing") return;
      const status = transfer.replacingRefusal(context, event.invite);
      refuseInvite(context.party.agent, event.invite, status);
    },
    takeNewcomer: assign(({ context, event, spawn }) => {
      if (event.type !== "invite.replacing") return {};
      const replacing = transfer.replacingOf(context, event.invite);
      if (!replacing.ok) return {};
      const { resources, callId, invite } = replacing.value;
      resources.unanswered = { agent: context.party.agent, invite };
      context.resources.others.add(resources);
      const dialog = spawn("sipDialog", {
        id: `dialog ${context.sipCallIds.length + 1} ${callId}`,
        input: newcomerDialogInput(context, replacing.value),
      });
      return transfer.told(context, { ...replacing.value, dialog });
    }),
    answerNewcomer: ({ context }) => {
      const under = context.transfer;
      if (under?.role !== "replacing") return;
      under.dialog?.send({ type: "accept", body: under.localSdp });
    },
    noteTargetProgress: assign(({ context, event }) => {
      const under = context.transfer;
      const status = event.type === "next.progress" || event.type === "next.refused"
        ? event.status
        : 488;
      if (under?.role === "dialling") under.refer.progress(status);
      return transfer.progressed(context, status);
    }),
    leaveTarget: ({ context }) => {
      sendTo(transfer.joiningOf(context)?.dialog ?? null, { type: "terminate", sipStatus: 488 });
    },
    noteAlone: assign(({ context }) => {
      const under = transfer.joiningOf(context);
      return under ? { transfer: { ...under, isAlone: true } } : {};
    }),
    endAlone: enqueueActions(({ context, enqueue }) => {
      if (!transfer.joiningOf(context)?.isAlone) return;
      enqueue.raise({ type: "dialog.bye", reason: null });
    }),
    /** The target has answered: its dialog is the call's from here on, its endpoint our peer. */
    switchOver: assign(({ context, event }) => {
      const under = context.transfer;
      if (under?.role !== "dialling" || event.type !== "next.answered") return {};
      const joined = plan.joinTarget(under.localSdp, event.body);
      if (!joined.ok) return {};
      under.resources.usage?.describe(joined.value.change.localSdp ?? "");
      if (joined.value.peer) context.media?.send({ type: "connect", peer: joined.value.peer });
      return { ...joined.value.change, ...transfer.switched(context, under) };
    }),
    /** A newcomer's ACK is here: he takes the far party's place, who is told BYE (RFC 3891 3). */
    switchToNewcomer: assign(({ context, event }) => {
      const under = context.transfer;
      if (under?.role !== "replacing" || event.type !== "next.acknowledged") return {};
      const joined = newcomerJoined(under, event.body);
      if (!joined) return {};
      if (joined.peer) context.media?.send({ type: "connect", peer: joined.peer });
      return { ...joined.change, ...transfer.switched(context, under) };
    }),
    leaveFormer: raise({ type: "former.due" }, { delay: "formerGrace" }),
    endFormer: ({ context }) => {
      sendTo(context.former, { type: "terminate", sipStatus: 200 });
    },
    switched: raise({ type: "call.switched" }),

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
      const under = transfer.joiningOf(context);
      if (under?.role === "dialling") under.refer.progress(487);
      under?.resources.takeBack?.();
      if (under && under.dialog !== context.dialog) {
        sendTo(under.dialog, { type: "terminate", sipStatus: 487 });
      }
      sendTo(context.former, { type: "terminate", sipStatus: 200 });
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
    isDialable: ({ context, event }) => {
      if (event.type !== "client.transfer") return false;
      const found = context.ports.parseTarget(event.target);
      return found.ok && context.ports.rights.mayTransfer(context.localUri, found.value.uri);
    },
    /** The far side has said what it takes, and REFER is not among it. */
    isBridgeable: ({ context, event }) => {
      if (event.type !== "client.transfer") return false;
      const found = context.ports.parseTarget(event.target);
      return found.ok && context.resources.dialog.usage?.takes("REFER") === false &&
        context.ports.rights.mayTransfer(context.localUri, found.value.uri) &&
        transfer.bridgingOf(context, found.value) !== undefined;
    },
    lacksRefer: ({ context, event }) => {
      const under = context.transfer;
      return event.type === "dialog.referProgress" && under?.role === "requested" &&
        under.view.sipStatus === null && [405, 420, 501].includes(event.status) &&
        transfer.bridgingOf(context, under.target) !== undefined;
    },
    isBridgeOver: ({ event }) =>
      event.type === "bridged.notice" &&
      ["dialog.bye", "dialog.expired", "dialog.unacknowledged"].includes(event.notice.type),
    isReferable: ({ context, event }) =>
      event.type === "dialog.referred" && transfer.diallingOf(context, event.refer).ok,
    isReplaceable: ({ context, event }) =>
      event.type === "invite.replacing" && transfer.replacingOf(context, event.invite).ok,
    fitsNewcomer: ({ context, event }) =>
      context.transfer?.role === "replacing" && event.type === "next.acknowledged" &&
      newcomerJoined(context.transfer, event.body) !== undefined,
    isDone: ({ event }) =>
      event.type === "dialog.referProgress" && event.status >= 200 && event.status < 300,
    isRefused: ({ event }) => event.type === "dialog.referProgress" && event.status >= 300,
    fitsTarget: ({ context, event }) =>
      context.transfer?.role === "dialling" && event.type === "next.answered" &&
      plan.joinTarget(context.transfer.localSdp, event.body).ok,
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

/** How media goes on with a newcomer; undefined where his answer can't be used. */
function newcomerJoined({ localSdp, remoteSdp }: transfer.Replacing, answer: string | null) {
  if (remoteSdp !== null) return plan.joinNewcomer(localSdp, remoteSdp);
  const joined = plan.joinTarget(localSdp, answer ?? "");
  return joined.ok ? joined.value : undefined;
}

/** Of two dialogs that make one call: what was said in one is said in the other. */
function passOn(dialog: CallContext["dialog"], notice: CallEvent): void {
  if (dialog?.getSnapshot().status !== "active") return;
  switch (notice.type) {
    case "dialog.reoffered":
      return dialog.send({ type: "reoffer", body: notice.body });
    case "dialog.reanswered":
      return dialog.send({ type: "reanswer", body: notice.body });
    case "dialog.reofferRefused":
      return dialog.send({ type: "refuseReoffer", status: notice.status });
    case "dialog.info":
      return dialog.send({
        type: "info",
        contentType: notice.contentType,
        bodies: [notice.body],
      });
  }
}

/** To a child that may have ended by itself. */
function sendTo(
  dialog: CallContext["dialog"],
  command: { readonly type: "terminate"; readonly sipStatus: number },
): void {
  if (dialog?.getSnapshot().status === "active") dialog.send(command);
}
