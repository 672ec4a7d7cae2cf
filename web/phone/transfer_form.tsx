/// <reference lib="dom" />
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import type { Phone } from "./phone.ts";
import type { CallState } from "./state.ts";

/** Hands the other side on to somebody else: a name or a number, and how it goes. */
export function TransferForm({ phone, call, id, onClose }: {
  readonly phone: Phone;
  readonly call: CallState;
  readonly id: string;
  onClose(): void;
}) {
  const [target, setTarget] = useState("");
  const input = useRef<HTMLInputElement>(null);
  const isUnderWay = call.transferTo !== null;
  useLayoutEffect(() => {
    if (!isUnderWay) input.current?.focus();
  }, [isUnderWay]);
  return (
    <form
      id={id}
      class="drawer"
      aria-label={`Transfer ${call.peer}`}
      onKeyDown={(event) => {
        if (event.key === "Escape") onClose();
      }}
      onSubmit={(event) => {
        event.preventDefault();
        const name = target.trim();
        if (name === "") input.current?.focus();
        else phone.calls.actions.transfer(call.key, name);
      }}
    >
      <label class="field">
        <span class="label">Transfer {call.peer} to</span>
        <input
          ref={input}
          name="target"
          autocomplete="off"
          autocapitalize="none"
          spellcheck={false}
          placeholder="carol"
          value={target}
          disabled={isUnderWay}
          onInput={(event) => setTarget(event.currentTarget.value)}
        />
      </label>
      <button type="submit" class="control control-main" disabled={isUnderWay}>
        Transfer now
      </button>
      <p class="drawer-words" role="status">
        {isUnderWay
          ? `Handing ${call.peer} on to ${call.transferTo}. This call ends when they talk.`
          : `You leave the call as soon as somebody answers there.`}
      </p>
    </form>
  );
}
