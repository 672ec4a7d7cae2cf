import type { CallState, LineState, Notice } from "./state.ts";

/** Everything that the phone says, in one place. Pure. */

export function lineWords(line: LineState, me: string): string {
  switch (line) {
    case "offline":
      return "Not connected";
    case "connecting":
      return "Connecting…";
    case "registering":
      return `Registering ${me}…`;
    case "online":
      return `Online as ${me}`;
    case "lost":
      return "Connection lost";
  }
}

export function callWords(call: CallState): string {
  switch (call.phase) {
    case "starting":
      return `Starting the call to ${call.peer}…`;
    case "calling":
      return `Calling ${call.peer}…`;
    case "ringing":
      return `Ringing at ${call.peer}…`;
    case "incoming":
      return `${call.peer} is calling${call.hasVideo ? " with video" : ""}`;
    case "answering":
      return `Answering ${call.peer}…`;
    case "active":
      return `In a call with ${call.peer}`;
    case "held":
      return `${call.peer} is on hold`;
    case "ending":
      return "Hanging up…";
  }
}

/** Who holds, or seems to; empty where nobody does. */
export function holdWords(call: CallState): string {
  if (call.phase === "held") return `You hold: ${call.peer} hears nothing until you press Unhold.`;
  return call.phase === "active" && call.isSilent
    ? `No sound comes from ${call.peer}: they may have put you on hold.`
    : "";
}

/** How a call ended, as far as this side can know. */
export interface CallEnd {
  readonly direction: CallState["direction"];
  readonly peer: string;
  readonly status: "FINISH" | "BUSY" | "FAILED";
  readonly wasConnected: boolean;
  /** Seconds of talk. */
  readonly seconds: number;
  readonly isByUs: boolean;
  /** To whom the other side was being handed on. */
  readonly transferTo: string | null;
  /** From the server's messages; 0 where it said nothing. */
  readonly sipStatus: number;
  readonly info: string;
}

const NO_ANSWER = /time-?out|in time/i;
const ELSEWHERE = /another place|elsewhere/i;
const PLAIN_END = /^normal call clearing$/i;
const HANDED_ON = /handed on/i;

export function endNotice(end: CallEnd): Notice {
  const again = end.direction === "outbound"
    ? { action: { kind: "call-again", label: "Call again", callee: end.peer } as const }
    : {};
  if (end.wasConnected) return connectedEnd(end);
  if (end.isByUs) {
    const text = end.direction === "inbound"
      ? `You declined the call from ${end.peer}.`
      : `You cancelled the call to ${end.peer}.`;
    return { kind: "info", text };
  }
  if (end.direction === "inbound") {
    return ELSEWHERE.test(end.info)
      ? { kind: "info", text: `The call from ${end.peer} was answered in another window.` }
      : end.status === "FAILED"
      ? { kind: "error", text: `The call from ${end.peer} failed.`, ...infoHint(end.info) }
      : { kind: "info", text: `Missed call from ${end.peer}.` };
  }
  return { ...refusal(end), ...again };
}

function connectedEnd(end: CallEnd): Notice {
  const length = durationWords(end.seconds);
  if (end.transferTo !== null && HANDED_ON.test(end.info)) {
    return { kind: "info", text: `${end.peer} talks with ${end.transferTo} now.` };
  }
  if (end.status === "FAILED") {
    return {
      kind: "error",
      text: `The call with ${end.peer} broke off after ${length}.`,
      ...infoHint(end.info),
    };
  }
  return {
    kind: "info",
    text: end.isByUs
      ? `You ended the call with ${end.peer} after ${length}.`
      : `The call with ${end.peer} has ended after ${length}.`,
  };
}

