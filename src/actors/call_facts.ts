import { type Termination, termination, terminationOfStatus } from "../core/termination.ts";
import type { CallContext, CallEvent } from "./call_context.ts";
import type { ClientCall } from "./client.ts";

/** Tells a callee that nobody answered from one that can't be reached (RFC 3326). */
export const RING_TIMEOUT_REASON = 'SIP;cause=480;text="Ring timeout"';

/** The call as its client is told of it. */
export function clientCall(context: CallContext): ClientCall {
  const isStartup = context.origin.type === "startup";
  return {
    callId: context.callId,
    incoming: context.origin.type !== "client",
    // Who rings at the first side of an operator's call is whom it will be connected to.
    caller: isStartup ? context.callee : context.caller,
    callee: isStartup ? context.caller : context.callee,
    visibleName: context.visibleName,
    hasAudio: context.hasAudio,
    hasVideo: context.hasVideo,
    inviteParameters: context.inviteParameters,
    custom: context.custom,
  };
}

/** The one at the other end, by the name that this side knows. */
export function farName({ origin, caller, callee }: CallContext): string {
  return origin.type === "invite" ? caller : callee;
}

/** What events on the bus say of a call. */
export function eventData(context: CallContext): Readonly<Record<string, unknown>> {
  return {
    id: context.callId,
    sessionId: context.party.sessionId,
    direction: context.direction,
    caller: context.caller,
    callee: context.callee,
    sipCallId: context.sipCallId,
  };
}

/** Why a call ends by this event. */
export function terminationOf(context: CallContext, event: CallEvent): Termination {
  switch (event.type) {
    case "terminate":
      return event.termination;
    case "client.hangup":
      return hangup(context);
    case "media.failed":
      return termination("internal_error", { sipStatus: 503, text: event.text });
    case "media.lost":
      return termination("worker_lost", { text: event.text });
    case "leg.failed": {
      const reason = event.reason === "consent_lost" || event.reason === "closed"
        ? "media_silent"
        : "media_timeout";
      return termination(reason, { text: event.text });
    }
    case "media.silent":
      return termination("media_silent", {
        text: `No packet came from the browser for ${Math.round(event.ms / 1000)} s`,
      });
    case "wire.silent":
      return termination("media_silent", {
        text: `No packet came from the other side for ${Math.round(event.ms / 1000)} s`,
      });
    case "dialog.refused":
      if (event.status === 480 && event.why === RING_TIMEOUT_REASON) {
        return termination("ring_timeout", { sipStatus: 480 });
      }
      // Whoever rang was online; it is gone, or can't be reached any more.
      return event.status === 480 && context.isRinging
        ? termination("unavailable", { by: "remote", text: "The callee went away while it rang" })
        : terminationOfStatus(event.status, event.reason);
    case "dialog.cancelled":
      return /completed elsewhere/i.test(event.reason ?? "")
        ? termination("answered_elsewhere")
        : termination("cancelled", { by: "remote" });
    case "dialog.expired":
      return termination("session_expired");
    case "bridged.notice":
      return termination(
        event.notice.type === "dialog.expired" ? "session_expired" : "remote_hangup",
      );
    case "dialog.bye":
      return termination("remote_hangup");
    case "transfer.completed":
      return termination("transferred", {
        text: `The other side was handed on to ${context.transfer?.view.target ?? "somebody else"}`,
      });
    case "dialog.unacknowledged":
      return termination("request_timeout", { text: "The caller never confirmed the answer" });
    default:
      return termination("internal_error");
  }
}

function hangup(context: CallContext): Termination {
  if (context.answeredAt !== null) return termination("hangup");
  if (context.origin.type !== "invite") return termination("cancelled");
  const status = context.ports.options.rejectStatus;
  return termination(status === 486 ? "busy" : "rejected", { sipStatus: status, by: "local" });
}
