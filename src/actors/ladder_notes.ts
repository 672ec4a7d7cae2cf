import * as sdp from "../sdp/mod.ts";
import type { LadderMessage } from "./control_plane.ts";

/** Says of answers what an offer has come to, where somebody reads the ladder to find out. */
export class SdpNotes {
  /** By party and CSeq: an answer is read beside the offer that went the other way. */
  readonly #offers = new Map<string, sdp.Sdp>();

  /** @param message in true order; its text is the whole message */
  on(message: LadderMessage): LadderMessage {
    const { hasSdp, method, status, text } = message;
    if (!hasSdp || method !== "INVITE") return message;
    const start = text.indexOf("\r\n\r\n");
    const parsed = sdp.parseSdp(start < 0 ? "" : text.slice(start + 4));
    if (!parsed.ok) return message;
    if (status === null) {
      this.#offers.set(placeOf(message.from, message.to, message), parsed.value);
      return message;
    }
    const offer = this.#offers.get(placeOf(message.to, message.from, message));
    const note = offer ? sdp.audioOnly(offer, parsed.value) : null;
    return note === null ? message : { ...message, note };
  }
}

function placeOf(from: string, to: string, { text, cseq }: LadderMessage): string {
  const callId = /^(?:call-id|i)[ \t]*:[ \t]*(\S+)/im.exec(text)?.[1] ?? "";
  return `${from}\n${to}\n${callId}\n${cseq}`;
}
