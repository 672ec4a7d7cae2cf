import { assign, raise } from "xstate";
import { termination } from "../core/termination.ts";
import type { CallContext, CallEvent } from "./call_context.ts";
import { clientCall } from "./call_facts.ts";
import { transferSetup } from "./call_setup_transfer.ts";
import { bridgeDialogInput, terminateDialog } from "./call_signalling.ts";
import * as plan from "./media_plan.ts";
import * as transfer from "./transfer.ts";

/**
 * What a call does to hand on a far party that knows no REFER: it calls the target itself, and
 * stays between the two when its browser has left.
 */
export const bridgeSetup = transferSetup.extend({
  actions: {
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
      terminateDialog(under.dialog, status);
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
  },
  guards: {
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
  },
});

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
