/// <reference lib="dom" />
import { useEffect, useRef, useState } from "preact/hooks";
import { HangupIcon } from "../shared/icons.tsx";
import { type CallSummary, endCall } from "./api.ts";

type Step = "resting" | "asking" | "ending";

/** Asks in place before it ends a call of two people. */
export function EndCallButton({ call, onEnded }: {
  readonly call: CallSummary;
  onEnded(): void;
}) {
  const [step, setStep] = useState<Step>("resting");
  const [fault, setFault] = useState("");
  const keep = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (step === "asking") keep.current?.focus();
  }, [step]);
  const who = `call from ${call.caller} to ${call.callee}`;
  const end = async () => {
    setStep("ending");
    try {
      await endCall(call.id);
      onEnded();
    } catch (reason) {
      setFault(reason instanceof Error ? reason.message : String(reason));
      setStep("resting");
    }
  };
  if (step === "ending" || call.state === "ending") return <span role="status">Ending…</span>;
  if (step === "asking") {
    return (
      <span
        class="confirm"
        role="group"
        aria-label={`End the ${who}?`}
        onKeyDown={(event) => {
          if (event.key === "Escape") setStep("resting");
        }}
      >
        <button type="button" class="button button-danger" onClick={() => void end()}>
          End call
        </button>
        <button
          ref={keep}
          type="button"
          class="button"
          onClick={() => setStep("resting")}
        >
          Keep
        </button>
      </span>
    );
  }
  return (
    <>
      <button
        type="button"
        class="button"
        aria-label={`Hang up the ${who}`}
        onClick={() => {
          setFault("");
          setStep("asking");
        }}
      >
        <HangupIcon />
        <span class="wide-inline">Hang up</span>
      </button>
      {fault !== "" && <p class="bad" role="alert">{fault}</p>}
    </>
  );
}
