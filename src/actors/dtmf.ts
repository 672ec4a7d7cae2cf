import type { DtmfMethod } from "./control_plane.ts";
import type { SipDialogCommand } from "./sip_dialog.ts";

/** Digits as SIP INFO, both ways of writing them. */

/** Digits that a call's view keeps. */
export const MAX_DIGITS = 64;
/** Told in INFO; what a telephone-event is played for, ms. */
export const DIGIT_MS = 160;

const DTMF = "application/dtmf";
const DTMF_RELAY = "application/dtmf-relay";

/** One INFO for each digit. */
export function infoOfDigits(
  digits: string,
  method: Exclude<DtmfMethod, "RFC2833">,
): Extract<SipDialogCommand, { type: "info" }> {
  const isRelay = method === "INFO_RELAY";
  return {
    type: "info",
    contentType: isRelay ? DTMF_RELAY : DTMF,
    bodies: [...digits].map((digit) =>
      isRelay ? `Signal=${digit}\r\nDuration=${DIGIT_MS}\r\n` : digit
    ),
  };
}

/** The digit of an INFO; undefined where it has none that we know. */
export function digitOfInfo(
  contentType: string,
  body: string,
): { readonly digit: string; readonly method: DtmfMethod } | undefined {
  const isRelay = contentType === DTMF_RELAY;
  if (!isRelay && contentType !== DTMF) return undefined;
  // Some phones write the relay's form under either name.
  const said = /^[ \t]*signal[ \t]*=[ \t]*(\S+)/im.exec(body)?.[1] ?? (isRelay ? "" : body.trim());
  const digit = digitOf(said);
  return digit === undefined ? undefined : { digit, method: isRelay ? "INFO_RELAY" : "INFO" };
}

/** As a character, or as the number of its event (RFC 4733 3.2). */
function digitOf(said: string): string | undefined {
  const text = said.toUpperCase();
  if (/^[0-9*#A-D]$/.test(text)) return text;
  return { "10": "*", "11": "#", "12": "A", "13": "B", "14": "C", "15": "D" }[text];
}
