import type { ActorRefFrom } from "xstate";
import { err, ok, type Result } from "../core/result.ts";
import type { IncomingRefer } from "../sip/user_agent/refer.ts";
import { eventData } from "./call_facts.ts";
import type { CallContext } from "./call_context.ts";
import { type DialogResources, noDialog } from "./call_ports.ts";
import type { TransferView } from "./control_plane.ts";
import * as plan from "./media_plan.ts";
import type { sipDialogMachine } from "./sip_dialog.ts";

/**
 * Blind transfer as a call knows it. Whoever wants the far party somewhere else sends it REFER; a
 * browser that is asked stays what it is, and its call takes a dialog with the target in place of
 * the one that it had (its one description can't be renegotiated, so it offers what it has).
 */
export type Transfer = Requested | Dialling;

export interface Requested {
  readonly role: "requested";
  readonly view: TransferView;
}

export interface Dialling {
  readonly role: "dialling";
  readonly view: TransferView;
  readonly refer: IncomingRefer;
  /** Request-URI of the INVITE to the target. */
  readonly target: string;
  readonly callId: string;
  /** What the target is offered. */
  readonly localSdp: string;
  readonly resources: DialogResources;
  readonly dialog: ActorRefFrom<typeof sipDialogMachine> | null;
  /** Whoever asked has left already. */
  readonly isAlone: boolean;
}

const CALL_ID_BITS = 128;

export function requested(target: string): Requested {
  return {
    role: "requested",
    view: { role: "requested", target, status: "trying", sipStatus: null },
  };
}

/** What a REFER asks of this call, or the status that refuses it. */
export function diallingOf(
  context: CallContext,
  refer: IncomingRefer,
): Result<Dialling, number> {
  const { ports, party } = context;
  if (context.transfer && isUnderWay(context.transfer)) return err(491);
  const target = ports.parseTarget(refer.target.uri);
  if (!target.ok) return err(404);
  // The transferor's rights count: nobody reaches by others what he may not call himself.
  if (!ports.rights.mayTransfer(context.remoteUri, target.value.uri)) return err(403);
  const offer = plan.offerToTarget(context);
  if (!offer.ok) return err(488);
  return ok({
    role: "dialling",
    view: { role: "dialling", target: target.value.name, status: "trying", sipStatus: null },
    refer,
    target: target.value.uri,
    callId: party.agent.token(CALL_ID_BITS),
    localSdp: offer.value,
    resources: noDialog("next"),
    dialog: null,
    isAlone: false,
  });
}

export function refusal(context: CallContext, refer: IncomingRefer): number {
  if (context.answeredAt === null || context.termination) return 480;
  const dialling = diallingOf(context, refer);
  return dialling.ok ? 480 : dialling.error;
}

/** The transfer's new state, told to whoever listens. */
export function told(context: CallContext, transfer: Transfer): Pick<CallContext, "transfer"> {
  context.ports.publish("call.transfer", { ...eventData(context), ...transfer.view });
  return { transfer };
}

/** The call to the target has this status now. */
export function progressed(context: CallContext, status: number): Partial<CallContext> {
  const { transfer } = context;
  if (!transfer || !isUnderWay(transfer)) return {};
  const view: TransferView = { ...transfer.view, sipStatus: status, status: wordOf(status) };
  if (status >= 200 && transfer.role === "dialling") transfer.resources.takeBack?.();
  return told(context, { ...transfer, view });
}

/** The dialog with the target takes the place of the one that the call had. */
export function switched(context: CallContext, transfer: Dialling): Partial<CallContext> {
  const { resources, ports, sipCallIds, dialog: former } = context;
  transfer.refer.progress(200);
  const next = transfer.resources;
  resources.others.delete(next);
  for (const other of resources.others) if (!other.usage) resources.others.delete(other);
  resources.dialog.role = "former";
  resources.others.add(resources.dialog);
  next.role = "current";
  resources.dialog = next;
  ports.joined(transfer.callId);
  const { target: name } = transfer.view;
  const isCalled = context.origin.type === "invite";
  const change: Partial<CallContext> = {
    ...progressed(context, 200),
    dialog: transfer.dialog,
    former,
    sipCallId: transfer.callId,
    sipCallIds: [...sipCallIds, transfer.callId],
    ...(isCalled ? { caller: name, visibleName: name } : { callee: name }),
  };
  return { ...change, ...plan.dialogFacts({ ...context, ...change }) };
}

function isUnderWay({ view }: Transfer): boolean {
  return view.status === "trying" || view.status === "ringing";
}

function wordOf(status: number): TransferView["status"] {
  if (status >= 300) return "failed";
  if (status >= 200) return "completed";
  return status >= 180 ? "ringing" : "trying";
}
