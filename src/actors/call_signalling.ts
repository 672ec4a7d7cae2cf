import { InviteUsage } from "../sip/user_agent/invite_usage.ts";
import type { CallContext } from "./call_context.ts";
import type { UsageHooks } from "../sip/user_agent/usage_events.ts";
import { digitOfInfo } from "./dtmf.ts";
import type { DialogEvent, SipDialogInput } from "./sip_dialog.ts";
import type { Bridging, Dialling, Replacing } from "./transfer.ts";

/** How the SIP leg begins: by an INVITE of ours, or by taking the one that has come. */
export function dialogInput(context: CallContext): SipDialogInput {
  const { ports, resources, party, origin } = context;
  const { clock } = ports;
  const { agent } = party;
  const timer = party.sessionTimer ? { sessionTimer: party.sessionTimer } : {};
  if (origin.type === "invite") {
    const { invite } = origin;
    return {
      role: "uas",
      ports,
      resources: resources.dialog,
      start: (emit) =>
        InviteUsage.inbound({ agent, clock, invite, hooks: hooksOf(emit), ...timer }, emit),
    };
  }
  return {
    role: "uac",
    ports,
    resources: resources.dialog,
    start: (emit) =>
      InviteUsage.outbound({
        hooks: hooksOf(emit),
        agent,
        clock,
        local: { ...party.identity, displayName: context.visibleName || null },
        target: context.target,
        callId: context.sipCallId,
        body: context.localSdp ?? "",
        headers: context.inviteParameters ?? {},
        credentials: party.credentials,
        ...timer,
      }, emit),
  };
}

/** The dialog with the target of a transfer that was asked of this call. */
export function nextDialogInput(context: CallContext, transfer: Dialling): SipDialogInput {
  const { refer } = transfer;
  const headers: Record<string, string> = {
    "Referred-By": refer.target.referredBy ?? `<${context.remoteUri}>`,
  };
  // Of what a Refer-To may bring along, only what attended transfer needs (RFC 3891).
  const replaces = refer.target.headers.find(([name]) => name.toLowerCase() === "replaces");
  if (replaces) headers.Replaces = replaces[1];
  return targetDialogInput(context, transfer, headers);
}

/** The dialog with whom the far party is to talk with, who is called in this side's name. */
export function bridgeDialogInput(context: CallContext, transfer: Bridging): SipDialogInput {
  return targetDialogInput(context, transfer, {
    "Referred-By": `<${context.party.identity.uri}>`,
  });
}

/** A second dialog of a call, by an INVITE of ours to the target of its transfer. */
function targetDialogInput(
  { ports, party }: CallContext,
  { target, callId, localSdp, resources }: Dialling | Bridging,
  headers: Readonly<Record<string, string>>,
): SipDialogInput {
  return {
    role: "uac",
    ports,
    resources,
    start: (emit) =>
      InviteUsage.outbound({
        agent: party.agent,
        clock: ports.clock,
        hooks: hooksOf(emit),
        local: party.identity,
        target,
        callId,
        body: localSdp,
        headers,
        credentials: party.credentials,
        ...(party.sessionTimer ? { sessionTimer: party.sessionTimer } : {}),
      }, emit),
  };
}

/** The dialog that somebody else makes in place of the call's own. */
export function newcomerDialogInput(context: CallContext, transfer: Replacing): SipDialogInput {
  const { ports, party } = context;
  const { invite, resources } = transfer;
  const { agent, sessionTimer } = party;
  return {
    role: "uas",
    ports,
    resources,
    start: (emit) =>
      InviteUsage.inbound({
        agent,
        clock: ports.clock,
        invite,
        hooks: hooksOf(emit),
        ...(sessionTimer ? { sessionTimer } : {}),
      }, emit),
  };
}

/** Ends a dialog, by the message that fits, which may have ended by itself. */
export function terminateDialog(dialog: CallContext["dialog"], sipStatus: number): void {
  if (dialog?.getSnapshot().status === "active") dialog.send({ type: "terminate", sipStatus });
}

/** What may be asked for inside a dialog of a call. */
function hooksOf(emit: (event: DialogEvent) => void): UsageHooks {
  return {
    info({ contentType, body }) {
      if (!digitOfInfo(contentType, body)) return false;
      emit({ type: "usage.info", contentType, body });
      return true;
    },
    refer: (refer) => emit({ type: "usage.referred", refer }),
    referProgress: (status) => emit({ type: "usage.referProgress", status }),
  };
}
