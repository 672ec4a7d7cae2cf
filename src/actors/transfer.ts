import type { ActorRefFrom } from "xstate";
import { err, ok, type Result } from "../core/result.ts";
import { parseUri } from "../sip/message/mod.ts";
import type { IncomingRefer } from "../sip/user_agent/refer.ts";
import type { IncomingInvite } from "../sip/user_agent/user_agent.ts";
import { eventData } from "./call_facts.ts";
import type { CallContext } from "./call_context.ts";
import { type DialogResources, noDialog } from "./call_ports.ts";
import type { TransferView } from "./control_plane.ts";
import * as plan from "./media_plan.ts";
import type { Callee } from "./routing.ts";
import type { sipDialogMachine } from "./sip_dialog.ts";

/**
 * Transfer as a call knows it. Whoever wants the far party somewhere else sends it REFER; a
 * browser that is asked stays what it is, and its call takes a dialog with the target in place of
 * the one that it had (its one description can't be renegotiated, so it offers what it has).
 */
export type Transfer = Requested | Dialling | Replacing | Bridging;

export interface Requested {
  readonly role: "requested";
  readonly view: TransferView;
  readonly target: Callee;
}

/** A dialog that is to take the place of the one that the call has. */
interface Joining {
  readonly view: TransferView;
  readonly callId: string;
  /** What the newcomer is offered, or answered. */
  readonly localSdp: string;
  readonly resources: DialogResources;
  readonly dialog: ActorRefFrom<typeof sipDialogMachine> | null;
  /** The former far side has left already. */
  readonly isAlone: boolean;
}

/** The call makes the dialog, because the far side asked for it. */
export interface Dialling extends Joining {
  readonly role: "dialling";
  readonly refer: IncomingRefer;
  /** Request-URI of the INVITE to the target. */
  readonly target: string;
}

/** Somebody else makes it: an INVITE with Replaces, the end of an attended transfer (RFC 3891). */
export interface Replacing extends Joining {
  readonly role: "replacing";
  readonly invite: IncomingInvite;
  /** What it offers; null: nothing yet, its ACK answers. */
  readonly remoteSdp: string | null;
}

/**
 * The far party knows no REFER, so the call joins it with the target itself: the target is offered
 * what the far party has said of its media, and the far party what the target answers. Then the
 * call goes on without its browser, as what lies between its two dialogs.
 */
export interface Bridging extends Joining {
  readonly role: "bridging";
  readonly target: string;
  /** The far party has been told of the target's media, or is being told. */
  readonly isHanded: boolean;
}

const CALL_ID_BITS = 128;

export function requested(target: Callee): Requested {
  return {
    role: "requested",
    view: { role: "requested", target: target.name, status: "trying", sipStatus: null },
    target,
  };
}

/** The call to `target` that joins it with the far party; undefined where there is no media. */
export function bridgingOf(context: CallContext, target: Callee): Bridging | undefined {
  const offer = plan.offerOfFarParty(context);
  if (!offer.ok) return undefined;
  return {
    role: "bridging",
    view: { role: "bridging", target: target.name, status: "trying", sipStatus: null },
    target: target.uri,
    callId: context.party.agent.token(CALL_ID_BITS),
    localSdp: offer.value,
    resources: noDialog("next"),
    dialog: null,
    isAlone: false,
    isHanded: false,
  };
}

/** The target is in this side's place: the call is what lies between two dialogs. */
export function bridged(context: CallContext, transfer: Bridging): Partial<CallContext> {
  const { target } = transfer.view;
  const { usage } = transfer.resources;
  transfer.resources.role = "bridged";
  context.ports.joined(transfer.callId);
  return {
    ...progressed(context, 200),
    sipCallIds: [...context.sipCallIds, transfer.callId],
    ...(context.origin.type === "invite" ? { callee: target } : { caller: target }),
    bridged: usage && plan.namesOf(usage),
    hold: { local: false, remote: false },
    wantsHold: false,
  };
}

/** What a REFER asks of this call, or the status that refuses it. */
export function diallingOf(
  context: CallContext,
  refer: IncomingRefer,
): Result<Dialling, number> {
  const { ports, party } = context;
  if (context.transfer && isUnderWay(context.transfer)) return err(491);
  const target = isAttended(refer)
    ? readTarget(refer.target.uri)
    : ports.parseTarget(refer.target.uri);
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

/** Of the dialog with the target only its own end knows: it is asked for, whatever its name. */
function isAttended({ target }: IncomingRefer): boolean {
  return /^sips?:/i.test(target.uri) &&
    target.headers.some(([name]) => name.toLowerCase() === "replaces");
}

function readTarget(text: string): Result<Callee, string> {
  const uri = parseUri(text);
  if (!uri.ok) return err(uri.error.text);
  return ok({ name: uri.value.user ?? uri.value.host, uri: text });
}

/** What an INVITE with Replaces makes of this call, or the status that refuses it. */
export function replacingOf(
  context: CallContext,
  invite: IncomingInvite,
): Result<Replacing, number> {
  if (context.transfer && isUnderWay(context.transfer)) return err(491);
  const { request } = invite;
  const remoteSdp = request.body.length === 0 ? null : new TextDecoder().decode(request.body);
  const local = remoteSdp === null
    ? plan.offerToTarget(context)
    : plan.answerToNewcomer(context, remoteSdp);
  if (!local.ok) return err(488);
  const { uri, displayName } = request.from;
  const target = uri.user ?? displayName ?? uri.host;
  return ok({
    role: "replacing",
    view: { role: "replacing", target, status: "trying", sipStatus: null },
    invite,
    remoteSdp,
    callId: request.callId,
    localSdp: local.value,
    resources: noDialog("next"),
    dialog: null,
    isAlone: false,
  });
}

/** The status for an INVITE with Replaces that this call can't take now (RFC 3891 3). */
export function replacingRefusal(context: CallContext, invite: IncomingInvite): number {
  if (context.termination) return 603;
  if (context.answeredAt === null) return 481;
  const replacing = replacingOf(context, invite);
  return replacing.ok ? 480 : replacing.error;
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
  if (status >= 200 && transfer.role !== "requested") transfer.resources.takeBack?.();
  return told(context, { ...transfer, view });
}

/** The far party would not have the target, whose dialog is let go. */
export function takenBack(context: CallContext, status: number): Partial<CallContext> {
  const { transfer = context.transfer } = progressed(context, status);
  return transfer?.role === "bridging" ? { transfer: { ...transfer, isHanded: false } } : {};
}

/** A transfer that has a dialog of its own. */
export function joiningOf({ transfer }: CallContext): Dialling | Replacing | Bridging | undefined {
  return transfer && transfer.role !== "requested" ? transfer : undefined;
}

/** The new dialog takes the place of the one that the call had. */
export function switched(
  context: CallContext,
  transfer: Dialling | Replacing,
): Partial<CallContext> {
  const { resources, ports, sipCallIds, dialog: former } = context;
  if (transfer.role === "dialling") transfer.refer.progress(200);
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
