import type { SipRequest } from "../sip/message/mod.ts";
import type { Flow } from "../sip/flow.ts";
import type { Location } from "../sip/registrar/location.ts";
import type { WireSettings } from "./edge/contract.ts";

/** How media goes to the phones of an account, where that differs from the house's way. */
export type AccountMedia = Partial<Pick<WireSettings, "srtp" | "media">>;

export interface WireParty {
  readonly flow: Flow;
  readonly invite: SipRequest;
  readonly location: Pick<Location, "onFlow">;
}

/**
 * User part of the account whose phone is at the far end of a dialog: the one whose binding a call
 * goes out to, else the one that the caller claims to be, who is challenged before it matters.
 */
export function accountAt({ flow, invite, location }: WireParty): string | undefined {
  const binding = location.onFlow(flow.id).find(({ contact }) => contact === invite.uri);
  if (binding) return binding.aor.slice(0, binding.aor.lastIndexOf("@"));
  const { uri } = invite.from;
  return uri.isSip ? uri.user ?? undefined : undefined;
}
