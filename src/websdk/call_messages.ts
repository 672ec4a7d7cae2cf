import type { ClientCall } from "../actors/client.ts";
import type { Termination, TerminationReason } from "../core/termination.ts";
import type { CallObject, CallStatus, Failure, ServerMessage } from "./wire.ts";

/** Calls and their ends in the words of the wire. */

/** What is told of a call that no session knows of. */
export function unknownCall(callId: string): ClientCall {
  return {
    callId: callId as ClientCall["callId"],
    incoming: false,
    caller: "",
    callee: "",
    visibleName: "",
    hasAudio: false,
    hasVideo: false,
    inviteParameters: null,
    custom: null,
  };
}

/**
 * The call object. `custom` and SDP stay out: the SDK would take them for options of a call of its
 * own.
 */
export function toCallObject(
  call: ClientCall,
  status: CallStatus,
  sipStatus: number,
  info?: string,
): CallObject {
  return {
    callId: call.callId,
    parentCallId: null,
    incoming: call.incoming,
    status,
    sipStatus,
    caller: call.caller,
    callee: call.callee,
    hasAudio: call.hasAudio,
    hasVideo: call.hasVideo,
    visibleName: call.visibleName,
    mediaProvider: "WebRTC",
    inviteParameters: call.inviteParameters,
    sipMessageRaw: null,
    isMsrp: false,
    ...(info === undefined ? {} : { info }),
  };
}

/**
 * How an end is told: status and `CALL_STATUS_INFO`, or a sentence where the vendor has no word.
 */
export interface WireEnd {
  readonly status: "FINISH" | "BUSY" | "FAILED";
  readonly sipStatus: number;
  readonly info: string;
}

/** Terminations whose status is FINISH: somebody, not something, ended the call. */
const FINISHES: ReadonlySet<TerminationReason> = new Set<TerminationReason>([
  "hangup",
  "remote_hangup",
  "transferred",
  "cancelled",
  "rejected",
  "busy",
  "answered_elsewhere",
  "session_lost",
  "operator",
  "shutdown",
]);

/** `CALL_STATUS_INFO` of the SDK; a reason that is not here is told in the termination's words. */
const INFO: Readonly<Partial<Record<TerminationReason, string>>> = {
  hangup: "Normal call clearing",
  remote_hangup: "Normal call clearing",
  ring_timeout: "Failed by request timeout",
  request_timeout: "Failed by request timeout",
  media_timeout: "Failed by ICE error",
  media_silent: "Failed by RTP activity",
  no_common_codec: "No common codecs",
  worker_lost: "Failed by error",
  internal_error: "Failed by error",
};

/**
 * @param clientHungUp the client asked for the end: it waits for FINISH, whatever else happened
 * @param busyStatus what 486 and 600 are told as
 */
export function toWireEnd(
  call: ClientCall,
  termination: Termination,
  clientHungUp: boolean,
  busyStatus: "FINISH" | "BUSY",
): WireEnd {
  const { reason, sipStatus, text } = termination;
  const info = INFO[reason] ?? text;
  if (clientHungUp) return { status: "FINISH", sipStatus, info };
  if (isBusy(call, termination)) return { status: busyStatus, sipStatus, info };
  // The one who did not pick up has nothing that failed, only a call that is over.
  const missed = call.incoming && (reason === "ring_timeout" || reason === "request_timeout");
  return { status: FINISHES.has(reason) || missed ? "FINISH" : "FAILED", sipStatus, info };
}

/** Whether the caller is to hear that the callee is busy (486, 600). */
export function isBusy(call: ClientCall, termination: Termination): boolean {
  return !call.incoming && termination.reason === "busy";
}

/**
 * `fail` of a call. The SDK keeps no `info` of `finish`; this is how an application (its WARN
 * callback) learns in words why a call failed.
 */
export function callFailure(callId: string, info: string, sipStatus?: number): ServerMessage {
  const failure: Failure = {
    apiMethod: "CallStatusEvent",
    id: callId,
    status: "FAILED",
    info,
    ...(sipStatus === undefined ? {} : { sipStatus }),
    sipMessageRaw: null,
  };
  return { message: "fail", data: [failure] };
}

/** `fail` of the connection, which is closed after it. */
export function connectionFailure(info: string, field?: string): ServerMessage {
  const failure: Failure = {
    apiMethod: "ConnectionStatusEvent",
    status: "FAILED",
    info,
    ...(field === undefined ? {} : { field }),
    sipMessageRaw: null,
  };
  return { message: "fail", data: [failure] };
}

export function registrationFailure(
  sipStatus: number,
  authentication: boolean,
  text: string,
): ServerMessage {
  const failure: Failure = {
    apiMethod: "RegistrationStatusEvent",
    status: authentication ? "AUTHENTICATION_FAIL" : "FAILED",
    info: text.startsWith(`${sipStatus}`) ? text : `${sipStatus} ${text}`,
    sipStatus,
    sipMessageRaw: null,
  };
  return { message: "fail", data: [failure] };
}
