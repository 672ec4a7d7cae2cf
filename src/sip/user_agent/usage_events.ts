import type { SipRequest, SipResponse } from "../message/mod.ts";
import type { IncomingRefer } from "./refer.ts";

/** What an INVITE usage tells the dialog's actor. */
export type UsageEvent =
  | { readonly type: "usage.provisional"; readonly status: number; readonly body: string | null }
  | {
    readonly type: "usage.answered";
    readonly body: string;
    readonly remoteTag: string;
    /** Our INVITE had no offer, so this is one: `acknowledge` is owed. */
    readonly isOffer?: true;
  }
  /** UAC: a reliable provisional has the offer that our INVITE lacked: `acknowledge` is owed. */
  | { readonly type: "usage.offered"; readonly body: string }
  /** UAS: the answer to the offer of our reliable provisional. */
  | { readonly type: "usage.pracked"; readonly body: string }
  | {
    readonly type: "usage.refused";
    readonly status: number;
    readonly reason: string;
    /** Value of the Reason header (RFC 3326). */
    readonly why?: string | undefined;
  }
  /** UAS: the ACK to our 2xx is here, with the answer where our 2xx had the offer. */
  | { readonly type: "usage.acknowledged"; readonly body?: string }
  /** UAS: no ACK came in 64*T1. */
  | { readonly type: "usage.unacknowledged" }
  | { readonly type: "usage.cancelled"; readonly reason: string | null }
  /** The other side offers anew; `reanswer` or `refuseReoffer` is owed. */
  | { readonly type: "usage.reoffered"; readonly body: string }
  | { readonly type: "usage.reanswered"; readonly body: string }
  | { readonly type: "usage.reofferRefused"; readonly status: number }
  | { readonly type: "usage.bye"; readonly reason: string | null }
  /** The session timer ran out (RFC 4028 10): `bye` is owed. */
  | { readonly type: "usage.expired" }
  /** Our BYE has its final response, or never will have. */
  | { readonly type: "usage.closed" };

/** An INFO's content, for who wants it: DTMF relay, key frame requests. */
export interface Info {
  /** In lower case, without parameters; "" for none. */
  readonly contentType: string;
  readonly body: string;
}

/** What a call may take beside INVITE, BYE and their like; what is absent gets 405. */
export interface UsageHooks {
  /** Whether the content is understood: 200, else 415. */
  info?(info: Info): boolean;
  /** A transfer that the far side asks for (RFC 3515). */
  refer?(refer: IncomingRefer): void;
  /** Progress of a transfer that we asked for: the new call's status. */
  referProgress?(status: number): void;
}

export const SDP = "application/sdp";
const decoder = new TextDecoder();
const encoder = new TextEncoder();

export function sdpBody(text: string): { contentType: string; bytes: Uint8Array } {
  return { contentType: SDP, bytes: encoder.encode(text) };
}

export function bodyOf(message: SipRequest | SipResponse): string | null {
  return message.body.length === 0 ? null : decoder.decode(message.body);
}
