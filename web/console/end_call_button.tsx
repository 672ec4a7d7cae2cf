import { HangupIcon } from "../shared/icons.tsx";
import { type CallSummary, endCall } from "./api.ts";
import { ConfirmButton } from "./confirm_button.tsx";

/** Asks in place before it ends a call of two people. */
export function EndCallButton({ call, onEnded }: {
  readonly call: CallSummary;
  onEnded(): void;
}) {
  const who = `call from ${call.caller} to ${call.callee}`;
  if (call.state === "ending") return <span role="status">Ending…</span>;
  return (
    <ConfirmButton
      label={`Hang up the ${who}`}
      question={`End the ${who}?`}
      yes="End call"
      no="Keep"
      working="Ending…"
      action={() => endCall(call.id)}
      onDone={onEnded}
    >
      <HangupIcon />
      <span class="wide-inline">Hang up</span>
    </ConfirmButton>
  );
}
