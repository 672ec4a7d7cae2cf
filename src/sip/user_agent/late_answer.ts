import { Dialog } from "../dialog/dialog.ts";
import type { SipRequest, SipResponse } from "../message/mod.ts";
import type { UserAgent } from "./user_agent.ts";

/**
 * Ends a dialog that a late or second 2xx has made and that no call wants: ACK and BYE
 * (RFC 3261 13.2.2.4).
 */
export function refuseLateAnswer(
  agent: UserAgent,
  invite: SipRequest,
  response: SipResponse,
): void {
  const dialog = Dialog.ofUac(invite, response);
  if (!dialog.ok) return;
  agent.ack(dialog.value.ack(invite.cseq.sequence));
  agent.request(dialog.value.request("BYE"), () => {});
}
