import type { ClientCall, ClientCommand, SessionProfile } from "../actors/client.ts";
import type { DtmfMethod } from "../actors/control_plane.ts";
import type { CallId } from "../core/ids.ts";
import type { Result } from "../core/result.ts";
import { ok } from "../core/result.ts";
import { unknownCall } from "./call_messages.ts";
import { checkInviteParameters, checkSipSdp } from "./invite_options.ts";
import type { FieldFault } from "./validation.ts";
import { checkVisibleName, fault, normaliseCallee } from "./validation.ts";
import type { CallData, ClientData } from "./wire.ts";

/** Client messages turned into what sessions understand. */

const DTMF_METHODS: readonly DtmfMethod[] = ["RFC2833", "INFO", "INFO_RELAY"];
const MAX_DTMF = 64;
const MAX_SHOWN = 256;
/** Of `custom` as JSON, characters: it is kept with the call. */
const MAX_CUSTOM = 16 * 1024;

/** `call`, checked; what its client claims to be (`caller`) is not even read. */
export function toCallCommand(
  data: CallData,
): Result<Extract<ClientCommand, { type: "call" }>, FieldFault> {
  const alreadyCancelled = data.status !== undefined && data.status !== "PENDING";
  const callee = normaliseCallee("callee", data.callee);
  if (!callee.ok) return callee;
  if (data.sdp === "" && !alreadyCancelled) return fault("sdp", "is missing");
  const shown = data.visibleName;
  const visibleName = shown ? checkVisibleName("visibleName", shown) : ok(null);
  if (!visibleName.ok) return visibleName;
  const sipSdp = checkSipSdp(data.sipSDP);
  if (!sipSdp.ok) return sipSdp;
  const inviteParameters = checkInviteParameters(data.inviteParameters);
  if (!inviteParameters.ok) return inviteParameters;
  const custom = data.custom ?? null;
  const customLength = JSON.stringify(custom).length;
  if (customLength > MAX_CUSTOM) {
    return fault("custom", `has ${customLength} characters as JSON, and ${MAX_CUSTOM} are allowed`);
  }
  return ok({
    type: "call",
    callId: data.callId as CallId,
    callee: callee.value,
    sdp: data.sdp,
    visibleName: visibleName.value,
    sipSdp: sipSdp.value,
    inviteParameters: inviteParameters.value,
    custom,
    alreadyCancelled,
  });
}

/** A call that is refused before there is one. */
export function toRefusedCall(
  callId: string,
  callee: string,
  profile: SessionProfile,
): ClientCall {
  return {
    ...unknownCall(callId),
    caller: profile.login,
    callee: callee.slice(0, MAX_SHOWN),
    visibleName: profile.visibleName ?? profile.login,
  };
}

/** `sendDtmf`; undefined where nothing is left to send. Letters may be small. */
export function toDtmfCommand(data: ClientData<"sendDtmf">): ClientCommand | undefined {
  const digits = data.dtmf.toUpperCase().replace(/[^0-9*#A-D]/g, "").slice(0, MAX_DTMF);
  if (digits === "") return undefined;
  const method = DTMF_METHODS.find((known) => known === data.type) ?? "RFC2833";
  return { type: "dtmf", callId: data.callId as CallId, digits, method };
}

export function toTransferCommand(
  data: ClientData<"transfer">,
): Result<ClientCommand, FieldFault> {
  const target = normaliseCallee("target", data.target);
  return target.ok
    ? ok({ type: "transfer", callId: data.callId as CallId, target: target.value })
    : target;
}
