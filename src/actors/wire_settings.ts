import type { Instant } from "../core/clock.ts";
import type { SipRequest } from "../sip/message/mod.ts";
import type { Flow } from "../sip/flow.ts";
import type { Binding, Location } from "../sip/registrar/location.ts";
import type { WireSettings } from "./edge/contract.ts";

/** How media goes to the phones of an account, where that differs from the house's way. */
export type AccountMedia = Partial<
  Pick<WireSettings, "srtp" | "srtpRequired" | "avpf" | "media" | "codecs">
>;

/** The same as an account of the configuration says it. */
export interface AccountMediaChoice {
  /**
   * `offer`: its phones are offered SRTP by SDES; `require`: offers in the clear are refused too.
   */
  readonly srtp?: "off" | "offer" | "require" | undefined;
  /** RTCP feedback (RFC 4585) is offered. */
  readonly avpf?: boolean | undefined;
  readonly media?: "relay" | "direct" | undefined;
  /** The only audio codecs that are offered, names in lower case, preferred first. */
  readonly codecs?: readonly string[] | undefined;
}

export function toAccountMedia({ srtp, avpf, media, codecs }: AccountMediaChoice): AccountMedia {
  return {
    ...(srtp === undefined ? {} : { srtp: srtp !== "off", srtpRequired: srtp === "require" }),
    ...(avpf === undefined ? {} : { avpf }),
    ...(media === undefined ? {} : { media }),
    ...(codecs === undefined ? {} : { codecs }),
  };
}

export interface WireParty {
  readonly flow: Flow;
  readonly invite: SipRequest;
  /** Whether the party on the wire called, or is called. */
  readonly role: "caller" | "callee";
  readonly location: Pick<Location, "lookup" | "onFlow">;
  /** The one domain of all AoRs. */
  readonly domain: string;
  readonly now: Instant;
}

/**
 * User part of the account whose phone is at the far end of a dialog: the one whose binding a call
 * goes out to, else the one that the caller claims to be, who is challenged before it matters.
 */
export function accountAt(party: WireParty): string | undefined {
  const binding = party.role === "callee" ? bindingOf(party) : undefined;
  if (binding) return binding.aor.slice(0, binding.aor.lastIndexOf("@"));
  const { uri } = party.invite.from;
  return uri.isSip ? uri.user ?? undefined : undefined;
}

/** Nearly always one of the AoR that To names; a flow may have thousands. */
function bindingOf({ flow, invite, location, domain, now }: WireParty): Binding | undefined {
  const isIt = (binding: Binding) => binding.contact === invite.uri && binding.flow.id === flow.id;
  return location.lookup(invite.to.uri.aorKey(domain), now).find(isIt) ??
    location.onFlow(flow.id).find(isIt);
}
