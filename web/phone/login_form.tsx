/// <reference lib="dom" />
import { useLayoutEffect, useRef } from "preact/hooks";
import { ConnectionPanel } from "./connection_panel.tsx";
import type { Phone } from "./phone.ts";
import type { Settings } from "./settings.ts";
import type { LineState } from "./state.ts";

/** All that a newcomer sees: a name, and Go. */
export function LoginForm({ phone, line, isUnfolded, settings, onChange }: {
  readonly phone: Phone;
  readonly line: LineState;
  /** The fields of the connection are on show. */
  readonly isUnfolded: boolean;
  readonly settings: Settings;
  onChange(settings: Settings): void;
}) {
  const name = useRef<HTMLInputElement>(null);
  const isBusy = line === "connecting";
  // A field that was disabled has lost the focus.
  useLayoutEffect(() => {
    if (!isBusy) name.current?.focus();
  }, [isBusy]);
  return (
    <section class="card login" aria-labelledby="login-title">
      <h1 id="login-title">Pick a name and be called</h1>
      <p class="lead">
        Open this page in two windows, type two names, and call one from the other.
      </p>
      <form
        class="go"
        onSubmit={(event) => {
          event.preventDefault();
          void phone.connect(settings, false);
        }}
      >
        <label class="field field-large">
          <span class="label">Your name</span>
          <input
            ref={name}
            name="name"
            autocomplete="nickname"
            autocapitalize="none"
            spellcheck={false}
            placeholder="alice"
            value={settings.login}
            disabled={isBusy}
            onInput={(event) => onChange({ ...settings, login: event.currentTarget.value })}
          />
        </label>
        {isBusy
          ? (
            <button type="button" class="button button-large" onClick={() => phone.disconnect()}>
              Cancel
            </button>
          )
          : <button type="submit" class="button button-main button-large">Go</button>}
      </form>
      <ConnectionPanel
        phone={phone}
        line={line}
        isUnfolded={isUnfolded}
        settings={settings}
        onChange={onChange}
      />
    </section>
  );
}
