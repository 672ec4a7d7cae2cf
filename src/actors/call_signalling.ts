import { InviteUsage } from "../sip/user_agent/invite_usage.ts";
import type { CallContext } from "./call_context.ts";
import type { SipDialogInput } from "./sip_dialog.ts";

/** How the SIP leg begins: by an INVITE of ours, or by taking the one that has come. */
export function dialogInput(context: CallContext): SipDialogInput {
  const { ports, resources, party, origin } = context;
  const { clock } = ports;
  const { agent } = party;
  if (origin.type === "invite") {
    const { invite } = origin;
    return {
      role: "uas",
      ports,
      resources,
      start: (emit) => InviteUsage.inbound({ agent, clock, invite }, emit),
    };
  }
  return {
    role: "uac",
    ports,
    resources,
    start: (emit) =>
      InviteUsage.outbound({
        agent,
        clock,
        local: { ...party.identity, displayName: context.visibleName || null },
        target: context.target,
        callId: context.sipCallId,
        body: context.localSdp ?? "",
        headers: context.inviteParameters ?? {},
        credentials: party.credentials,
      }, emit),
  };
}
