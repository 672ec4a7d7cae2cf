import { assign, enqueueActions, raise } from "xstate";
import { clientCall } from "./call_facts.ts";
import { refuseInvite } from "./call_ports.ts";
import { callSetup } from "./call_setup.ts";
import { newcomerDialogInput, nextDialogInput, terminateDialog } from "./call_signalling.ts";
import * as plan from "./media_plan.ts";
import * as transfer from "./transfer.ts";

/**
 * What a call does where its far party changes (RFC 5589): it is asked to call somebody (REFER),
 * it asks the far party to, or somebody takes the far party's place (Replaces).
 */
export const transferSetup = callSetup.extend({
  actions: {
    /** Where a call stands after a transfer that failed, and why it did. */
    tellTransferFailed: ({ context, event }) =>
      context.ports.notify({
        type: context.hold.local ? "held" : "talking",
        call: clientCall(context),
        transferStatus: event.type === "client.transfer"
          ? context.ports.parseTarget(event.target).ok ? 403 : 404
          : context.transfer?.view.sipStatus ?? 500,
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
      terminateDialog(transfer.joiningOf(context)?.dialog ?? null, 488);
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
      terminateDialog(context.former, 200);
    },
    switched: raise({ type: "call.switched" }),
  },
  guards: {
    isDialable: ({ context, event }) => {
      if (event.type !== "client.transfer") return false;
      const found = context.ports.parseTarget(event.target);
      return found.ok && context.ports.rights.mayTransfer(context.localUri, found.value.uri);
    },
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
});

/** How media goes on with a newcomer; undefined where his answer can't be used. */
function newcomerJoined({ localSdp, remoteSdp }: transfer.Replacing, answer: string | null) {
  if (remoteSdp !== null) return plan.joinNewcomer(localSdp, remoteSdp);
  const joined = plan.joinTarget(localSdp, answer ?? "");
  return joined.ok ? joined.value : undefined;
}
