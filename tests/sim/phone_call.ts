import type { Dialog } from "../../src/sip/dialog/dialog.ts";
import type { SipRequest } from "../../src/sip/message/mod.ts";
import type { ServerTransactionId } from "../../src/sip/stack.ts";
import type { PhoneSdp } from "./phone_sdp.ts";

/** A call as a phone sees it. */
export interface PhoneCall {
  readonly callId: string;
  readonly incoming: boolean;
  state: "trying" | "ringing" | "talking" | "ended";
  status: number;
  /** The other side's last description, and how it stood. */
  remote: (PhoneSdp & { readonly lines: number }) | undefined;
  remoteText: string;
  ringing: boolean;
  /** Early media: a description came with a provisional response. */
  early: boolean;
  held: boolean;
  /** The other side holds us. */
  isHeld: boolean;
  /** A re-INVITE of ours is under way. */
  offering: boolean;
  /** Requested or got: the codec that both agreed on first. */
  codec: string;
  invite: SipRequest;
  server: ServerTransactionId | undefined;
  dialog: Dialog | undefined;
  tag: string;
  inviteId: string;
  /** The person wants no more of it, whatever is under way. */
  wantsEnd: boolean;
  /** As callee: the ACK to our 2xx is here; no BYE before it (RFC 3261 15). */
  isAcknowledged: boolean;
  /** The BYE of the other side. */
  endedBy: SipRequest | undefined;
}

/** A call of which nobody knows more than its INVITE. */
export function newCall(invite: SipRequest, incoming: boolean, tag: string): PhoneCall {
  return {
    callId: invite.callId,
    incoming,
    state: "trying",
    status: 0,
    remote: undefined,
    remoteText: "",
    ringing: false,
    early: false,
    held: false,
    isHeld: false,
    offering: false,
    codec: "",
    invite,
    server: undefined,
    dialog: undefined,
    tag,
    inviteId: "",
    wantsEnd: false,
    isAcknowledged: !incoming,
    endedBy: undefined,
  };
}
