/// <reference lib="dom" />
import { useLayoutEffect } from "preact/hooks";
import type { Phone } from "./phone.ts";
import type { CallState } from "./state.ts";

const KEYS: readonly (readonly [digit: string, letters: string])[] = [
  ["1", ""],
  ["2", "ABC"],
  ["3", "DEF"],
  ["4", "GHI"],
  ["5", "JKL"],
  ["6", "MNO"],
  ["7", "PQRS"],
  ["8", "TUV"],
  ["9", "WXYZ"],
  ["*", ""],
  ["0", "+"],
  ["#", ""],
];
const NAMES: Readonly<Record<string, string>> = { "*": "Star", "#": "Hash" };

/** Twelve keys; while they are shown the keyboard's digits work as well. */
export function Keypad({ phone, call, id, onClose }: {
  readonly phone: Phone;
  readonly call: CallState;
  readonly id: string;
  onClose(): void;
}) {
  const { actions } = phone.calls;
  // Not after the paint: a digit may come at once.
  useLayoutEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
      if (event.target instanceof HTMLElement && event.target.matches("input, select, textarea")) {
        return;
      }
      if (event.key === "Escape") onClose();
      else if (KEYS.some(([digit]) => digit === event.key)) actions.sendDigit(call.key, event.key);
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [call.key, actions, onClose]);
  return (
    <div id={id} class="drawer" role="group" aria-label="Keypad">
      <output class="digits" aria-label="Digits sent" aria-live="polite">
        {call.digits || <span class="digits-none">Press a key, or type</span>}
      </output>
      <div class="keys">
        {KEYS.map(([digit, letters]) => (
          <button
            key={digit}
            type="button"
            class="key"
            aria-label={NAMES[digit] ?? digit}
            onClick={() => actions.sendDigit(call.key, digit)}
          >
            {digit}
            <small aria-hidden="true">{letters || "\u00a0"}</small>
          </button>
        ))}
      </div>
    </div>
  );
}
