/// <reference lib="dom" />
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";

type Step = "resting" | "asking" | "working";

/** Asks in place before it does what can't be taken back; the harmless answer has the focus. */
export function ConfirmButton({ label, question, yes, no, working, action, onDone, children }: {
  /** Of the button at rest. */
  readonly label: string;
  readonly question: string;
  readonly yes: string;
  readonly no: string;
  readonly working: string;
  action(): Promise<void>;
  onDone(): void;
  readonly children: ComponentChildren;
}) {
  const [step, setStep] = useState<Step>("resting");
  const [fault, setFault] = useState("");
  const harmless = useRef<HTMLButtonElement>(null);
  const resting = useRef<HTMLButtonElement>(null);
  const wasAsking = useRef(false);
  useLayoutEffect(() => {
    if (step === "asking") harmless.current?.focus();
    else if (step === "resting" && wasAsking.current) resting.current?.focus();
    wasAsking.current = step === "asking";
  }, [step]);
  const act = async () => {
    setStep("working");
    try {
      await action();
      onDone();
    } catch (reason) {
      setFault(reason instanceof Error ? reason.message : String(reason));
      setStep("resting");
    }
  };
  if (step === "working") return <span role="status">{working}</span>;
  if (step === "asking") {
    return (
      <span
        class="confirm"
        role="group"
        aria-label={question}
        onKeyDown={(event) => {
          if (event.key !== "Escape") return;
          event.preventDefault();
          setStep("resting");
        }}
      >
        <button type="button" class="button button-danger" onClick={() => void act()}>{yes}</button>
        <button
          ref={harmless}
          type="button"
          class="button"
          onClick={() => setStep("resting")}
        >
          {no}
        </button>
      </span>
    );
  }
  return (
    <>
      <button
        ref={resting}
        type="button"
        class="button"
        aria-label={label}
        onClick={() => {
          setFault("");
          setStep("asking");
        }}
      >
        {children}
      </button>
      {fault !== "" && <p class="bad" role="alert">{fault}</p>}
    </>
  );
}
