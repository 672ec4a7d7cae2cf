/// <reference lib="dom" />
import type { Phone } from "./phone.ts";
import type { Settings } from "./settings.ts";
import type { LineState } from "./state.ts";

type TextKey = Exclude<keyof Settings, "isRegisterRequired">;

interface Field {
  readonly key: TextKey;
  readonly label: string;
  readonly type?: "password";
  readonly placeholder?: string;
  readonly isWide?: boolean;
}

/** The fields of Phone Min, in its order. */
const FIELDS: readonly Field[] = [
  { key: "serverUrl", label: "Server URL", isWide: true },
  { key: "login", label: "SIP login" },
  { key: "authName", label: "SIP auth name", placeholder: "same as the login" },
  { key: "password", label: "SIP password", type: "password", placeholder: "none" },
  { key: "domain", label: "SIP domain" },
  { key: "outboundProxy", label: "SIP outbound proxy", placeholder: "same as the domain" },
  { key: "port", label: "SIP port" },
];

/** The connection in full, closed until somebody wants it. */
export function ConnectionPanel({ phone, line, isUnfolded = false, settings, onChange }: {
  readonly phone: Phone;
  readonly line: LineState;
  /** Something in it wants attention. */
  readonly isUnfolded?: boolean;
  readonly settings: Settings;
  onChange(settings: Settings): void;
}) {
  const isDown = line === "offline" || line === "lost";
  return (
    <details class="panel" open={isUnfolded}>
      <summary>Connection</summary>
      <form
        class="panel-body"
        onSubmit={(event) => {
          event.preventDefault();
          void phone.connect(settings, false);
        }}
      >
        <fieldset class="fields" disabled={!isDown}>
          <legend class="unseen">Fields of the connection</legend>
          {FIELDS.map((field) => (
            <label key={field.key} class={`field ${field.isWide ? "field-wide" : ""}`}>
              <span class="label">{field.label}</span>
              <TextInput
                isSecret={field.type === "password"}
                placeholder={field.placeholder ?? ""}
                value={settings[field.key]}
                onInput={(value) =>
                  onChange({ ...settings, [field.key]: value })}
              />
            </label>
          ))}
          <label class="check">
            <input
              type="checkbox"
              checked={settings.isRegisterRequired}
              onChange={(event) =>
                onChange({ ...settings, isRegisterRequired: event.currentTarget.checked })}
            />
            Register required
          </label>
        </fieldset>
        {isDown && <button type="submit" class="button">Connect</button>}
        <label class="field field-wide">
          <span class="label">Auth token</span>
          <input
            autocomplete="off"
            spellcheck={false}
            readOnly={!isDown}
            placeholder="given by the server once connected"
            value={settings.authToken}
            onInput={(event) => onChange({ ...settings, authToken: event.currentTarget.value })}
          />
        </label>
        {isDown && (
          <button
            type="button"
            class="button"
            onClick={() => void phone.connect(settings, true)}
          >
            Connect with token
          </button>
        )}
      </form>
      {!isDown && (
        <button type="button" class="button" onClick={() => phone.disconnect()}>Disconnect</button>
      )}
    </details>
  );
}

function TextInput({ isSecret, placeholder, value, onInput }: {
  readonly isSecret: boolean;
  readonly placeholder: string;
  readonly value: string;
  onInput(value: string): void;
}) {
  const common = {
    autocomplete: "off",
    autocapitalize: "none",
    spellcheck: false,
    placeholder,
    value,
    onInput: (event: { readonly currentTarget: HTMLInputElement }) =>
      onInput(event.currentTarget.value),
  } as const;
  return isSecret ? <input {...common} type="password" /> : <input {...common} type="text" />;
}