/** An outgoing call that nobody took. */
function refusal(end: CallEnd): Notice {
  const { peer, sipStatus, info } = end;
  switch (sipStatus) {
    case 404:
    case 604:
      return {
        kind: "error",
        text: `Nobody named “${peer}” is online.`,
        hint: "Check the spelling, or let them open this page and type that name.",
      };
    case 410:
    case 480:
      return NO_ANSWER.test(info)
        ? { kind: "warning", text: `${peer} did not answer.`, hint: "Try again a little later." }
        : {
          kind: "error",
          text: `“${peer}” is not online at the moment.`,
          hint: "Let them open this page and type that name.",
        };
    case 408:
      return {
        kind: "warning",
        text: `${peer} did not answer.`,
        hint: "Try again a little later.",
      };
    case 486:
    case 600:
      return { kind: "warning", text: `${peer} is busy.`, hint: "Try again a little later." };
    case 603:
      return { kind: "warning", text: `${peer} declined the call.` };
    case 401:
    case 403:
    case 407:
      return {
        kind: "error",
        text: `The server does not let you call ${peer}.`,
        ...infoHint(info),
      };
    case 415:
    case 488:
    case 606:
      return {
        kind: "error",
        text: `${peer} and you have no audio or video format in common.`,
        hint: "Try an audio call.",
      };
  }
  if (end.status === "BUSY") return { kind: "warning", text: `${peer} is busy.` };
  if (end.status === "FINISH") {
    return { kind: "warning", text: `${peer} did not take the call.`, ...infoHint(info) };
  }
  return {
    kind: "error",
    text: NO_ANSWER.test(info) ? `${peer} did not answer.` : `The call to ${peer} failed.`,
    ...infoHint(info),
  };
}

/** A transfer that came to nothing; the call is as it was. */
export function transferNotice(peer: string, target: string, sipStatus: number): Notice {
  return {
    kind: "warning",
    text: `${peer} could not be handed on: ${noTransferWords(target, sipStatus)}.`,
    hint: `You are still in the call with ${peer}.`,
  };
}

function noTransferWords(target: string, sipStatus: number): string {
  switch (sipStatus) {
    case 404:
    case 604:
      return `nobody is named “${target}”`;
    case 408:
    case 487:
      return `${target} did not answer`;
    case 410:
    case 480:
      return `${target} is not there`;
    case 486:
    case 600:
      return `${target} is busy`;
    case 603:
      return `${target} declined`;
    case 403:
      return `the server does not let you call ${target}`;
    case 488:
    case 606:
      return `${target} and the other side have no audio format in common`;
    default:
      return `${target} could not be reached (${sipStatus})`;
  }
}

function infoHint(info: string): { hint?: string } {
  return info === "" || PLAIN_END.test(info) ? {} : { hint: `The server says: ${info}` };
}

/** Another window of this browser has the same name. */
export function namesakeNotice(name: string): Notice {
  return {
    kind: "warning",
    text: `Another window has the name ${name} too: whoever calls ${name} makes both ring.`,
    hint:
      "To call from one window to the other, give one of them another name: under Connection, " +
      "press Disconnect.",
  };
}

/** The name is one of those that must prove themselves. */
export function passwordNotice(name: string): Notice {
  return {
    kind: "error",
    text: `The server has an account “${name}”, and this was not its password.`,
    hint: "Type its password under Connection (the lab's own accounts have 1234), " +
      "or take another name, which needs none.",
    opensConnection: true,
  };
}

export function selfNotice(name: string): Notice {
  return {
    kind: "error",
    text: `“${name}” is you.`,
    hint: "Type somebody else's name, or open a second window and give it another one.",
  };
}

/** `name` of the DOMException that getUserMedia gave, and which device was asked for. */
export function mediaNotice(name: string, device: "microphone" | "camera"): Notice {
  switch (name) {
    case "NotAllowedError":
    case "PermissionDeniedError":
    case "SecurityError":
      return {
        kind: "error",
        text: `The browser was not allowed to use your ${device}.`,
        hint: `Allow the ${device} for this page (the icon beside the address) and try again.`,
      };
    case "NotFoundError":
    case "DevicesNotFoundError":
      return {
        kind: "error",
        text: `No ${device} was found.`,
        hint: `Plug in a ${device}, or switch it on in your system's settings, and try again.`,
      };
    case "NotReadableError":
    case "TrackStartError":
    case "AbortError":
      return {
        kind: "error",
        text: `Your ${device} could not be started.`,
        hint: "Another program may be using it: close that and try again.",
      };
    case "OverconstrainedError":
      return {
        kind: "error",
        text: `The ${device} that you chose is no longer there.`,
        hint: "Choose another one under Devices.",
      };
    default:
      return {
        kind: "error",
        text: `Your ${device} could not be used (${name}).`,
        hint: "Check it in the browser's settings and try again.",
      };
  }
}

/** Seconds to `4 s`, `2 min 5 s`, `1 h 2 min`. */
export function durationWords(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}
